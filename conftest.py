"""Settings and options shared by the tests of the core and of every plugin."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

# The same examples on every run and every machine: a failure can always be reproduced.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")

# Shells start background jobs with SIGINT ignored, and the tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--oracle NAME``: which oracles the tests that take one run on."""
    parser.addoption(
        "--oracle",
        action="append",
        metavar="NAME",
        help="run the tests over oracles on this one only (repeatable); default: every installed "
        "one. A name that is not installed fails.",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each oracle where a test takes `oracle_name`."""
    if "oracle_name" in metafunc.fixturenames:
        from qhal.registry import list_oracles

        named = metafunc.config.getoption("oracle")
        metafunc.parametrize("oracle_name", named or map(_unless_remote, list_oracles()))


def _unless_remote(name: str) -> object:
    """The oracle as a parameter, skipped if it would leave this machine (and cost money)."""
    from qhal.registry import load

    away = load("oracle", name).remote
    reason = f"runs on another machine: ask for it with --oracle {name}"
    return pytest.param(name, marks=[pytest.mark.skip(reason=reason)] if away else [])
