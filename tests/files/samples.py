"""Small valid files of every format, and how files are refused."""

import numpy as np
import pytest

from qhal.errors import InputError
from qhal.files import FORMATS, read_problem
from qhal.problems import Qcbo

LP = """\\ a comment
Minimize
 obj: 2 x - 3 y + [ 4 x * y - k ^ 2 ] / 2 + 1
Subject To
 first: x + y <= 1
 second: [ x * k ] - y >= -3
Bounds
 -2 <= k <= 5
Binary
 x y
General
 k
End
"""
MPS = """* a comment
NAME test
OBJSENSE
    MIN
ROWS
 N  cost
 L  first
 G  second
 E  third
 N  unused
COLUMNS
    MARKER    'MARKER'  'INTORG'
    x         cost      1.0   first  1.0
    x         second    1
    y         cost      -2    first  1
    MARKER    'MARKER'  'INTEND'
    k         third     2     unused 7
RHS
    RHS       first     4     second -1
    RHS       cost      -5
    third     4
RANGES
    RNG       first     2.5
BOUNDS
 BV BND       x
 UI BND       k         4
QUADOBJ
    x  k  2
    y  y  3
QCMATRIX second
    x  k  -1
    k  x  -1
ENDATA
"""
QPLIB = """test
QIQ # type
Minimize
3 # variables
2 # constraints
2 # quadratic terms in objective
1 1 2.0
3 1 -8
0.5 # default value for linear coefficients in objective
1 # others
2 -1
7.5 # objective constant
1 # quadratic terms in all constraints
2 2 1 3
3 # linear terms in all constraints
1 1 1
1 2 1
2 3 -1

! a comment
1e20 # infinity
-1e20 # default left-hand side
1 # others
1 0
2 # default right-hand side
0 # others
0 # default lower bound
1 # others
3 -2
1 # default upper bound
1 # others
3 5
0 # default start
0
0
0
0
0
1 # names of variables
3 k
1 # names of constraints
2 second
"""
TEXTS = {
    ".lp": LP,
    ".mps": MPS,
    ".qplib": QPLIB,
    ".coo": "# vartype=BINARY\n0 0 1.5\n0 2 -2\n",
    ".qubo": "c comment\np qubo 0 3 1 1\n0 0 1.5\n0 2 -2\n",
    ".mc": "3 2\n1 2 1\n2 3 -1\n",
    ".dat": "2\n\n0 1\n1 0\n\n0 3\n3 0\n",
}


def contents() -> dict[str, bytes]:
    """The content of a valid file of every format."""
    bits = Qcbo.from_arrays([[1, -2], [0, 0.5]], names=["left", "right"])
    rows = Qcbo.from_arrays([[1, -2], [0, 0.5]], A_le=[[1, 1]], b_le=[1], upper=[1, 4])
    written = {".bqm": bits, ".cqm": rows, ".npz": rows}
    contents = {suffix: FORMATS[suffix].write(problem) for suffix, problem in written.items()}
    return contents | {suffix: text.encode() for suffix, text in TEXTS.items()}


def complaint(path) -> str:
    """The sentence with which `path` is refused; it must name the file and be one line."""
    with pytest.raises(InputError) as caught:
        read_problem(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def outcome(path) -> str | None:
    """None if `path` is read as a sound problem, else the text of the `InputError`."""
    try:
        problem = read_problem(path)
    except InputError as error:
        return str(error)
    assert np.isfinite(problem.objectives([problem.lower, problem.upper])).all()
    return None


def refused(tmp_path, suffix, content) -> str:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return complaint(path)
