"""Exceptions whose text says what is wrong and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QhalError(Exception):
    """Base of every error that qhal raises on purpose; its text is one sentence for the user."""


class InputError(QhalError, ValueError):
    """The caller's input (a coefficient, a file, an option) cannot be used as it is."""


class UnknownNameError(InputError, LookupError):
    """A name that nothing answers to: an oracle, an activation, a class of a data set."""


class UnsupportedError(InputError):
    """An oracle does not offer what was asked of it for this problem."""


class PluginError(QhalError):
    """A plugin that is installed but cannot be used; says why and names its distribution."""


class OracleError(QhalError):
    """An oracle failed, or answered something that is not an answer."""


class TransientError(OracleError):
    """A failure that may pass: a lost connection, a busy machine, no answer in time.

    The same question may be asked again, which is what the composite `retry` does.
    """


class AnswerError(TransientError):
    """An answer that is none: a wrong shape, values other than 0 and 1, info that is not JSON.

    Either the plugin is broken or the answer was garbled on its way, so asking again is worth it.
    """


class BudgetError(OracleError):
    """A call that was refused before it was made, as it could cost more than the budget has."""


class ExecutorError(QhalError):
    """An executor could not run its tasks, or a task failed in a way that cannot be passed on."""


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The one of `candidates` that `name` was most likely meant to be, or None."""
    near = difflib.get_close_matches(name.lower(), sorted(candidates), n=1, cutoff=0.55)
    return near[0] if near else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The end of a sentence about an unknown `name`, with its full stop or question mark.

    ``"; did you mean 'x'?"`` for the nearest of `candidates`, or ``"."`` if none is near.
    """
    near = nearest(name, candidates)
    return f"; did you mean {near!r}?" if near else "."
