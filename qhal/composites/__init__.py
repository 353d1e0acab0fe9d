"""Oracle in, oracle out: limited precision, budgets, retries, recordings, faults and more.

In code a composite goes around an oracle, ``Budget(qhal.get_oracle("cim"), calls=10)``; as text it
follows it, ``"cim|budget(calls=10)"``. The innermost comes first, the outermost last.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Budget": "qhal.composites.budget",
    "Cache": "qhal.composites.cache",
    "Decompose": "qhal.composites.decompose",
    "Noisy": "qhal.composites.noisy",
    "Portfolio": "qhal.composites.portfolio",
    "Precision": "qhal.composites.precision",
    "Presolve": "qhal.composites.presolve",
    "Record": "qhal.composites.recording",
    "Replay": "qhal.composites.recording",
    "Retry": "qhal.composites.retry",
}

if TYPE_CHECKING:
    from qhal.composites.budget import Budget as Budget
    from qhal.composites.cache import Cache as Cache
    from qhal.composites.decompose import Decompose as Decompose
    from qhal.composites.noisy import Noisy as Noisy
    from qhal.composites.portfolio import Portfolio as Portfolio
    from qhal.composites.precision import Precision as Precision
    from qhal.composites.presolve import Presolve as Presolve
    from qhal.composites.recording import Record as Record
    from qhal.composites.recording import Replay as Replay
    from qhal.composites.retry import Retry as Retry

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'qhal.composites' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
