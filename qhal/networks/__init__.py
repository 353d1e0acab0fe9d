"""Quantised networks as constrained binary problems: splines, FIP encoding, training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qhal.networks.architecture import make_spec
from qhal.networks.encoded import EncodedNetwork
from qhal.networks.fip import encode_network
from qhal.networks.network import Network
from qhal.networks.spec import NetworkSpec, SplineSpec

if TYPE_CHECKING:
    from qhal.networks.estimators import QuantizedNetworkClassifier as QuantizedNetworkClassifier
    from qhal.networks.estimators import QuantizedNetworkRegressor as QuantizedNetworkRegressor

# Imported when first used, as they need scikit-learn.
_ESTIMATORS = ("QuantizedNetworkClassifier", "QuantizedNetworkRegressor")

__all__ = [
    "EncodedNetwork",
    "Network",
    "NetworkSpec",
    "QuantizedNetworkClassifier",
    "QuantizedNetworkRegressor",
    "SplineSpec",
    "encode_network",
    "make_spec",
]


def __getattr__(name: str) -> Any:
    if name not in _ESTIMATORS:
        raise AttributeError(f"module 'qhal.networks' has no attribute {name!r}")
    from qhal.networks import estimators

    return getattr(estimators, name)
