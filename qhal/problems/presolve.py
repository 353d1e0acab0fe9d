"""Tighter statements of problems: the same variables and optimum, narrower bounds, fewer rows.

Nothing is renamed or removed: a variable whose bounds meet needs no bits (`IntegerCode`), so that
values, names and completion stay those of the user's problem. The reductions are the usual ones of
mixed-integer programming (Savelsbergh, ORSA J. Comput. 6, 1994; Achterberg et al., INFORMS J.
Comput. 32, 2020), on rows of whole numbers without any rounding. Each is kept as a `Step`, from
which `qhal.qcgd.verifier` checks it again.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from qhal.problems.qcbo import Qcbo
from qhal.problems.reductions import Infeasible, Reductions, Step

MAX_ROUNDS = 200


@dataclass(frozen=True, eq=False)
class Presolved:
    """`problem` has the optimum of `source`, over the same variables.

    Every feasible assignment of it is one of `source`. `steps` lead from one to the other.
    `contradiction` is the label of a row that nothing can meet (then `problem` is `source`), and
    `reason` a sentence on it; `conflict` are the numbers of one or two rows that say so.
    """

    source: Qcbo
    problem: Qcbo
    steps: tuple[Step, ...] = ()
    contradiction: Hashable = None
    reason: str | None = None
    conflict: tuple[int, ...] = ()

    @property
    def summary(self) -> dict[str, int]:
        """How many variables were fixed, rows tightened and dropped; without zeros."""
        kinds = [step[0] for step in self.steps]
        before, after = ((p.lower == p.upper).sum() for p in (self.source, self.problem))
        counts = {
            "fixed_variables": int(after - before),
            "dominated_variables": kinds.count("dominated"),
            "tightened_rows": len({step[1] for step in self.steps if step[0] == "clipped"}),
            "dropped_rows": self.source.num_constraints - self.problem.num_constraints,
        }
        return {name: count for name, count in counts.items() if count}


def presolve(problem: Qcbo) -> Presolved:
    """Reduce `problem` until nothing changes, or 200 times at most.

    A problem with a completion keeps all its feasible assignments, as its user may want to choose
    among them; of others at least one optimum is kept.
    """
    work = Reductions(problem)
    try:
        for _ in range(MAX_ROUNDS):
            before = len(work.steps)
            work.scale()
            work.propagate()
            work.drop_redundant()
            work.clip()
            work.compare()
            if problem.completion is None:
                work.fix_dominated()
            if len(work.steps) == before:
                break
    except Infeasible as error:
        label = problem.constraints.labels[error.rows[0]]
        reason = f"constraint {str(label)!r} cannot be met: {error}"
        return Presolved(problem, problem, tuple(work.steps), label, reason, error.rows)
    if not work.steps:
        return Presolved(problem, problem)
    return Presolved(problem, work.reduced(), tuple(work.steps))
