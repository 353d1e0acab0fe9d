"""Simulated annealing for qhal, as anyone outside would add it."""

import numpy as np

import qhal


class Metropolis(qhal.Oracle):
    """Flips one bit at a time, at falling temperatures."""

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        rng, n = np.random.default_rng(seed), qubo.num_variables
        q = qubo.matrix.toarray() if qubo.is_sparse else qubo.matrix
        x, hot = rng.integers(0, 2, (num_reads, n)), np.abs(q).sum() or 1.0
        for k, heat in enumerate(np.geomspace(hot, 1e-3 * hot / n, 200 * n)):
            i, allowed = k % n, rng.exponential(heat, num_reads)
            x[:, i] ^= (1 - 2 * x[:, i]) * (x @ (q[:, i] + q[i])) + q[i, i] < allowed
        return x


@qhal.hookimpl
def qhal_oracle():
    """Describe the oracle."""
    factory = f"{__name__}:Metropolis"
    return qhal.OracleInfo(name="metropolis", summary=__doc__, factory=factory, seeded=True)
