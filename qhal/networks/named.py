"""Activations and losses from what users give: names of plugins, or the objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from qhal.errors import InputError
from qhal.functions import Activation, Loss
from qhal.registry import load


def as_function(kind: Literal["activation", "loss"], value: Any) -> Any:
    """The `Activation` or `Loss` that `value` names or is; `InputError` for anything else."""
    expected = Activation if kind == "activation" else Loss
    if isinstance(value, expected):
        return value
    if isinstance(value, str):
        return load(kind, value)
    name = expected.__name__
    if callable(value):
        raise InputError(
            f"{kind} is a plain function: wrap it as qhal.{name}.from_callable(function, "
            "lipschitz=..., curvature=...), which says what its splines can rely on."
        )
    raise InputError(f"{kind} must be a name or a qhal.{name}, not {value!r}.")


def as_activations(value: Any) -> Activation | list[Activation]:
    """One activation, or one for each hidden layer, as objects."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_function("activation", each) for each in value]
    activation: Activation = as_function("activation", value)
    return activation
