"""Objects by their names: oracles, composites around them, whatever plugins offer."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qhal.chain import Chain, Link, is_chain, parse_chain
from qhal.composite import CompositeInfo
from qhal.discovery import KINDS as KINDS
from qhal.discovery import PluginRecord, installed, normalized
from qhal.discovery import refresh as refresh
from qhal.errors import InputError, PluginError, UnknownNameError, did_you_mean, nearest
from qhal.executors import Executor, ExecutorInfo
from qhal.oracle import Oracle, OracleInfo

# Where the names we ship come from, so that a missing one can be explained.
SHIPPED_BY: Mapping[str, Mapping[str, str]] = {
    "oracle": {
        "cim": "qhal-cim",
        "sa": "qhal-dwave",
        "tabu": "qhal-dwave",
        "steepest-descent": "qhal-dwave",
        "path-integral": "qhal-dwave",
        "dwave-qpu": "qhal-dwave",
        "leap-hybrid": "qhal-dwave",
        "cpsat": "qhal-ortools",
    },
    "composite": {},
    "activation": dict.fromkeys(
        "sign step relu leaky-relu hard-tanh tanh sigmoid softplus silu gelu identity sin".split(),
        "qhal-activations",
    ),
    "loss": dict.fromkeys(
        "squared hinge squared-hinge logistic absolute huber cross-entropy softmax".split(),
        "qhal-losses",
    ),
    "executor": {"dask": "qhal-dask"},
}


@dataclass(frozen=True)
class PluginDescription:
    """A plugin's record with its entry, or with the reason why it has none."""

    record: PluginRecord
    entry: Any = None
    error: str | None = None


def plugin_records(kind: str | None = None) -> list[PluginRecord]:
    """Every installed plugin (of one `kind`), by kind and name, without importing any.

    ``QHAL_PLUGINS=a,b`` keeps only entries whose name or distribution is listed. A listed name that
    nothing answers to is a warning, and with ``QHAL_STRICT=1`` a `PluginError`.
    """
    listed = os.environ.get("QHAL_PLUGINS")
    records = list(installed())
    if listed is not None:
        allowed = {normalized(item) for item in listed.split(",") if item.strip()}
        _check_listed(allowed, records)
        records = [record for record in records if allowed & _called(record)]
    return [record for record in records if kind in (None, record.kind)]


def describe_plugins(kind: str | None = None) -> list[PluginDescription]:
    """Every installed plugin with its entry; a broken one carries its error and disturbs no other.

    With ``QHAL_STRICT=1`` the first broken plugin raises `PluginError` instead.
    """
    descriptions = []
    for record in plugin_records(kind):
        try:
            entry = _find(record.kind, record.name).load()
            descriptions.append(PluginDescription(record, entry))
        except PluginError as error:
            if _strict():
                raise
            descriptions.append(PluginDescription(record, error=str(error)))
    return descriptions


def list_oracles() -> list[str]:
    """The names of all installed oracles, sorted; imports none of them."""
    return sorted({record.name for record in plugin_records("oracle")})


def load(kind: str, name: str) -> Any:
    """The entry called `name`: `OracleInfo`, `CompositeInfo`, `Activation`, `Loss`, `ExecutorInfo`.

    Raises `UnknownNameError` with the nearest name and the package to install, or `PluginError`
    if two distributions claim the name or its plugin is broken.
    """
    if _strict():
        describe_plugins()
    return _find(kind, name).load()


def get_oracle(name: str | Oracle, **options: Any) -> Oracle:
    """The oracle called `name`, made with `options` (an `Oracle` object is returned as it is).

    `name` may go on with composites, ``"cim|precision(bits=8)|record(run.jsonl)"``; `options` are
    those of the oracle at its start. `qhal.chain` has the grammar.
    """
    return make_oracle(name, options)


def make_oracle(name: str | Oracle, options: Mapping[str, Any] | None = None) -> Oracle:
    """`get_oracle` with the options as a mapping, which is checked as well."""
    if options is None:
        options = {}
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise InputError(
            f"an oracle's options are a dict such as {{'num_steps': 100}}, not {options!r}."
        )
    if isinstance(name, Oracle):
        if options:
            raise InputError("options go with an oracle's name, not with an Oracle object.")
        return name
    if not isinstance(name, str):
        raise InputError(_not_an_oracle(name))
    if is_chain(name):
        return _build(parse_chain(name), options)
    return _make_first(Link(name), options)


def get_executor(name: str | Executor, **options: Any) -> Executor:
    """The executor called `name`, made with `options` (an `Executor` is returned as it is)."""
    if isinstance(name, Executor):
        if options:
            raise InputError("options go with an executor's name, not with an Executor object.")
        return name
    if not isinstance(name, str):
        raise InputError(
            f"an executor is a name (see: qhal plugins) or a qhal.Executor, not {name!r:.60}."
        )
    info: ExecutorInfo = load("executor", name)
    return info.create(options)


def exact_oracle(name: str | Oracle, options: Mapping[str, Any] | None = None) -> Oracle:
    """`make_oracle` for an oracle that has to prove something; `InputError` if it never does."""
    oracle = make_oracle(name, options)
    if not oracle.info.exact:
        raise InputError(
            f"oracle {oracle.info.name!r} is not exact, so it proves nothing: certify with 'cpsat'."
        )
    return oracle


def _build(chain: Chain, options: Mapping[str, Any]) -> Oracle:
    """The oracle that `chain` describes; `options` go to what it starts with."""
    first, *others = chain.links
    oracle = _make_first(first, options)
    for link in others:
        if not _is_name("composite", link.name) and _is_name("oracle", link.name):
            raise InputError(
                f"{link.name!r} is an oracle, which only the start of a chain can be: to have the "
                f"best of several, write portfolio({first.name}, {link.name})."
            )
        info: CompositeInfo = load("composite", link.name)
        if info.takes == "none":
            raise InputError(f"{link.name!r} stands for an oracle, so it comes first in a chain.")
        oracle = _make_composite(info, link, [oracle])
    return oracle


def _make_first(link: Link, options: Mapping[str, Any]) -> Oracle:
    """What a chain starts with: an oracle, or a composite that needs none before it."""
    if not _is_name("oracle", link.name) and _is_name("composite", link.name):
        if options:
            raise InputError(
                f"options of what is inside {link.name!r} are written there: "
                f"{link.name}(cim(num_steps=200), ...)."
            )
        info: CompositeInfo = load("composite", link.name)
        if info.takes == "one":
            raise InputError(
                f"{link.name!r} is a composite and goes around an oracle: write 'cim|{link.name}'."
            )
        return _make_composite(info, link, [])
    oracle: OracleInfo = load("oracle", link.name)
    if link.arguments:
        raise InputError(
            f"an oracle's options have names, as in cim(num_steps=200): {link.arguments[0]!r:.60} "
            f"in {link.name}(...) has none."
        )
    for option in link.options:
        if option in options:
            raise InputError(f"the option {option!r} of {link.name!r} is given twice.")
    return oracle.create({**link.options, **options})


def _make_composite(info: CompositeInfo, link: Link, before: list[Oracle]) -> Oracle:
    arguments: list[Any] = list(link.arguments)
    if info.takes == "several":
        before = before + [
            _build(each, {}) if isinstance(each, Chain) else make_oracle(each) for each in arguments
        ]
        arguments = []
    for each in arguments:
        if isinstance(each, Chain):
            raise InputError(f"the composite {link.name!r} takes no other oracles.")
    return info.create(before, arguments, link.options)


def _is_name(kind: str, name: str) -> bool:
    return any(record.name == name for record in plugin_records(kind))


def _find(kind: str, name: str) -> PluginRecord:
    found = [record for record in plugin_records(kind) if record.name == name]
    if not found:
        raise UnknownNameError(_unknown(kind, name))
    if len(found) > 1:
        claims = " and ".join(f"{record.distribution} {record.version}" for record in found)
        raise PluginError(
            f"the {kind} name {name!r} is claimed by {claims}: uninstall one of them, or leave "
            "one out of QHAL_PLUGINS=distribution,..."
        )
    return found[0]


def _unknown(kind: str, name: str) -> str:
    if any((record.kind, record.name) == (kind, name) for record in installed()):
        return f"the {kind} {name!r} is hidden by QHAL_PLUGINS={os.environ['QHAL_PLUGINS']}."
    present = {record.name for record in plugin_records(kind)}
    shipped = SHIPPED_BY[kind]
    near = name if name in shipped else nearest(name, present | set(shipped))
    end = "." if near in (None, name) else f"; did you mean {near!r}?"
    if near is not None and near in shipped and near not in present:
        end += f" It comes with: pip install {shipped[near]}"
    elif near is None:
        end += f" Installed: {', '.join(sorted(present)) or 'none'}."
    return f"no {kind} {name!r}{end}"


def _not_an_oracle(thing: Any) -> str:
    if isinstance(thing, type):
        called = thing.__name__
        return f"an oracle is a name or an object, and {called} is a class: give {called}(...)."
    text = f"an oracle is a name (see qhal.list_oracles) or a qhal.Oracle, not {thing!r:.60}"
    hint = "; make a dimod sampler one with qhal.from_dimod" if hasattr(thing, "sample") else ""
    return f"{text}{hint}."


def _called(record: PluginRecord) -> set[str]:
    return {normalized(record.name), normalized(record.distribution)}


def _check_listed(allowed: set[str], records: list[PluginRecord]) -> None:
    known: set[str] = set().union(*map(_called, records))
    for name in sorted(allowed - known):
        text = f"QHAL_PLUGINS lists {name!r}, which no plugin is called{did_you_mean(name, known)}"
        if _strict():
            raise PluginError(text)
        warnings.warn(text, RuntimeWarning, stacklevel=2)


def _strict() -> bool:
    return os.environ.get("QHAL_STRICT", "") not in ("", "0")
