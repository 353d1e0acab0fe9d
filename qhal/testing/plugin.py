"""The pytest plugin: your tests over every installed oracle.

``oracle`` is a fixture that runs a test once for each installed oracle, or for those that
``--qhal-oracle NAME`` names. One that cannot run is a skipped test, and the end of the report says
why; one that was named and is not installed fails.

Oracles on other machines are not asked, unless ``--qhal-live`` says so. A test marked
``qhal_recording("answers-{oracle}.jsonl")`` has them answer from that file, beside the test, and
records the file with ``--qhal-live``: so continuous integration replays what the hardware once
said.

Loaded by pytest in every project, so nothing but pytest is imported here until a test needs it;
``-p no:qhal`` leaves it out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest

MARKER = "qhal_recording"
_HELP_MARKER = (
    f"{MARKER}(path): oracles on other machines answer from this file, beside the test; "
    "recorded by --qhal-live."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--qhal-oracle NAME`` and ``--qhal-live``."""
    group = parser.getgroup("qhal", "Ising machines (qhal)")
    group.addoption(
        "--qhal-oracle",
        action="append",
        metavar="NAME",
        dest="qhal_oracles",
        help="run the tests over oracles on this one only (repeatable); default: every installed "
        "one. A name that is not installed fails.",
    )
    group.addoption(
        "--qhal-live",
        action="store_true",
        help="ask oracles on other machines too, which may cost time and money, and record what "
        f"tests marked {MARKER} hear.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _HELP_MARKER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each oracle, where a test takes `oracle` or `qhal_oracle_name`."""
    if "qhal_oracle_name" in metafunc.fixturenames:
        names = metafunc.config.getoption("qhal_oracles")
        if not names:
            from qhal.registry import list_oracles

            names = list_oracles()
        metafunc.parametrize("qhal_oracle_name", names, indirect=True)


@pytest.fixture
def qhal_oracle_name(request: pytest.FixtureRequest) -> str:
    """The name of an oracle that can run here."""
    from qhal.errors import PluginError, QhalError
    from qhal.registry import get_oracle

    name: str = request.param
    named = bool(request.config.getoption("qhal_oracles"))
    try:
        remote = get_oracle(name).info.remote
    except QhalError as error:
        if named or not isinstance(error, PluginError):
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        _skip(request, name, str(error))
    marker = request.node.get_closest_marker(MARKER)
    live: bool = request.config.getoption("qhal_live")
    if not remote:
        return name
    if marker is None:
        if not live:
            _skip(request, name, "it runs on another machine: --qhal-live asks it")
        return name
    path = Path(request.path).parent / str(marker.args[0]).replace("{oracle}", name)
    if not live and not path.exists():
        _skip(request, name, f"there is no recording {path.name}: --qhal-live makes it")
    file = json.dumps(str(path))
    return f"{name}|record({file})" if live else f"replay({file})"


@pytest.fixture
def oracle(qhal_oracle_name: str) -> Any:
    """An oracle with its default options; the test runs once for each."""
    from qhal.registry import get_oracle

    return get_oracle(qhal_oracle_name)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which oracles were not tested, and why."""
    reasons: dict[str, str] = {}
    for report in terminalreporter.getreports("skipped"):
        reasons |= dict(item for key, item in report.user_properties if key == "qhal_skipped")
    if reasons:
        terminalreporter.section("oracles that were not tested")
        for name, reason in sorted(reasons.items()):
            terminalreporter.line(f"{name}: {reason}")


def _skip(request: pytest.FixtureRequest, name: str, reason: str) -> NoReturn:
    """Skip, and let the report at the end know of it (also from another process)."""
    request.node.user_properties.append(("qhal_skipped", (name, reason)))
    pytest.skip(f"oracle {name!r}: {reason}")
