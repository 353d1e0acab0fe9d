"""Quantised networks as constrained binary problems: splines, FIP encoding, training."""

from qhal.networks.architecture import make_spec
from qhal.networks.encoded import EncodedNetwork
from qhal.networks.fip import encode_network
from qhal.networks.network import Network
from qhal.networks.spec import NetworkSpec, SplineSpec

__all__ = ["EncodedNetwork", "Network", "NetworkSpec", "SplineSpec", "encode_network", "make_spec"]
