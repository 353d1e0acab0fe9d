"""What is written is read back as the same problem, in every format, and by dimod itself."""

import itertools

import dimod
import numpy as np
import pytest
from dimod.serialization import coo
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.files import FORMATS, read_problem, write_problem
from qhal.problems import Qcbo
from qhal.problems.spins import over_bits

COEFFICIENTS = st.one_of(
    st.integers(-5, 5).map(float),
    st.floats(-1e3, 1e3).map(lambda value: value if abs(value) > 1e-9 else 0.0),
)


@st.composite
def problems(draw, *, constrained=True, names=True, spins=False):
    n = draw(st.integers(1, 4))

    def row():
        return np.array(draw(st.lists(COEFFICIENTS, min_size=n, max_size=n)))

    def square():
        return np.triu(np.array([row() for _ in range(n)]))

    lower, upper = np.zeros(n), np.ones(n)
    options = {"spins": np.full(n, spins)}
    if spins:
        lower[:] = -1
    elif constrained:
        lower = np.array(draw(st.lists(st.integers(-3, 1), min_size=n, max_size=n)))
        upper = lower + draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
        for sense in ("eq", "le", "ge"):
            count = draw(st.integers(0, 2))
            if count:
                options[f"A_{sense}"] = np.array([row() for _ in range(count)])
                options[f"b_{sense}"] = row()[:1].repeat(count)
        options["quadratic_constraints"] = [
            (square(), row(), draw(st.sampled_from(["==", "<=", ">="])), draw(COEFFICIENTS))
            for _ in range(draw(st.integers(0, 2)))
        ]
    if names:
        word = st.text("abcxyzABC_019", min_size=1, max_size=4).map(lambda text: f"v{text}")
        options["names"] = draw(st.lists(word, min_size=n, max_size=n, unique=True))
    return Qcbo.from_arrays(
        square(), row(), draw(COEFFICIENTS), lower=lower, upper=upper, **options
    )


def assert_same(one: Qcbo, other: Qcbo, *, names: bool = True) -> None:
    """Equal on every assignment, whatever the order of variables."""
    if names:
        assert set(one.names) == set(other.names)
        order = [one.names.index(name) for name in other.names]
    else:
        order = list(range(one.num_variables))
    np.testing.assert_array_equal(other.lower, one.lower[order])
    np.testing.assert_array_equal(other.upper, one.upper[order])
    assert other.constraints.labels == one.constraints.labels
    np.testing.assert_array_equal(other.spins, one.spins[order])
    bounds = zip(one.lower, one.upper, one.steps, strict=True)
    ranges = [range(low, high + 1, step) for low, high, step in bounds]
    values = np.array(list(itertools.islice(itertools.product(*ranges), 700)))
    scale = 1 + np.abs(one.objectives(values)).max()
    np.testing.assert_allclose(
        other.objectives(values[:, order]), one.objectives(values), atol=1e-12 * scale
    )
    np.testing.assert_allclose(
        other.constraints.violations(values[:, order]),
        one.constraints.violations(values),
        atol=1e-10,
    )


@pytest.mark.parametrize("suffix", [".lp", ".mps", ".qplib", ".cqm", ".npz"])
@settings(max_examples=60)
@given(problem=problems())
def test_constrained_round_trip(tmp_path_factory, suffix, problem):
    path = tmp_path_factory.mktemp("round") / f"problem{suffix}"
    write_problem(problem, path)
    assert_same(problem, read_problem(path))


@pytest.mark.parametrize("suffix", [".lp", ".mps", ".qplib", ".cqm", ".bqm", ".npz"])
@settings(max_examples=40)
@given(problem=problems(constrained=False))
def test_unconstrained_round_trip_keeps_names(tmp_path_factory, suffix, problem):
    path = tmp_path_factory.mktemp("round") / f"problem{suffix}"
    write_problem(problem, path)
    assert_same(problem, read_problem(path))


@pytest.mark.parametrize("suffix", [".cqm", ".bqm", ".coo", ".npz"])
@settings(max_examples=40)
@given(problem=problems(constrained=False, names=False, spins=True))
def test_spins_stay_spins(tmp_path_factory, suffix, problem):
    path = tmp_path_factory.mktemp("round") / f"problem{suffix}"
    write_problem(problem, path)
    assert_same(problem, read_problem(path))


@pytest.mark.parametrize("suffix", [".lp", ".mps", ".qplib", ".qubo"])
@settings(max_examples=40)
@given(problem=problems(constrained=False, names=False, spins=True))
def test_formats_without_spins_get_their_bits(tmp_path_factory, suffix, problem):
    path = tmp_path_factory.mktemp("round") / f"problem{suffix}"
    write_problem(problem, path)
    assert_same(over_bits(problem), read_problem(path))


@pytest.mark.parametrize("suffix", [".coo", ".qubo"])
@settings(max_examples=60)
@given(problem=problems(constrained=False, names=False))
def test_numbered_round_trip(tmp_path_factory, suffix, problem):
    path = tmp_path_factory.mktemp("round") / f"problem{suffix}"
    write_problem(problem, path)
    assert_same(problem, read_problem(path))


@pytest.mark.parametrize("suffix", [".coo", ".qubo"])
def test_numbers_of_variables_are_kept_and_other_names_become_positions(tmp_path, suffix):
    numbered = Qcbo.from_arrays([[1, 2], [0, 3]], names=["x7", "x12"])
    named = Qcbo.from_arrays([[1, 2], [0, 3]], names=["left", "right"])
    for problem, expected in ((numbered, ("x7", "x12")), (named, ("x0", "x1"))):
        path = tmp_path / f"problem{suffix}"
        write_problem(problem, path)
        assert read_problem(path).names == expected
        assert_same(problem, read_problem(path), names=False)


def test_extreme_coefficients_survive_every_format(tmp_path):
    values = [1e-300, 1e300, -1.5e-7, 123456789012345678.0, 0.1]
    problem = Qcbo.from_arrays(np.diag(values), names=[f"x{i}" for i in range(5)])
    for suffix in (".lp", ".mps", ".qplib", ".cqm", ".bqm", ".coo", ".qubo", ".npz"):
        path = tmp_path / f"problem{suffix}"
        write_problem(problem, path)
        read = read_problem(path)
        order = [read.names.index(name) for name in problem.names]
        states = np.eye(5, dtype=np.int64)
        np.testing.assert_array_equal(read.objectives(states[:, np.argsort(order)]), values)


def test_max_cut_round_trip(tmp_path):
    edges = ["4 4", "1 2 1", "1 3 -2.5", "2 4 3", "3 4 1"]
    (tmp_path / "G1").write_text("\n".join(edges))
    problem = read_problem(tmp_path / "G1")
    write_problem(problem, tmp_path / "copy.mc")
    assert_same(problem, read_problem(tmp_path / "copy.mc"))


# --- against dimod's own readers and writers -----------------------------------------------------


@settings(max_examples=80)
@given(problem=problems())
def test_lp_reader_agrees_with_dimods(tmp_path_factory, problem):
    path = tmp_path_factory.mktemp("lp") / "problem.lp"
    write_problem(problem, path)
    assert_same(Qcbo.from_cqm(dimod.lp.load(str(path))), read_problem(path))


def test_lp_files_as_people_write_them(tmp_path):
    """Ranges, linear terms in brackets and names that are not ASCII, which dimod does not read."""
    path = tmp_path / "by_hand.lp"
    path.write_text(
        "Minimize\n é + [ 2 i ^ 2 - 8 i + 4 é * i ] / 2\nSubject to:\n"
        " both: -2 <= é + i <= 3\n 5 >= 2 i - é >= 1\n 4 >= i\n q: 0 <= [ é * i - 2 i ] + 9 <= 8\n"
        "Bounds\n -3 <= i <= 6\nBinary\n é\nGeneral\n i\nEnd\n",
        encoding="utf-8",
    )
    problem = read_problem(path)
    assert problem.names == ("é", "i")
    assert problem.constraints.labels == (
        "both_low",
        "both_high",
        "c2",
        "c3",
        "c4",
        "q_low",
        "q_high",
    )
    for e, i in itertools.product((0, 1), range(-3, 7)):
        assert problem.objectives([[e, i]])[0] == e + (2 * i * i - 8 * i + 4 * e * i) / 2
        rows = (-2 <= e + i <= 3, 5 >= 2 * i - e >= 1, i <= 4, 0 <= e * i - 2 * i + 9 <= 8)
        assert bool(problem.feasible([[e, i]])[0]) == all(rows)


@settings(max_examples=60)
@given(st.integers(-4, 4), st.integers(-4, 4), st.sampled_from(["<=", ">="]), st.integers(-2, 2))
def test_a_range_is_both_of_its_halves(tmp_path_factory, first, second, sense, constant):
    path = tmp_path_factory.mktemp("range") / "problem.lp"
    ends = "Binary\n x y z\nEnd\n"
    row = f"r: {first} {sense} x - 2 y + 3 z + {constant} {sense} {second}"
    path.write_text(f"Minimize\n x\nSubject To\n {row}\n{ends}".replace("+ -", "- "))
    problem = read_problem(path)
    for x, y, z in itertools.product((0, 1), repeat=3):
        value = x - 2 * y + 3 * z + constant
        inside = first <= value <= second if sense == "<=" else first >= value >= second
        assert bool(problem.feasible([[x, y, z]])[0]) == inside


def test_what_readers_and_writers_note(tmp_path, caplog):
    caplog.set_level("INFO", logger="qhal")
    path = tmp_path / "problem.lp"
    path.write_text("Maximize\n left + right\nBinary\n left right\nEnd\n")
    problem = read_problem(path)
    assert problem.objectives([[1, 1]])[0] == -2
    assert "problem.lp is to be maximised: qhal minimises the negated objective" in caplog.text
    caplog.clear()
    write_problem(problem, tmp_path / "problem.npz")
    write_problem(Qcbo.from_arrays([[1.0]], names=["x7"]), tmp_path / "problem.qubo")
    assert caplog.text == ""
    for suffix in (".qubo", ".coo"):
        caplog.clear()
        write_problem(problem, tmp_path / f"problem{suffix}")
        assert "the variables left to right are now 0 to 1" in caplog.text


@pytest.mark.parametrize("version", [1, 2])
@settings(max_examples=60)
@given(
    problem=problems(constrained=False),
    vartype=st.sampled_from(["BINARY", "SPIN"]),
    dtype=st.sampled_from([np.float32, np.float64]),
    labelled=st.booleans(),
)
def test_bqm_files_of_dimod(tmp_path_factory, version, problem, vartype, dtype, labelled):
    cqm = problem.to_cqm()
    bqm = dimod.BinaryQuadraticModel("BINARY", dtype=dtype)
    for name in problem.names:
        bqm.add_linear(name, cqm.objective.get_linear(name))
    bqm.add_quadratic_from(cqm.objective.iter_quadratic())
    bqm.change_vartype(vartype, inplace=True)
    if not labelled:
        bqm.relabel_variables(dict(zip(bqm.variables, range(bqm.num_variables), strict=True)))
    path = tmp_path_factory.mktemp("bqm") / "problem.bqm"
    with bqm.to_file(version=version) as file:
        path.write_bytes(file.read())
    read = read_problem(path)
    assert read.names == tuple(bqm.variables)
    low = -1 if vartype == "SPIN" else 0
    states = np.array(list(itertools.product((low, 1), repeat=bqm.num_variables)))
    expected = bqm.energies((states, list(bqm.variables)))
    # float32 files: dimod's own sums round to float32 as well.
    np.testing.assert_allclose(read.objectives(states), expected, rtol=1e-4, atol=1e-2)
    if dtype is np.float64:
        np.testing.assert_allclose(read.objectives(states), expected, rtol=1e-12, atol=1e-9)


@settings(max_examples=60)
@given(problem=problems())
def test_cqm_files_are_what_dimod_reads(tmp_path_factory, problem):
    path = tmp_path_factory.mktemp("cqm") / "problem.cqm"
    write_problem(problem, path)
    with path.open("rb") as file:
        cqm = dimod.ConstrainedQuadraticModel.from_file(file)
    assert set(map(str, cqm.variables)) == set(problem.names)
    assert set(cqm.constraints) == set(problem.constraints.labels)
    values = np.array([problem.lower, problem.upper])
    np.testing.assert_allclose(
        cqm.objective.energies((values, list(problem.names))), problem.objectives(values), atol=1e-7
    )


def test_cqm_with_spins_integers_and_odd_labels(tmp_path):
    cqm = dimod.ConstrainedQuadraticModel()
    spin, bit = dimod.Spin(("spin", 3)), dimod.Binary(0)
    number = dimod.Integer("k", lower_bound=-2, upper_bound=5)
    cqm.set_objective(2 * spin * bit - 3 * number * number + spin * number + 1.5)
    for label in ("last", "first", "ä b", ("t", 1)):
        cqm.add_constraint(spin + 2 * bit * number <= 3, label=label)
    path = tmp_path / "odd.cqm"
    with cqm.to_file(compress=True) as file:
        path.write_bytes(file.read())
    problem = read_problem(path)
    # In the order of the file, not in that of a set of strings as dimod returns them.
    assert problem.constraints.labels == ("last", "first", "ä b", ("t", 1))
    assert problem.names == tuple(cqm.variables)
    for s, b, k in itertools.product((-1, 1), (0, 1), range(-2, 6)):
        assignment = {("spin", 3): s, 0: b, "k": k}
        values = [[assignment[name] for name in problem.names]]
        assert problem.objectives(values)[0] == 2 * s * b - 3 * k * k + s * k + 1.5
        assert bool(problem.feasible(values)[0]) == (s + 2 * b * k <= 3)


@pytest.mark.parametrize("vartype", ["BINARY", "SPIN"])
def test_coo_files_of_dimod(tmp_path, vartype):
    bqm = dimod.BinaryQuadraticModel({0: 1, 3: -2.5, 8: 0.5}, {(0, 3): 2, (3, 8): -1}, 0, vartype)
    path = tmp_path / "problem.coo"
    path.write_text(coo.dumps(bqm, vartype_header=True))
    problem = read_problem(path)
    assert problem.names == ("x0", "x3", "x8")
    states = np.array(list(itertools.product((-1 if vartype == "SPIN" else 0, 1), repeat=3)))
    expected = bqm.energies((states, list(bqm.variables)))
    np.testing.assert_allclose(problem.objectives(states), expected)
    write_problem(problem, path)
    again = coo.loads(path.read_text())
    assert again.vartype is bqm.vartype
    np.testing.assert_allclose(again.energies((states, list(again.variables))), expected)


def test_every_format_is_tested_here():
    here = {".lp", ".mps", ".qplib", ".cqm", ".bqm", ".coo", ".qubo", ".mc", ".dat", ".npz"}
    assert set(FORMATS) == here
