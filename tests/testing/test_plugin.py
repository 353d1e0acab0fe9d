"""The pytest plugin, as the suites of other projects see it."""

import numpy as np
import pytest

import qhal
from qhal.errors import InputError
from qhal.registry import load
from qhal.testing import assert_feasible, assert_oracles_agree

OVER_ORACLES = """
    import qhal

    def test_it(oracle):
        assert isinstance(oracle, qhal.Oracle)
        assert oracle.sample(qhal.Qubo([[-1]]), num_reads=4, seed=0).first[1] in (-1, 0)
"""
FAR_AWAY = """
    import numpy as np
    import qhal

    class Far(qhal.Oracle):
        def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
            return np.ones((num_reads, qubo.num_variables), dtype=int)

    @qhal.hookimpl
    def qhal_oracle():
        return qhal.OracleInfo(
            name="far", summary="far away", factory="fake_far:Far", remote=True
        )
"""


def local() -> list[str]:
    """The installed oracles that run on this machine."""
    return [name for name in qhal.list_oracles() if not load("oracle", name).remote]


@pytest.fixture(scope="module", autouse=True)
def _everything_is_loaded():
    """pytester forgets what was imported in a run of its own, and vendors bear no second import."""
    for name in local():
        qhal.get_oracle(name).sample(qhal.Qubo([[1]]), num_reads=1, seed=0)


@pytest.fixture
def plugins(pytester, monkeypatch):
    """Oracles on another machine, and one that is broken, as installed distributions."""
    from qhal import registry

    for name, source in (("far", FAR_AWAY), ("broken", "    raise ImportError('no driver')\n")):
        info = pytester.mkdir(f"fake_{name}-1.0.dist-info")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fake-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[qhal.oracles]\n{name} = fake_{name}\n")
        pytester.makepyfile(**{f"fake_{name}": source})
    monkeypatch.syspath_prepend(str(pytester.path))
    registry.refresh()
    yield
    registry.refresh()


def run(pytester, *arguments):
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def test_the_fixture_runs_over_every_installed_oracle(pytester):
    pytester.makepyfile(OVER_ORACLES)
    result = run(pytester, "-v")
    away = len(qhal.list_oracles()) - len(local())
    result.assert_outcomes(passed=len(local()), skipped=away)
    for name in ("exhaustive", "random"):
        result.stdout.fnmatch_lines(f"*test_it?{name}? PASSED*")


def test_named_oracles_only(pytester):
    pytester.makepyfile(OVER_ORACLES)
    result = run(pytester, "-v", "--qhal-oracle", "random", "--qhal-oracle=exhaustive")
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*oracles that were not tested*")


def test_a_named_oracle_that_is_absent_fails(pytester):
    pytester.makepyfile(OVER_ORACLES)
    result = run(pytester, "--qhal-oracle", "exhaustiv")
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines("*no oracle 'exhaustiv'; did you mean 'exhaustive'?*")


def test_skipped_oracles_are_visible(pytester, plugins):
    pytester.makepyfile(OVER_ORACLES)
    names = ["--qhal-oracle", "random"]
    run(pytester, *names).assert_outcomes(passed=1)
    result = run(pytester)
    assert result.parseoutcomes()["skipped"] >= 2
    result.stdout.fnmatch_lines(
        [
            "*oracles that were not tested*",
            "broken: *ImportError: no driver*",
            "far: it runs on another machine: --qhal-live asks it",
        ]
    )


def test_skipped_oracles_are_visible_through_xdist(pytester, plugins, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    pytester.makepyfile(OVER_ORACLES)
    result = run(pytester, "-n", "1")
    result.stdout.fnmatch_lines(["*oracles that were not tested*", "far: it runs on another*"])


def test_a_broken_oracle_that_was_named_fails(pytester, plugins):
    pytester.makepyfile(OVER_ORACLES)
    result = run(pytester, "--qhal-oracle", "broken")
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines("*ImportError: no driver*")


def test_live_asks_other_machines(pytester, plugins):
    pytester.makepyfile(OVER_ORACLES)
    run(pytester, "--qhal-oracle", "far", "--qhal-live").assert_outcomes(passed=1)
    run(pytester, "--qhal-oracle", "far").assert_outcomes(skipped=1)


def test_a_missing_recording_is_a_visible_skip(pytester, plugins):
    marked = OVER_ORACLES.replace("    def", '    @pytest.mark.qhal_recording("a.jsonl")\n    def')
    pytester.makepyfile("    import pytest\n" + marked)
    result = run(pytester, "--strict-markers", "--qhal-oracle", "far")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines("far: there is no recording a.jsonl: --qhal-live makes it")


def test_hardware_is_recorded_once_and_replayed_ever_after(pytester, plugins):
    pytest.importorskip("qhal.composites.recording")
    pytester.makepyfile(
        """
        import pytest
        import qhal

        @pytest.mark.qhal_recording("answers-{oracle}.jsonl")
        def test_it(oracle):
            samples = oracle.sample(qhal.Qubo([[-1, 2], [0, -1]]), num_reads=3, seed=0)
            assert samples.energies.tolist() == [0, 0, 0]
        """
    )
    run(pytester, "--qhal-oracle", "far").assert_outcomes(skipped=1)
    run(pytester, "--qhal-oracle", "far", "--qhal-live").assert_outcomes(passed=1)
    assert (pytester.path / "answers-far.jsonl").exists()
    pytester.makepyfile(fake_far=FAR_AWAY.replace("return np.ones", "raise OSError; np.ones"))
    run(pytester, "--qhal-oracle", "far").assert_outcomes(passed=1)


# --- projects that do not use it ------------------------------------------------------------------


def test_other_projects_fixtures_of_the_same_name_stay_theirs(pytester):
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(params=["delphi", "siwa"])
        def oracle(request):
            return request.param
        """
    )
    pytester.makepyfile(
        """
        import pytest

        def test_fixture(oracle):
            assert oracle in ("delphi", "siwa")

        @pytest.mark.parametrize("oracle", [1, 2, 3])
        def test_parametrized(oracle):
            assert oracle in (1, 2, 3)
        """
    )
    run(pytester).assert_outcomes(passed=5)


def test_it_can_be_left_out(pytester):
    pytester.makepyfile(OVER_ORACLES)
    result = run(pytester, "-p", "no:qhal")
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines("*fixture 'oracle' not found*")
    assert run(pytester, "-p", "no:qhal", "--qhal-oracle", "random").ret != 0


def test_it_costs_other_projects_nothing(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            assert "qhal.testing.plugin" in sys.modules
            for name in ("numpy", "dimod", "qhal.oracle", "qhal.registry", "qhal.testing.checks"):
                assert name not in sys.modules
        """
    )
    arguments = ["-p", "no:hypothesispytest", "-p", "no:cacheprovider"]
    result = pytester.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*oracle*")


# --- assertions -----------------------------------------------------------------------------------


def small() -> qhal.Qcbo:
    return qhal.Qcbo.from_arrays([[-3, 2], [0, -2]], A_le=[[1, 1]], b_le=[1])


def test_installed_oracles_agree_on_a_small_problem():
    comparison = assert_oracles_agree(small())
    assert comparison.agree
    assert "random" not in [row["oracle"] for row in comparison.results]
    assert assert_oracles_agree(small(), ["exhaustive", "random"], num_reads=20).agree


def open_problem() -> qhal.Qubo:
    """A problem that presolve leaves to the oracle: one or two of seven bits are best, at -1."""
    return qhal.Qubo(np.triu(np.ones((7, 7)), 1) - np.eye(7))


class Stuck(qhal.Oracle):
    """Always answers ones."""

    info = qhal.OracleInfo(name="stuck", summary="", factory="")

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return [[1] * qubo.num_variables]


class Broken(qhal.Oracle):
    """Never answers."""

    info = qhal.OracleInfo(name="broken", summary="", factory="")

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        raise OSError("no cable")


def test_disagreement_is_told():
    problem = open_problem()
    with pytest.raises(AssertionError, match="do not agree:\n- stuck is 15 above the best"):
        assert_oracles_agree(problem, ["exhaustive", Stuck()], polish=False)
    with pytest.raises(AssertionError, match="- broken failed: .*no cable"):
        assert_oracles_agree(problem, ["exhaustive", Broken()])
    impossible = qhal.Qcbo.from_arrays(linear=[1.0], A_ge=[[1]], b_ge=[2])
    with pytest.raises(AssertionError, match="do not agree"):
        assert_oracles_agree(impossible, ["exhaustive", "random"])
    with pytest.raises(InputError, match="it takes two oracles to agree"):
        assert_oracles_agree(problem, ["exhaustive"])


def test_feasibility_is_found_out_anew():
    from dataclasses import replace

    problem = small()
    solution = qhal.solve(problem, oracle="exhaustive", seed=0)
    assert_feasible(solution)
    assert_feasible(solution, problem)
    lie = replace(solution, assignment={"x0": 1, "x1": 1})
    with pytest.raises(AssertionError, match="violated by 1"):
        assert_feasible(lie, problem)
    with pytest.raises(AssertionError, match="has the objective -3, not -4"):
        assert_feasible(replace(solution, objective=-4.0), problem)
    with pytest.raises(AssertionError, match="of another problem: no value for"):
        assert_feasible(replace(solution, assignment={"y": 1}), problem)
    row = qhal.Qcbo.from_arrays(open_problem().matrix, A_eq=[np.arange(3, 10)], b_eq=[17])
    stuck = qhal.solve(row, oracle=Stuck(), iterations=1, seed=0, polish=False)
    with pytest.raises(AssertionError, match="not feasible: no feasible solution found"):
        assert_feasible(stuck)
