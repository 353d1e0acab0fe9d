"""Problem objects: `Qubo`, `Ising` and `Qcbo`, their conversions, energies and encodings."""

from qhal.problems.constraints import Constraints
from qhal.problems.ising import Ising
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo

__all__ = ["Constraints", "Ising", "Qcbo", "Qubo"]
