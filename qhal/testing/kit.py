"""Running the checks: as a report, or as tests of pytest."""

from __future__ import annotations

import unittest
from dataclasses import dataclass
from typing import Any, ClassVar

from qhal.errors import QhalError
from qhal.oracle import Oracle, OracleInfo
from qhal.testing.checks import CHECKS
from qhal.testing.subject import CheckFailed, CheckResult, CheckSkipped, Subject


@dataclass(frozen=True)
class ConformanceReport:
    """What `check_oracle` found; `str()` of it is a table for people."""

    oracle: str
    checks: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed (skipped ones do not count)."""
        return all(check.outcome != "failed" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict: oracle, passed, and a dict for each check."""
        checks = [check._asdict() for check in self.checks]
        return {"oracle": self.oracle, "passed": self.passed, "checks": checks}

    def __str__(self) -> str:
        width = max(len(name) for name in CHECKS)
        lines = [f"{c.name:{width}}  {c.outcome:7}  {c.detail}" for c in self.checks]
        return "\n".join([f"oracle {self.oracle!r}", *lines])


def check_oracle(oracle: str | Oracle | OracleInfo) -> ConformanceReport:
    """Run every check of the kit on `oracle`: a name, an `OracleInfo`, or an `Oracle` object.

    An oracle that misbehaves, or raises, makes its checks fail; only one that does not exist or
    cannot be made raises (`UnknownNameError`, `PluginError`).
    """
    subject = Subject(oracle)
    return ConformanceReport(subject.info.name, tuple(run_check(name, subject) for name in CHECKS))


def run_check(name: str, subject: Subject) -> CheckResult:
    """The result of the check `name` on `subject`."""
    try:
        return CheckResult(name, "passed", CHECKS[name](subject))
    except CheckSkipped as skipped:
        return CheckResult(name, "skipped", str(skipped))
    except CheckFailed as failed:
        return CheckResult(name, "failed", f"Broken: {failed}")
    except QhalError as error:
        return CheckResult(name, "failed", str(error))
    except Exception as error:  # noqa: BLE001 - an oracle may raise anything, which is a finding
        return CheckResult(name, "failed", f"It raised {type(error).__name__}: {error}")


class OracleConformance:
    """Base class for the tests of a plugin: subclass it, name it ``Test...``, set `oracle`.

    pytest then runs one test for each check; a promise not made is a skipped test.
    """

    oracle: ClassVar[str | Oracle | OracleInfo]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test for each check (called by pytest)."""
        if "check" in metafunc.fixturenames:
            metafunc.parametrize("check", list(CHECKS))

    def test_conformance(self, check: str) -> None:
        """Run the check named `check`."""
        result = run_check(check, Subject(self.oracle))
        if result.outcome == "skipped":
            raise unittest.SkipTest(result.detail)
        assert result.outcome == "passed", result.detail
