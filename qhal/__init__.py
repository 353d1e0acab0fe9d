"""qhal: write a constrained binary problem once, solve it with any Ising machine by name."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# A library is silent unless the application wants to hear: logging.getLogger("qhal").
logging.getLogger("qhal").addHandler(logging.NullHandler())

# Public names and the modules they live in, imported when first used: `import qhal` stays light.
_PUBLIC = {
    "Activation": "qhal.functions",
    "Composite": "qhal.composite",
    "CompositeInfo": "qhal.composite",
    "Executor": "qhal.executors",
    "ExecutorInfo": "qhal.executors",
    "InputError": "qhal.errors",
    "Ising": "qhal.problems",
    "Loss": "qhal.functions",
    "Oracle": "qhal.oracle",
    "OracleInfo": "qhal.oracle",
    "Qcbo": "qhal.problems",
    "QcgdSampler": "qhal.cqm_sampler",
    "QhalError": "qhal.errors",
    "Qubo": "qhal.problems",
    "Samples": "qhal.samples",
    "Solution": "qhal.samples",
    "Status": "qhal.samples",
    "compare": "qhal.comparison",
    "from_dimod": "qhal.ocean",
    "get_executor": "qhal.registry",
    "get_oracle": "qhal.registry",
    "hookimpl": "qhal.hookspecs",
    "list_oracles": "qhal.registry",
    "solve": "qhal.api",
    "train": "qhal.api",
}

if TYPE_CHECKING:
    from qhal.api import solve as solve
    from qhal.api import train as train
    from qhal.comparison import compare as compare
    from qhal.composite import Composite as Composite
    from qhal.composite import CompositeInfo as CompositeInfo
    from qhal.cqm_sampler import QcgdSampler as QcgdSampler
    from qhal.errors import InputError as InputError
    from qhal.errors import QhalError as QhalError
    from qhal.executors import Executor as Executor
    from qhal.executors import ExecutorInfo as ExecutorInfo
    from qhal.functions import Activation as Activation
    from qhal.functions import Loss as Loss
    from qhal.hookspecs import hookimpl as hookimpl
    from qhal.ocean import from_dimod as from_dimod
    from qhal.oracle import Oracle as Oracle
    from qhal.oracle import OracleInfo as OracleInfo
    from qhal.problems import Ising as Ising
    from qhal.problems import Qcbo as Qcbo
    from qhal.problems import Qubo as Qubo
    from qhal.registry import get_executor as get_executor
    from qhal.registry import get_oracle as get_oracle
    from qhal.registry import list_oracles as list_oracles
    from qhal.samples import Samples as Samples
    from qhal.samples import Solution as Solution
    from qhal.samples import Status as Status

__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'qhal' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
