"""Quantum conditional gradient descent: constrained binary problems through an Ising oracle."""

from qhal.qcgd.loop import RunState, run

__all__ = ["RunState", "run"]
