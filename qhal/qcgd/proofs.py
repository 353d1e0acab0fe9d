"""What a run has proved so far: a lower bound, or that nothing is feasible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.problems.arrays import FloatArray
from qhal.problems.presolve import Presolved
from qhal.problems.qubo import Qubo
from qhal.qcgd.certificate import exceeds, meets, proved_bound, proves_infeasible
from qhal.qcgd.evidence import Certificate, Proof, by_contradiction, by_multipliers, claim
from qhal.qcgd.harvest import Incumbent
from qhal.qcgd.lifting import Lifting
from qhal.qcgd.verifier import verify
from qhal.samples import Samples


class Proofs:
    """The best bound on `presolved`, and the statement of the oracle named `oracle` behind it.

    `contradiction` is the label of a row that nothing can meet, found by presolve or the encoding
    and thus without any oracle, and `reason` a sentence on it.
    """

    def __init__(self, presolved: Presolved, lifting: Lifting, oracle: str) -> None:
        self._presolved, self._lifting, self._oracle = presolved, lifting, oracle
        self._proof: Proof | None = None
        self.lower_bound: float | None = None
        row, self.reason = presolved.contradiction, presolved.reason
        if row is None and lifting.program.contradiction is not None:
            row = lifting.program.contradiction
            self.reason = f"constraint {str(row)!r} cannot be met by any assignment."
        self.contradiction = row
        self.infeasible = row is not None

    def take(self, qubo: Qubo, multipliers: FloatArray, samples: Samples) -> None:
        """Keep the bound that `samples` of `qubo` prove, if it is the best."""
        bound, stated = proved_bound(self._lifting, qubo, multipliers, samples), samples.lower_bound
        if bound is None or stated is None:
            return
        if self.lower_bound is None or bound > self.lower_bound:
            self.lower_bound = bound
            self._proof = Proof(multipliers.copy(), stated, with_objective=True)

    def complete(self, objective: float | None) -> bool:
        """Whether nothing is left to prove, if `objective` is the best value found."""
        return self.infeasible or meets(self._presolved.source, objective, self.lower_bound)

    def try_infeasible(self, ask: Callable[[Qubo], Samples]) -> tuple[Samples, Qubo]:
        """Ask an exact oracle whether nothing is feasible; what it answered, and to which QUBO."""
        self.infeasible, samples, qubo, proof = proves_infeasible(self._lifting, ask)
        self._proof = proof if self.infeasible else self._proof
        return samples, qubo

    def confirmed(self, best: Incumbent) -> Certificate | None:
        """The certificate of what is proved, once the independent verifier confirms it.

        None if nothing is; raises `Refused` if the verifier does not confirm it.
        """
        if not self.complete(best.objective):
            return None
        if self.contradiction is not None:
            evidence = by_contradiction(self._presolved, self.contradiction)
        elif self._proof is not None:
            evidence = by_multipliers(self._presolved, self._lifting, self._proof, self._oracle)
        else:
            return None
        what = "infeasible" if self.infeasible else "optimal"
        bound = None if self.infeasible else self.lower_bound
        problem = self._presolved.source
        certificate = claim(evidence, problem, what, best.values, best.objective, bound)
        verify(problem, certificate)
        return certificate

    def state(self) -> tuple[dict[str, Any], dict[str, FloatArray]]:
        """Everything kept, as JSON facts and arrays; `restore` takes both back."""
        proof = self._proof
        facts = {
            "lower_bound": self.lower_bound,
            "infeasible": self.infeasible,
            "proof": None if proof is None else [proof.stated, proof.with_objective],
        }
        return facts, {} if proof is None else {"proof": proof.multipliers}

    def restore(
        self,
        facts: Mapping[str, Any],
        arrays: Mapping[str, npt.NDArray[Any]],
        objective: float | None,
    ) -> None:
        """Go on from what `state` returned; raises `ValueError` if it contradicts `objective`."""
        bound = facts["lower_bound"]
        self.lower_bound = None if bound is None else float(bound)
        self.infeasible = self.contradiction is not None or bool(facts["infeasible"])
        if facts["proof"] is not None:
            stated, with_objective = facts["proof"]
            multipliers = arrays["proof"].astype(np.float64)
            if multipliers.shape != (self._lifting.num_multipliers,):
                raise ValueError("its proof does not fit")
            self._proof = Proof(multipliers, float(stated), bool(with_objective))
        if objective is not None and (self.infeasible or exceeds(self.lower_bound, objective)):
            raise ValueError("its proofs contradict its solution")
