"""Parts of a problem that neither rows nor objective connect: each may come from another sample."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from qhal.problems.arrays import FloatArray, States
from qhal.problems.program import BinaryProgram


class Parts:
    """The connected parts of `program`, `count` of them.

    With k parts, the best of r samples of each is the best of r^k combinations, which is what
    solving the parts apart would give; the multipliers of their rows are separate anyway.
    """

    def __init__(self, program: BinaryProgram) -> None:
        self._program = program
        forms = program.forms
        used = sp.csr_array(abs(forms.products))
        ends = np.arange(len(forms.pairs))
        pairs = [
            sp.csr_array((np.ones(len(ends)), (ends, column)), shape=(len(ends), program.num_bits))
            for column in forms.pairs.T
        ]
        touched = abs(forms.linear) + used @ (pairs[0] + pairs[1])
        padding = program.num_bits - program.num_primary
        code = sp.hstack(
            [program.code.weights, sp.csr_array((program.code.weights.shape[0], padding))]
        )
        links = sp.vstack([abs(program.rows), touched, abs(code)], format="csr")
        objective = abs(sp.csr_array(program.objective.matrix))
        graph = sp.block_array([[objective, links.T], [links, None]], format="csr")
        _, labels = connected_components(graph, directed=False)
        n, m = program.num_bits, len(program.rhs)
        present, self._of_bits = np.unique(labels[:n], return_inverse=True)
        self.count = len(present)
        places = np.searchsorted(present, labels[n : n + m + len(forms)])
        self._rows, self._forms = _sums(places[:m], self.count), _sums(places[m:], self.count)
        self._bits = _sums(self._of_bits, self.count)

    def combined(self, bits: States) -> States:
        """Each part from the best of completed `bits` (k, N), shape (1, N).

        The lowest objective among those that meet the part's rows, else the least violation.
        """
        program = self._program
        rows, forms = np.abs(program.row_residuals(bits)), program.form_residuals(bits)
        rows[rows <= program.row_misses], forms[forms <= program.form_misses] = 0.0, 0.0
        violation = rows @ self._rows + forms @ self._forms
        matrix = sp.csr_array(program.objective.matrix)
        values = bits.astype(np.float64)
        objective: FloatArray = (values * (matrix.T @ values.T).T) @ self._bits
        chosen = np.where(violation > 0, np.inf, objective).argmin(axis=0)
        unmet = (violation > 0).all(axis=0)
        chosen[unmet] = violation[:, unmet].argmin(axis=0)
        return np.asarray(bits[chosen[self._of_bits], np.arange(bits.shape[1])])[np.newaxis, :]


def _sums(places: np.ndarray, count: int) -> sp.csr_array:
    """The (len(places), count) matrix that adds up what stands in each place."""
    size = len(places)
    return sp.csr_array((np.ones(size), (np.arange(size), places)), shape=(size, count))
