"""Files as the libraries have them, with the values that these publish."""

from pathlib import Path

import numpy as np

import qhal
from qhal.files import read_problem

DATA = Path(__file__).parent / "data"


def test_nug12_of_qaplib():
    """Nugent, Vollmann and Ruml (Oper. Res. 16, 1968): optimum 578, at this permutation."""
    problem = read_problem(DATA / "nug12.dat")
    permutation = np.array([12, 7, 9, 3, 4, 8, 11, 1, 5, 6, 10, 2])
    values = np.zeros((12, 12), dtype=np.int64)
    values[np.arange(12), permutation - 1] = 1
    assert problem.feasible(values.ravel())[0]
    assert problem.objectives(values.ravel())[0] == 578
    solution = qhal.solve(problem, oracle="sa", seed=0, iterations=5, num_reads=20)
    assert solution.objective >= 578


def test_a_graph_as_gset_has_them(tmp_path):
    """A torus with weights +1 and -1 as rudy writes it for Gset, without a suffix: on a ring of
    four with one negative edge, the largest cut is 2."""
    path = tmp_path / "G81"
    path.write_text("4 4\n1 2 1\n2 3 1\n3 4 1\n1 4 -1\n")
    problem = read_problem(path)
    assert qhal.solve(problem, oracle="exhaustive", seed=0).objective == -2
