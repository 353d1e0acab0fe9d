"""Pictures of runs."""

import numpy as np
import pytest

import qhal
from qhal.qcgd.plot import FEW_POINTS, draw_history, new_figure


def drawn(solution):
    axes = new_figure((3, 2)).subplots()
    draw_history(axes, solution.history)
    return axes.get_lines()


def test_one_call_is_a_visible_point_and_many_are_a_line():
    bits = qhal.solve(qhal.Qubo([[-1.0]]), oracle="exhaustive")
    assert len(bits.history) == 1
    assert {line.get_marker() for line in drawn(bits)} == {"o"}
    rows = qhal.Qcbo.from_arrays(np.eye(3), A_ge=[[1, 1, 1]], b_ge=[1])
    many = qhal.solve(rows, oracle="random", iterations=FEW_POINTS + 1, seed=0)
    assert {line.get_marker() for line in drawn(many)} == {""}


def test_calls_are_counted_in_whole_numbers():
    axes = new_figure((8, 3)).subplots()
    states = [{"oracle_calls": k, "incumbent": 0.0} for k in (1, 2, 3)]
    rest = dict.fromkeys(["raw_incumbent", "lower_bound", "lowest_energy"])
    draw_history(axes, [state | rest for state in states])
    assert all(tick == round(tick) for tick in axes.get_xticks())


@pytest.mark.parametrize("suffix", ["png", "svg", "PDF"])
def test_a_plot_that_fails_keeps_the_old_one(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"run.{suffix}"
    solution = qhal.solve(qhal.Qubo([[-1.0]]), oracle="exhaustive")
    solution.plot(str(path))
    content = path.read_bytes()
    assert content[1:4] == {"png": b"PNG", "svg": b"?xm", "PDF": b"PDF"}[suffix]

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(qhal.InputError, match="No space left"):
        solution.plot(str(path))
    assert path.read_bytes() == content


def test_the_picture_shows_residuals_shares_and_range(tmp_path, monkeypatch):
    import qhal.qcgd.plot as module

    kept = []
    monkeypatch.setattr(module, "save_figure", lambda figure, path: kept.append(figure))
    rows = qhal.Qcbo.from_arrays(np.eye(3), A_ge=[[1, 1, 1]], b_ge=[1])
    solution = qhal.solve(rows, oracle="random", iterations=5, seed=0)
    solution.plot(str(tmp_path / "run.png"))
    _, *panels = kept[0].axes
    assert [axes.get_ylabel() for axes in panels] == [label for _, label, _ in module.PANELS]
    for axes, (key, _, _) in zip(panels, module.PANELS, strict=True):
        (line,) = axes.get_lines()
        assert list(line.get_ydata()) == [state[key] for state in solution.history]
