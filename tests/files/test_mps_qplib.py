"""MPS against HiGHS, QPLIB against its published formula, and problems that others wrote."""

import importlib.util
import itertools
import re

import numpy as np
import pytest
from hypothesis import assume, given, settings

from qhal.errors import InputError
from qhal.files import read_problem, write_problem
from qhal.problems import Qcbo

from .highs_peer import Peer
from .samples import MPS, QPLIB
from .test_round_trips import problems


@pytest.fixture(scope="module")
def highs():
    """Reads (and writes) a model through HiGHS; it must not complain."""
    if importlib.util.find_spec("highspy") is None:
        pytest.skip("highspy is not installed")
    with Peer() as peer:
        yield peer


def square(columns: list, rows: int, width: int) -> np.ndarray:
    """A dense matrix from compressed columns."""
    starts, indices, values = columns
    matrix = np.zeros((rows, width))
    for column in range(min(width, len(starts) - 1)):
        for k in range(starts[column], starts[column + 1]):
            matrix[indices[k], column] = values[k]
    return matrix


def assert_as_highs(problem: Qcbo, model: dict) -> None:
    """`problem` has the objective and the feasible points of `model`, tried one by one."""
    assert list(problem.names) == model["names"]
    assert problem.lower.tolist() == model["lower"]
    assert problem.upper.tolist() == model["upper"]
    assert all(model["whole"])
    n = problem.num_variables
    matrix = square(model["matrix"], len(model["row_lower"]), n)
    lower = square(model["hessian"], n, n)
    hessian = lower + np.tril(lower, -1).T
    bounds = zip(problem.lower, problem.upper, strict=True)
    ranges = [range(low, high + 1) for low, high in bounds]
    values = np.array(list(itertools.islice(itertools.product(*ranges), 500)))
    energies = values @ np.array(model["costs"]) + model["offset"]
    energies = energies + 0.5 * np.einsum("ij,jk,ik->i", values, hessian, values)
    scale = 1 + np.abs(energies).max()
    np.testing.assert_allclose(
        problem.objectives(values), model["sign"] * energies, atol=1e-9 * scale
    )
    sides, slack = values @ matrix.T, 1e-6
    above = sides >= np.array(model["row_lower"]) - slack
    below = sides <= np.array(model["row_upper"]) + slack
    assert (problem.feasible(values) == (above & below).all(axis=1)).all()


def test_a_file_of_every_section(tmp_path, highs):
    path = tmp_path / "problem.mps"
    text = MPS[: MPS.index("QCMATRIX")] + "ENDATA\n"
    for sense in ("MIN", "MAX"):
        path.write_text(text.replace("    MIN", f"    {sense}"))
        assert_as_highs(read_problem(path), highs(path))
    path.write_text(MPS)
    problem = read_problem(path)
    assert problem.names == ("x", "y", "k")
    assert problem.constraints.labels == ("first_low", "first_high", "second", "third")
    for x, y, k in itertools.product((0, 1), (0, 1), range(5)):
        assert problem.objectives([[x, y, k]])[0] == x - 2 * y + 5 + 2 * x * k + 1.5 * y * y
        rows = (1.5 <= x + y <= 4, x - 2 * x * k >= -1, 2 * k == 4)
        assert bool(problem.feasible([[x, y, k]])[0]) == all(rows)


@settings(max_examples=40)
@given(problem=problems())
def test_what_we_write_is_what_highs_reads(tmp_path_factory, highs, problem):
    assume(not problem.constraints.quadratic.any())
    entries = np.abs(problem.constraints.linear.data)
    assume(((entries == 0) | (entries > 1e-8)).all())  # HiGHS drops smaller ones
    path = tmp_path_factory.mktemp("mps") / "problem.mps"
    write_problem(problem, path)
    assert_as_highs(read_problem(path), highs(path))


@settings(max_examples=40)
@given(problem=problems())
def test_what_highs_writes_is_what_we_read(tmp_path_factory, highs, problem):
    assume(not problem.constraints.quadratic.any())
    entries = np.abs(problem.constraints.linear.data)
    assume(((entries == 0) | (entries > 1e-8)).all())
    assume(entries.any())  # without entries HiGHS forgets to write what is an integer
    folder = tmp_path_factory.mktemp("mps")
    write_problem(problem, folder / "ours.mps")
    highs(folder / "ours.mps", folder / "theirs.mps", folder / "theirs.lp")
    assert_as_highs(read_problem(folder / "theirs.mps"), highs(folder / "theirs.mps"))
    theirs = read_problem(folder / "theirs.lp")
    assert set(theirs.names) == set(problem.names)
    values = np.array([problem.lower, problem.upper])
    order = [problem.names.index(name) for name in theirs.names]
    scale = 1 + np.abs(problem.objectives(values)).max()
    np.testing.assert_allclose(
        theirs.objectives(values[:, order]), problem.objectives(values), atol=1e-6 * scale
    )


RANGED = """NAME
ROWS
 N obj
 {kind} row
COLUMNS
 MARKER 'MARKER' 'INTORG'
 x obj 1 row 1
 y obj 1 row 1
 z row 1
 MARKER 'MARKER' 'INTEND'
RHS
 RHS row 3
RANGES
 RNG row {width}
BOUNDS
{bounds}
ENDATA
"""


@pytest.mark.parametrize("kind", "LGE")
@pytest.mark.parametrize("width", [2, -2, 0])
def test_ranges_mean_what_they_mean_to_highs(tmp_path, highs, kind, width):
    path = tmp_path / "problem.mps"
    path.write_text(RANGED.format(kind=kind, width=width, bounds=" UP BND z 4\n LO BND y -2"[:12]))
    assert_as_highs(read_problem(path), highs(path))


@pytest.mark.parametrize(
    "bounds",
    [
        "",
        " UP BND x 4",
        " UP x 4",
        " LO BND x -3\n UP BND x -1",
        " FX BND x 2",
        " BV BND x",
        " BV x",
        " LI BND x 1\n UI BND x 3",
        " UP BND x 2\n LO BND x 1\n UP BND y 3",
    ],
)
def test_bounds_mean_what_they_mean_to_highs(tmp_path, highs, bounds):
    path = tmp_path / "problem.mps"
    path.write_text(RANGED.format(kind="L", width=2, bounds=bounds))
    assert_as_highs(read_problem(path), highs(path))


def test_qmatrix_has_both_triangles(tmp_path):
    path = tmp_path / "problem.mps"
    half = MPS[: MPS.index("QUADOBJ")]
    path.write_text(half + "QMATRIX\n x k 2\n k x 2\n y y 3\nENDATA\n")
    full = read_problem(path)
    path.write_text(half + "QUADOBJ\n x k 2\n y y 3\nENDATA\n")
    assert (full.quadratic != read_problem(path).quadratic).nnz == 0


# --- QPLIB ----------------------------------------------------------------------------------------


def test_a_qplib_file_of_every_section(tmp_path):
    path = tmp_path / "problem.qplib"
    path.write_text(QPLIB)
    problem = read_problem(path)
    assert problem.names == ("x1", "x2", "k")
    assert problem.constraints.labels == ("c1_low", "c1_high", "second")
    for x, y, k in itertools.product((0, 1), (0, 1), range(-2, 6)):
        objective = 0.5 * (2 * x * x - 8 * x * k) + 0.5 * x - y + 0.5 * k + 7.5
        assert problem.objectives([[x, y, k]])[0] == objective
        rows = (0 <= x + y <= 2, 0.5 * 3 * x * y - k <= 2)
        assert bool(problem.feasible([[x, y, k]])[0]) == all(rows)


def test_a_cut_of_the_library_has_its_value(tmp_path):
    """A maximum cut in the form of QPLIB_3506 and its kin: edges -4, degrees doubled.

    On a ring of five unit edges the largest cut has four.
    """
    edges = [(i, (i + 1) % 5) for i in range(5)]
    lines = ["ring", "QBN", "maximize", "5", "5"]
    lines += [f"{max(i, j) + 1} {min(i, j) + 1} -4.0" for i, j in edges]
    lines += ["2.0", "0", "0.0", "1.79769313486232E+308", *["0.0", "0"] * 2, "0", "0", ""]
    path = tmp_path / "ring.qplib"
    path.write_text("\n".join(lines))
    problem = read_problem(path)
    states = np.array(list(itertools.product((0, 1), repeat=5)))
    assert problem.objectives(states).min() == -4


def test_each_reading_of_the_half_has_another_optimum(tmp_path):
    """x'Qx / 2 with a lower triangular Q, as the library's documentation has it: optimum -6 at
    (1, 1). With a symmetric Q it would be -5 at (0, 1), without the half -8 at (1, 0).
    """
    lines = ["half", "QBN", "minimize", "2", "2", "1 1 -6", "2 1 8", "-2", "1", "2 -5", "0", "1e20"]
    path = tmp_path / "half.qplib"
    path.write_text("\n".join([*lines, *["0", "0"] * 2, "0", "0", ""]))
    problem = read_problem(path)
    states = np.array(list(itertools.product((0, 1), repeat=2)))
    values = problem.objectives(states)
    assert dict(zip(map(tuple, states.tolist()), values, strict=True)) == {
        (0, 0): 0, (0, 1): -5, (1, 0): -5, (1, 1): -6,
    }  # fmt: skip


def test_mixed_types_and_binary_ones_that_override_bounds(tmp_path):
    text = "mix\nLGL\nmaximize\n3\n1\n1\n0\n0\n3\n1 1 1\n1 2 1\n1 3 1\n1e20\n-1e20\n0\n4\n0\n"
    text += "-3\n0\n3\n0\n1\n1\n2 2\n" + "0\n0\n" * 3 + "0\n0\n"
    path = tmp_path / "mix.qplib"
    path.write_text(text)
    problem = read_problem(path)
    assert problem.lower.tolist() == [-3, 0, -3]
    assert problem.upper.tolist() == [3, 1, 3]
    assert problem.objectives([[1, 1, 1]])[0] == -3
    path.write_text(text.replace("1\n1\n2 2\n", "1\n1\n2 0\n"))
    with pytest.raises(InputError, match="variable 'x2' is continuous"):
        read_problem(path)


def test_the_type_says_what_is_inside(tmp_path):
    path = tmp_path / "problem.qplib"
    rows = {"A_le": [[1, 1]], "b_le": [1]}
    product = {"quadratic_constraints": [(np.array([[0, 1], [0, 0]]), None, "<=", 0)]}
    for kind, arguments in (
        ("QBN", {"quadratic": [[0, 1], [0, 0]]}),
        ("LBN", {"linear": [1, 2]}),
        ("LIB", {"linear": [1, 2], "upper": [1, 3]}),
        ("LBL", {"linear": [1, 2], **rows}),
        ("QIQ", {"quadratic": [[0, 1], [0, 0]], "upper": [2, 2], **product}),
    ):
        problem = Qcbo.from_arrays(**arguments)
        write_problem(problem, path)
        assert path.read_text().split()[1] == kind
        assert re.search(r"^minimize$", path.read_text(), re.MULTILINE)
