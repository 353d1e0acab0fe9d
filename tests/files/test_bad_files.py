"""Whatever is wrong with a file: one sentence that names it, and never anything but InputError."""

import io
import json
import os
import re
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.errors import InputError
from qhal.files import FORMATS, read_problem, write_problem
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


@pytest.fixture(scope="module")
def samples():
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


def test_the_samples_are_valid(tmp_path, samples):
    assert set(samples) == set(FORMATS)
    for suffix, content in samples.items():
        path = tmp_path / f"good{suffix}"
        path.write_bytes(content)
        assert read_problem(path).num_variables >= 2


# --- any format -----------------------------------------------------------------------------------


def test_missing_file(tmp_path):
    assert "No such file" in complaint(tmp_path / "absent.lp")


def test_folder(tmp_path):
    (tmp_path / "folder.lp").mkdir()
    assert "is a folder, not a file" in complaint(tmp_path / "folder.lp")


def test_path_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    assert "Not a directory" in complaint(tmp_path / "file" / "problem.lp")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.lp")
    assert "is a device, not a file" in complaint(tmp_path / "pipe.lp")


def test_impossible_path():
    assert "null" in complaint("zero\0byte.lp")


@pytest.mark.parametrize("name", ["problem.txt", "problem", "problem.osil", "G1.old", ".lp"])
def test_unsupported_suffixes_are_answered_with_the_supported(tmp_path, name):
    (tmp_path / name).write_text(LP)
    text = complaint(tmp_path / name)
    assert all(suffix in text for suffix in FORMATS)


def test_a_format_that_is_not_written(tmp_path):
    problem = Qcbo.from_arrays([[1.0]])
    with pytest.raises(InputError, match="can only be read; to write, use one of .lp"):
        write_problem(problem, tmp_path / "out.dat")


@pytest.mark.parametrize("suffix", FORMATS)
def test_empty_files(tmp_path, suffix):
    refused(tmp_path, suffix, b"")


@pytest.mark.parametrize("suffix", FORMATS)
def test_other_bytes(tmp_path, suffix):
    refused(tmp_path, suffix, b"\xff\xfe\x00P\x00K" * 40)


@pytest.mark.parametrize("suffix", TEXTS)
def test_utf16_text_is_not_taken_for_ours(tmp_path, suffix):
    assert "not a text file" in refused(tmp_path, suffix, TEXTS[suffix].encode("utf-16"))


@pytest.mark.parametrize("suffix", TEXTS)
def test_byte_order_marks_and_windows_line_ends_are_fine(tmp_path, suffix):
    path = tmp_path / f"windows{suffix}"
    path.write_bytes(b"\xef\xbb\xbf" + TEXTS[suffix].replace("\n", "\r\n").encode())
    assert read_problem(path).num_variables >= 2


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_truncation_is_noticed_or_harmless(tmp_path, samples, suffix):
    content = samples[suffix]
    path = tmp_path / f"cut{suffix}"
    complete = 0
    for length in range(0, len(content), max(1, len(content) // 150)):
        path.write_bytes(content[:length])
        complete += outcome(path) is None
    # Text may lose its last line break, a COO list, which announces nothing, whole lines, and
    # QPLIB the names at its end.
    assert complete <= {".coo": 10, ".qplib": 10}.get(suffix, 4)


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=150)
@given(data=st.data())
def test_damaged_files_raise_input_errors_only(tmp_path_factory, samples, suffix, data):
    content = bytearray(samples[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.one_of(st.binary(max_size=6), st.text("0123456789-+.eE *[]:=<>\n/xk")))
        width = data.draw(st.integers(0, 8))
        content[position : position + width] = piece if isinstance(piece, bytes) else piece.encode()
        if not content:
            break
    path = tmp_path_factory.mktemp("damaged") / f"bad{suffix}"
    path.write_bytes(bytes(content))
    text = outcome(path)
    assert text is None or str(path) in text


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".lp", "Minimize\nSubject To\nEnd\n"),
        (".mps", "NAME\nROWS\n N obj\nCOLUMNS\nRHS\nENDATA\n"),
        (".qplib", "none\nLBN\nminimize\n0\n0\n0\n0\n1e20\n0\n0\n0\n0\n0\n0\n"),
        (".coo", "# vartype=BINARY\n"),
        (".qubo", "p qubo 0 0 0 0\n"),
        (".mc", "0 0\n"),
        (".dat", "0\n"),
        (".npz", FORMATS[".npz"].write(Qcbo.from_arrays(np.zeros((0, 0))))),
        (".bqm", FORMATS[".bqm"].write(Qcbo.from_arrays(np.zeros((0, 0))))),
        (".cqm", FORMATS[".cqm"].write(Qcbo.from_arrays(np.zeros((0, 0))))),
    ],
)
def test_no_variables(tmp_path, suffix, content):
    assert "has no variables: nothing to solve" in refused(tmp_path, suffix, content)


@pytest.mark.parametrize(
    "bad", ["nan", "inf", "-Infinity", "1e400", "0x10", "1_0", "１", "1,5", "abc"]
)
@pytest.mark.parametrize("suffix", [".mps", ".qplib", ".coo", ".qubo", ".mc", ".dat"])
def test_numbers_must_be_finite_decimals(tmp_path, suffix, bad):
    values = {".mps": "-5", ".qplib": "-8", ".coo": "-2", ".qubo": "-2", ".mc": "-1", ".dat": "3"}
    value = values[suffix]
    head, _, tail = TEXTS[suffix].rpartition(value)
    text = refused(tmp_path, suffix, head + bad + tail)
    assert re.search(r"line \d+: .* (not a finite number|too large)", text)


# --- text formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "content", "expected"),
    [
        (".coo", "0 0 1\n", "add the line '# vartype=BINARY'"),
        (".coo", "# vartype=INTEGER\n0 0 1\n", "line 1: the vartype must be"),
        (".coo", "# vartype=SPIN\n# vartype=BINARY\n0 0 1\n", "line 2: the vartype must be"),
        (".coo", "# vartype=SPIN\n0 0 1\n0 1\n", "line 3: expected 'i j bias'"),
        (".coo", "# vartype=SPIN\n0 -1 1\n", "line 2: '-1' is not a variable"),
        (".qubo", "0 0 1\n", "line 1: expected 'p qubo"),
        (".qubo", "c only comments\n", "has no line 'p qubo"),
        (".qubo", "p qubo 0 3 1\n", "line 1: expected 'p qubo"),
        (".qubo", "p qubo 0 3 1 0\np qubo 0 3 1 0\n", "line 2: a second 'p' line"),
        (".qubo", "p qubo 0 2 1 1\n0 0 1\n0 2 1\n", "line 3: node 2 is not below maxNodes = 2"),
        (".qubo", "p qubo 0 9 2 1\n0 0 1\n0 2 1\n", "announces 2 nodes and 1 couplers, but has 1"),
        (".qubo", f"p qubo 0 {10**17} {10**17} 0\n0 0 1\n", "truncated or damaged"),
        (".mc", "3\n1 2 1\n", "line 1: expected the numbers of vertices and edges"),
        (".mc", "3 2\n1 2 1\n", "announces 2 edges, but has 1"),
        (".mc", "3 1\n1 2\n", "line 2: expected 'i j weight', but found 2 words"),
        (".mc", "3 1\n1 4 1\n", "line 2: an edge joins two different vertices from 1 to 3"),
        (".mc", "3 1\n0 1 1\n", "line 2: an edge joins"),
        (".mc", "3 1\n2 2 1\n", "line 2: an edge joins"),
        (".mc", "9999999999 1\n1 2 1\n", "line 1: 9999999999 vertices and 1 edges are more than"),
        (".mc", "9 9999999999\n1 2 1\n", "more than the file can hold"),
        (".dat", "3\n0 1\n1 0\n0 1\n1 0\n", "announces n = 3"),
        (".dat", "2\n0 1\n1 0\n0 1 1\n1 0\n", "is ragged, truncated or not a QAPLIB file"),
        (".dat", "99999999999\n0 1\n", "is ragged, truncated or not a QAPLIB file"),
        (".dat", "-2\n0 1\n", "line 1: '-2' is not the size n"),
    ],
)
def test_text_formats(tmp_path, suffix, content, expected):
    assert expected in refused(tmp_path, suffix, content)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Minimize", "Minimise the sum", "line 2: at 'sum': expected '+' or '-' between two"),
        ("Minimize", "", "line 3: expected 'Minimize' or 'Maximize'"),
        ("x + y <= 1", "x + y <= z", "line 5: at 'z': expected a number"),
        ("x + y <= 1", "x + y", "line 6: at 'second': expected '<=', '>=' or '='"),
        ("x + y <= 1", "0 <= x + y >= 1", "line 5: at '>=': a range is 'low <= expression <= hi"),
        ("x + y <= 1", "0 = x + y = 1", "line 5: at '=': a range is 'low <= expression <= high'"),
        ("x + y <= 1", "0 <= x + y <= k", "line 5: at 'k': expected a number"),
        ("x + y <= 1", "x y <= 1", "line 5: at 'y': expected '+' or '-' between two terms"),
        ("x + y <= 1", "x * y <= 1", "line 5: at '*': expected '<='"),
        ("x + y <= 1", "x + nan <= inf", "line 5: at 'inf': expected a number"),
        ("x + y <= 1", "x + 1e999 y <= 1", "line 5: '1e999' is too large"),
        ("x + y <= 1", "x + | <= 1", "line 5: '| <= 1' cannot be read"),
        ("] / 2", "]", "line 3: at '+': brackets in the objective are followed by '/ 2'"),
        ("] / 2", "", "line 3: the section ends too early"),
        ("4 x * y", "4", "line 3: at '-': expected 'x * y', 'x ^ 2' or 'x' between '[' and ']'"),
        ("4 x * y", "4 x y", "line 3: at 'y': expected '+' or '-' between two terms"),
        ("[", "3 [", "line 3: at '[': expected '+' or '-' between two terms"),
        ("k ^ 2", "k ^ 3", "line 3: at '3': expected '2'"),
        ("second", "first", "two constraints share the label 'first'"),
        ("-2 <= k <= 5", "", "integer variable 'k' needs finite bounds"),
        ("-2 <= k <= 5", "k free", "integer variable 'k' needs finite bounds"),
        ("-2 <= k <= 5", "k <= 1e300", "integer variable 'k' needs finite bounds"),
        ("-2 <= k <= 5", "k <= 5e12", "needs tighter bounds"),
        ("-2 <= k <= 5", "7 <= k <= 5", "has a lower bound above its upper bound"),
        ("-2 <= k <= 5", "k", "line 8: the section ends too early: expected '<='"),
        ("General\n k", "", "variable 'k' is continuous"),
        ("Binary", "Semi-Continuous", "line 10: the section 'Semi-Continuous' is not supported"),
        ("End", "", "does not close with 'End'"),
        ("End", "End\nmore", "line 14: nothing may follow 'End'"),
    ],
)
def test_lp_files(tmp_path, old, new, expected):
    assert LP.count(old) >= 1
    assert expected in refused(tmp_path, ".lp", LP.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("NAME test", "    NAME test", "line 2: expected a section, such as ROWS"),
        ("ROWS", "ROWZ", "line 5: the section 'ROWZ' is not supported"),
        ("    MIN", "    LOW", "line 4: the sense of the objective is MAX or MIN"),
        (" L  first", " X  first", "line 7: expected a row's type (N, L, G or E)"),
        (" L  first", " L  second", "line 8: a second row is called 'second'"),
        ("'INTORG'", "'SOSORG'", "line 12: a marker is 'INTORG' or 'INTEND'"),
        ("first  1.0", "fist  1.0", "line 13: there is no row 'fist'"),
        ("first  1.0", "first  1.0abc", "line 13: '1.0abc' is not a finite number"),
        ("first  1.0", "first  1.0 2", "line 13: expected one or two pairs"),
        ("second    1", "first    1", "line 14: a second value for 'x' in row 'first'"),
        ("second    1", "cost    1", "line 14: a second value for 'x' in the objective"),
        ("    third     4", "    first     4", "a second value for the side of row 'first'"),
        (" UI BND       k         4", " UI BND       k         -4", "an upper bound below 0"),
        (" UI BND       k         4", " UP BND       k         4", "variable 'k' is continuous"),
        (" UI BND       k         4", " LI BND       k         4", "'k' needs finite bounds"),
        (" UI BND       k         4", " UI BND       k         5e12", "needs tighter bounds"),
        (" UI BND       k         4", " SC BND       k         4", "bounds of type 'SC' are not"),
        (" UI BND       k         4", " UI BND       z         4", "there is no column 'z'"),
        (" UI BND       k         4", " UI k", "expected 'UI set column value'"),
        ("    y  y  3", "    y  y", "expected two columns and a value, but found 2 words"),
        ("QCMATRIX second", "QCMATRIX", "expected 'QCMATRIX row'"),
        ("QCMATRIX second", "QCMATRIX none", "there is no row 'none'"),
        ("ENDATA\n", "", "does not close with ENDATA"),
        ("ENDATA", "ENDATA\nRHS", "nothing may follow ENDATA"),
        (" E  third", " E  first_low", "there is no row 'third'"),
    ],
)
def test_mps_files(tmp_path, old, new, expected):
    assert old in MPS
    assert expected in refused(tmp_path, ".mps", MPS.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("QIQ", "QXQ", "line 2: 'QXQ' is no problem type of QPLIB"),
        ("QIQ", "QCQ", "variable 'x1' is continuous"),
        ("Minimize", "Lower", "line 3: the sense is 'minimize' or 'maximize'"),
        ("3 # v", "1000000000 # v", "line 4: 1000000000 variables are more than the file can"),
        ("2 # constraints", "999999999", "line 5: 999999999 constraints are more than the file"),
        ("2 # quad", "1000 # quad", "line 6: 1000 quadratic terms are announced, but only"),
        ("3 1 -8", "4 1 -8", "line 8: the index 4 is not one from 1 to 3"),
        ("3 1 -8", "0 1 -8", "line 8: the index 0 is not one from 1 to 3"),
        ("3 1 -8", "3 -8", "line 8: expected entry 2 of 2 quadratic terms, but found 2 words"),
        ("3 1 -8", "3 1 -8 9", None),
        ("1e20 #", "3 #", "'k' needs finite bounds below 2^53"),
        ("3 5", "3 -5", "variable 'k' has a lower bound above its upper bound"),
        ("2 second", "2 c1_low", "share the label 'c1_low'"),
        ("3 k", "3 x1", "variable names, different"),
        ("2 second\n", "2 second\nmore\n", "nothing may follow the names of the constraints"),
    ],
)
def test_qplib_files(tmp_path, old, new, expected):
    assert old in QPLIB
    changed = QPLIB.replace(old, new, 1)
    if expected is not None:
        assert expected in refused(tmp_path, ".qplib", changed)
        return
    path = tmp_path / "comment.qplib"
    path.write_text(changed)
    assert read_problem(path).num_variables == 3


# --- binary formats -------------------------------------------------------------------------------


def packed(arrays: dict[str, object]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def arrays_of(content: bytes) -> dict[str, np.ndarray]:
    return dict(np.load(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("linear", np.array([np.nan, 1.0]), "linear in .* contains NaN"),
        ("rhs", np.array([np.inf]), "rhs in .* contains NaN or an infinite"),
        ("offset", np.float64("nan"), "offset in .* must be one finite number"),
        ("offset", np.array([1.0]), "offset in .* must be one finite number"),
        ("linear", np.array([1.0]), "linear in .* has 1 entries, not 2"),
        ("linear", np.array([[1.0, 2.0]]), "linear in .* must be float64 of the shape"),
        ("linear", np.array([1, 2]), "linear in .* must be float64"),
        ("linear", np.array(["1", "2"]), "linear in .* must be float64"),
        ("linear", np.array([{}, []], dtype=object), "linear.npy in .* holds no numbers or text"),
        ("linear", None, "lacks the array 'linear'"),
        ("names", np.array(["a", "a"]), "2 variable names, different"),
        ("pairs", np.array([[0, 1], [0, 2], [0, 0]])[:3], "pairs in .* points to"),
        ("pairs", np.array([[0, 1], [0, -1], [0, 0]]), "pairs in .* points to"),
        ("row_entries", np.array([[0, 0], [1, 1]]), "row_entries in .* points to"),
        ("senses", np.array(["=>"]), "senses in .* must be"),
        ("upper", np.array([1, 2**62]), "bounds in .* must lie within"),
        ("upper", np.array([1, -1]), "lower bound above its upper bound"),
        ("format", np.array("qhal-problem-9"), "is not a problem of qhal"),
        ("format", None, "is not a problem of qhal"),
    ],
)
def test_npz_arrays(tmp_path, samples, key, value, expected):
    arrays = arrays_of(samples[".npz"])
    if value is None:
        del arrays[key]
    else:
        arrays[key] = value
    assert re.search(expected, refused(tmp_path, ".npz", packed(arrays)))


def test_npz_of_a_data_set_says_where_it_belongs(tmp_path):
    content = packed({"x": np.zeros((2, 2)), "y": np.zeros(2)})
    assert "data sets go to qhal train" in refused(tmp_path, ".npz", content)


def test_npz_header_that_announces_terabytes(tmp_path):
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("linear.npy", head + bytes(8))
    assert "announces the shape (1000000000000,)" in refused(tmp_path, ".npz", stream.getvalue())


def test_zip_directory_that_announces_gigabytes(tmp_path, samples):
    content = samples[".npz"]
    entry = content.index(b"PK\x01\x02")
    patched = content[: entry + 24] + struct.pack("<I", 2**31) + content[entry + 28 :]
    assert "announces 2147483648 bytes, more than" in refused(tmp_path, ".npz", patched)


def test_bqm_that_announces_too_much(tmp_path, samples):
    content = samples[".bqm"]
    patched = content.replace(b'"shape": [2, 1]', b'"shape": [2,9]')
    assert patched != content
    assert "is damaged" in refused(tmp_path, ".bqm", patched.replace(b"[2,9]", b"[2, 9]"))
    huge = content.replace(b'"shape": [2, 1]', b'"shape": [9999999999, 1]')
    assert "is damaged" in refused(tmp_path, ".bqm", huge)


def test_cqm_of_real_or_soft_parts(tmp_path):
    import dimod

    real = dimod.ConstrainedQuadraticModel()
    real.add_constraint(dimod.Real("r") + dimod.Binary("x") <= 1)
    soft = dimod.ConstrainedQuadraticModel()
    soft.add_constraint(dimod.Binary("x") + dimod.Binary("y") <= 1, weight=2.0, label="wish")
    for cqm, expected in ((real, "variable 'r' is real"), (soft, "constraint 'wish' is soft")):
        with cqm.to_file() as file:
            assert expected in refused(tmp_path, ".cqm", file.read())


def test_deeply_nested_json(tmp_path, samples):
    content = samples[".bqm"]
    at = content.index(b"VARS")
    labels = json.dumps(["left", "right"]).encode()
    nested = b"[" * 50_000 + b"]" * 50_000
    assert labels in content[at:]
    patched = content[:at] + b"VARS" + struct.pack("<I", len(nested)) + nested
    refused(tmp_path, ".bqm", patched)


# --- writing --------------------------------------------------------------------------------------


def test_what_a_format_cannot_hold(tmp_path):
    rows = Qcbo.from_arrays([[1.0]], A_le=[[1]], b_le=[1])
    whole = Qcbo.from_arrays([[1.0]], upper=[3], names=["k"])
    for suffix in (".bqm", ".coo", ".qubo", ".mc"):
        with pytest.raises(InputError, match="this problem has constraints .1.: write an .lp"):
            write_problem(rows, tmp_path / f"out{suffix}")
        with pytest.raises(InputError, match="'k' of this problem is not binary"):
            write_problem(whole, tmp_path / f"out{suffix}")
    with pytest.raises(InputError, match="not minus the weight of a cut"):
        write_problem(Qcbo.from_arrays([[1.0, 1.0], [0, 1.0]]), tmp_path / "out.mc")
    for name, expected in (
        ("free", "a keyword"),
        ("two words", "characters"),
        ("9x", "start with"),
    ):
        with pytest.raises(InputError, match=expected):
            write_problem(Qcbo.from_arrays([[1.0]], names=[name]), tmp_path / "out.lp")
    for suffix, name in ((".mps", "two words"), (".mps", "*x"), (".qplib", "a\tb"), (".mps", "")):
        with pytest.raises(InputError, match="cannot hold the name"):
            write_problem(Qcbo.from_arrays([[1.0]], names=[name]), tmp_path / f"out{suffix}")
    huge = Qcbo.from_arrays([[1e308]], upper=[2])
    for suffix in (".mps", ".qplib"):
        with pytest.raises(InputError, match="cannot hold a coefficient this large"):
            write_problem(huge, tmp_path / f"out{suffix}")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    problem = Qcbo.from_arrays([[1.0]])
    for path in (tmp_path / "absent" / "out.lp", tmp_path / "file" / "out.lp", tmp_path):
        with pytest.raises(InputError, match="cannot write|cannot tell"):
            write_problem(problem, path)
