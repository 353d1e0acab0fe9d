"""Oracle in, oracle out: limited precision, budgets, retries, recordings, faults and more.

In code a composite goes around an oracle, ``Budget(qhal.get_oracle("cim"), calls=10)``; as text it
follows it, ``"cim|budget(calls=10)"``. The innermost comes first, the outermost last.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Noisy": "qhal.composites.noisy",
}

if TYPE_CHECKING:
    from qhal.composites.noisy import Noisy as Noisy

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'qhal.composites' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
