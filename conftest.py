"""Settings and options shared by the tests of the core and of every plugin."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# The same examples on every run and every machine: a failure can always be reproduced.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")

# Shells start background jobs with SIGINT ignored, and the tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def oracle_name(qhal_oracle_name: str) -> str:
    """The names of all installed oracles, one after the other (see `qhal.testing.plugin`)."""
    return qhal_oracle_name
