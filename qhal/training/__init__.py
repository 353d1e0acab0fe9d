"""Training on whole data sets: many small QUBOs, whose size does not depend on the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qhal.training.estimators import SequentialNetworkClassifier as SequentialNetworkClassifier

__all__ = ["SequentialNetworkClassifier"]


def __getattr__(name: str) -> Any:
    # Imported when first used, as it needs scikit-learn.
    if name not in __all__:
        raise AttributeError(f"module 'qhal.training' has no attribute {name!r}")
    from qhal.training import estimators

    return getattr(estimators, name)
