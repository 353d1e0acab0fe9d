"""The oracle under test, and how a check says what it found."""

from __future__ import annotations

from typing import Literal, NamedTuple

from qhal.chain import is_chain
from qhal.oracle import Oracle, OracleInfo
from qhal.registry import get_oracle, load

Outcome = Literal["passed", "failed", "skipped"]


class CheckResult(NamedTuple):
    """One check: its name, what came of it, and a sentence."""

    name: str
    outcome: Outcome
    detail: str


class CheckFailed(Exception):
    """The oracle breaks a promise; the text says which and what to do."""


class CheckSkipped(Exception):
    """The oracle makes no such promise; the text says so."""


class Subject:
    """An oracle under test: a name (or a chain of composites), an `OracleInfo`, or an object.

    Raises `UnknownNameError` or `PluginError` if there is no such oracle or it cannot be made.
    """

    def __init__(self, oracle: str | Oracle | OracleInfo) -> None:
        by_name = isinstance(oracle, str) and not is_chain(oracle)
        self._entry = load("oracle", str(oracle)) if by_name else oracle
        self.oracle = self.fresh()

    @property
    def info(self) -> OracleInfo:
        """What the oracle promises."""
        return self.oracle.info

    @property
    def entry(self) -> OracleInfo | None:
        """Its plugin's entry; None if it was given as an object."""
        return self._entry if isinstance(self._entry, OracleInfo) else None

    def fresh(self) -> Oracle:
        """A new object of the same oracle (the same, if it was given as an object)."""
        if isinstance(self._entry, OracleInfo):
            return self._entry.create({})
        return get_oracle(self._entry)

    def size(self, n: int, least: int = 1) -> int:
        """`n`, or the oracle's `max_variables` if that is less; skips the check below `least`."""
        limit = self.info.max_variables
        fits = n if limit is None else min(n, limit)
        if fits < least:
            raise CheckSkipped(f"It takes at most {fits} variables, and this needs {least}.")
        return fits

    def require(self, promise: bool, what: str) -> None:
        """Skip the check unless the oracle promises `what`."""
        if not promise:
            raise CheckSkipped(f"It does not claim {what}.")


def expect(condition: bool, failure: str) -> None:
    """Fail the check with the sentence `failure` unless `condition` holds."""
    if not condition:
        raise CheckFailed(failure)
