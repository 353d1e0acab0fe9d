"""Which plugins are installed, by their entry points; a target is imported only to load it."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata
from typing import Any

import pluggy

from qhal import hookspecs
from qhal.composite import CompositeInfo
from qhal.errors import PluginError
from qhal.executors import ExecutorInfo
from qhal.functions import Activation, Loss
from qhal.oracle import OracleInfo

# The loggers are named by rooms: this is half of the registry.
_LOG = logging.getLogger("qhal.registry")

KINDS: Mapping[str, tuple[str, type]] = {
    "oracle": ("qhal.oracles", OracleInfo),
    "composite": ("qhal.composites", CompositeInfo),
    "activation": ("qhal.activations", Activation),
    "loss": ("qhal.losses", Loss),
    "executor": ("qhal.executors", ExecutorInfo),
}


@dataclass(frozen=True)
class PluginRecord:
    """One installed plugin as far as its entry point tells; nothing of it is imported."""

    kind: str
    name: str
    distribution: str
    version: str
    entry_point: metadata.EntryPoint

    def load(self) -> Any:
        """Import the target, call its hook and return the checked entry.

        Raises `PluginError`, naming the distribution and the reason, for a target that does not
        import, has a wrong hook name or none, or answers with the wrong type.
        """
        group, expected = KINDS[self.kind]
        hook = hookspecs.HOOKS[group]
        _LOG.debug("loading %s %s of %s %s", self.kind, self.name, self.distribution, self.version)
        try:
            entry = _call_hook(self.entry_point, hook)
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).split())
            raise self._broken(f"{type(error).__name__}: {reason}") from error
        if entry is None:
            raise self._broken(f"its target has no function {hook}() marked with @qhal.hookimpl")
        if not isinstance(entry, expected):
            answer, wanted = type(entry).__name__, expected.__name__
            raise self._broken(f"{hook}() returned a {answer}, not a qhal.{wanted}")
        if isinstance(entry, (OracleInfo, CompositeInfo, ExecutorInfo)):
            entry = replace(entry, distribution=self.distribution, version=self.version)
        return replace(entry, name=self.name)

    def _broken(self, reason: str) -> PluginError:
        return PluginError(
            f"{self.kind} {self.name!r} of {self.distribution} {self.version} is broken: {reason}. "
            f"Update or remove it: pip install -U {self.distribution}, "
            f"or pip uninstall {self.distribution}"
        )


@lru_cache(maxsize=1)
def installed() -> tuple[PluginRecord, ...]:
    """One record for each kind, name and distribution, in this order."""
    kinds = {group: kind for kind, (group, _) in KINDS.items()}
    records: dict[tuple[str, str, str], PluginRecord] = {}
    for distribution in metadata.distributions():
        about = _about(distribution)
        title = about.get("Name", "an unnamed distribution")
        version = about.get("Version", "of unknown version")
        for entry_point in _entry_points(distribution, title):
            kind = kinds.get(entry_point.group)
            if kind is not None:
                # A distribution seen twice on sys.path (editable and installed) counts once: the
                # first, which is the one that is imported.
                key = kind, entry_point.name, normalized(title)
                record = PluginRecord(kind, entry_point.name, title, version, entry_point)
                records.setdefault(key, record)
    order = list(KINDS)
    return tuple(records[key] for key in sorted(records, key=lambda k: (order.index(k[0]), *k)))


def _about(distribution: metadata.Distribution) -> Any:
    """The distribution's metadata, a mapping; empty if it has none."""
    try:
        return distribution.metadata
    except FileNotFoundError:  # the backport of importlib.metadata, once imported, raises that
        return {}


def _entry_points(distribution: metadata.Distribution, title: str) -> Iterator[metadata.EntryPoint]:
    try:
        yield from distribution.entry_points
    except Exception as error:  # noqa: BLE001 (one unreadable file must not hide all plugins)
        warnings.warn(
            f"the entry points of {title} cannot be read ({error}): reinstall it with "
            f"pip install --force-reinstall {title}",
            RuntimeWarning,
            stacklevel=2,
        )


def normalized(name: str) -> str:
    """A distribution's name as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name).strip().lower()


def refresh() -> None:
    """Forget the list of installed plugins, e.g. after installing one into this process."""
    installed.cache_clear()


def _call_hook(entry_point: metadata.EntryPoint, hook: str) -> Any:
    target = entry_point.load()
    manager = pluggy.PluginManager("qhal")
    manager.add_hookspecs(hookspecs)
    manager.register(target, name=entry_point.name)
    manager.check_pending()
    return getattr(manager.hook, hook)()
