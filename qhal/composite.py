"""The contract of composites: an oracle made of oracles."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from qhal.chain import render
from qhal.errors import InputError, PluginError, did_you_mean
from qhal.oracle import Answer, ExactAnswer, Oracle, exactly, import_factory
from qhal.problems.arrays import States
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo
from qhal.samples import Samples


@dataclass(frozen=True, kw_only=True)
class CompositeInfo:
    """What a plugin says of its composite; the registry fills in distribution and version.

    `factory` is ``"module:Class"``, imported only when the composite is asked for. `takes` says
    what comes before its own arguments: ``"one"`` oracle, ``"several"``, or ``"none"``.
    """

    name: str
    summary: str
    factory: str
    takes: Literal["one", "several", "none"] = "one"
    distribution: str = ""
    version: str = ""

    def create(
        self, oracles: Sequence[Oracle], arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> Oracle:
        """Import the factory and make the composite around `oracles`.

        Raises `InputError` for arguments that it does not take, `PluginError` if it cannot be
        imported or makes something that is not an `Oracle`.
        """
        factory = import_factory("composite", self.name, self.factory, self.distribution)
        signature = inspect.signature(factory)
        for option in options:
            if option not in signature.parameters:
                raise InputError(
                    f"the composite {self.name!r} has no option {option!r}"
                    f"{did_you_mean(option, self._own(factory))} It takes: {self.usage(factory)}."
                )
        try:
            signature.bind(*oracles, *arguments, **options)
        except TypeError as error:
            raise InputError(f"{error}: {self.name!r} takes: {self.usage(factory)}.") from None
        made = factory(*oracles, *arguments, **options)
        if not isinstance(made, Oracle):
            raise PluginError(
                f"{self.factory!r} made a {type(made).__name__}, not a qhal.Oracle: "
                f"the plugin {self.distribution!r} must subclass qhal.Composite."
            )
        return made

    def usage(self, factory: Any) -> str:
        """Its own arguments with their defaults, as text."""
        return ", ".join(self._own(factory).values()) or "nothing"

    def _own(self, factory: Any) -> dict[str, str]:
        parameters = list(inspect.signature(factory).parameters.values())
        own = parameters if self.takes == "none" else parameters[1:]
        return {
            p.name: p.name if p.default is p.empty else f"{p.name}={render(p.default)}" for p in own
        }


class Composite(Oracle):
    """An oracle that passes its questions to another one, `child`, and does something to them.

    Authors call ``super().__init__(child, **their options)``, implement `_sample` with
    `ask` and `report`, and say in `describe` what no longer holds, or now does, of the child's
    info. Everything that a child claims passes on unless `describe` says otherwise, so a composite
    that changes problems or answers must take back `exact`. Whole problems (`solve_exactly`) do not
    pass on by themselves: what counts or keeps calls would be bypassed. One that can hand them on
    does so by `ask_exactly`.
    """

    name: ClassVar[str]
    frugal: ClassVar[bool] = False
    """Whether a call is at most one call of the child, with at most as many reads."""
    transparent: ClassVar[bool] = False
    """Whether answers are as the child's own, so that it goes by the child's name."""

    def __init__(self, child: Oracle, **settings: Any) -> None:
        self.child = as_oracle(child)
        self.settings = _given(type(self), settings)
        self.options = dict(child.options)
        self.default_num_reads = child.default_num_reads
        text = ", ".join(f"{key}={render(value)}" for key, value in self.settings.items())
        called = child.info.name
        if not self.transparent:
            called += f"|{self.name}" + (f"({text})" if text else "")
        factory = f"{type(self).__module__}:{type(self).__qualname__}"
        self.info = self.describe(replace(child.info, name=called, factory=factory))

    def ask(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Samples:
        """The child's checked answer; initial states go on if it takes them."""
        return self.child.sample(
            qubo,
            num_reads=num_reads,
            seed=seed,
            time_limit=time_limit,
            initial_states=initial_states if self.child.info.accepts_initial_states else None,
        )

    def ask_exactly(
        self, problem: Qcbo, *, time_limit: float | None, seed: int
    ) -> ExactAnswer | None:
        """The child's answer to the whole `problem`, None if it has no exact method for it."""
        return exactly(self.child, problem, time_limit=time_limit, seed=seed)

    def report(self, samples: Samples, **own: Any) -> dict[str, Any]:
        """The info of an answer that keeps what `samples` proved, with `own` under its name."""
        inner = {key: value for key, value in samples.info.items() if key not in _OUTER}
        proof: dict[str, Any] = {}
        if self.info.exact:
            proved = samples.lower_bound is not None and bool(samples.info.get("proved", True))
            proof = {"proved": proved, "lower_bound": samples.lower_bound}
        return inner | proof | ({self.name: own} if own else {})

    def _sample(
        self,
        qubo: Qubo,
        *,
        num_reads: int,
        seed: int,
        time_limit: float | None,
        initial_states: States | None,
    ) -> Answer:
        samples = self.ask(
            qubo,
            num_reads=num_reads,
            seed=seed,
            time_limit=time_limit,
            initial_states=initial_states,
        )
        return samples.states, self.report(samples)

    @property
    def children(self) -> tuple[Oracle, ...]:
        """The oracles inside, the one level next to this."""
        return (self.child,)

    def charged_seconds(self, qubo: Qubo, num_reads: int, time_limit: float | None) -> float | None:
        """See `qhal.Oracle.charged_seconds`."""
        return self.child.charged_seconds(qubo, num_reads, time_limit) if self.frugal else None

    def stop(self) -> None:
        """See `qhal.Oracle.stop`."""
        for child in self.children:
            child.stop()


_OUTER = ("oracle", "seed", "options", "proved", "lower_bound")


def as_oracle(thing: Any) -> Oracle:
    """`thing`, if it is an `Oracle`; else `InputError`."""
    if isinstance(thing, Oracle):
        return thing
    hint = f"qhal.get_oracle({thing!r})" if isinstance(thing, str) else "qhal.get_oracle(name)"
    raise InputError(f"a composite goes around an oracle such as {hint}, not {thing!r:.60}.")


def _given(cls: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `settings` that differ from the defaults of `cls`."""
    parameters = inspect.signature(cls).parameters
    return {key: value for key, value in settings.items() if value != parameters[key].default}
