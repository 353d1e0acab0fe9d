"""The conformance kit: does an oracle keep the promises of its `OracleInfo`?

From a shell, ``qhal check NAME``; in Python, ``check_oracle(NAME)``; in the tests of a plugin::

    from qhal.testing import OracleConformance

    class TestCoinFlip(OracleConformance):
        oracle = "coin-flip"
"""

from qhal.testing.checks import CHECKS
from qhal.testing.executors import (
    EXECUTOR_CHECKS,
    ExecutorConformance,
    ExecutorReport,
    check_executor,
)
from qhal.testing.kit import ConformanceReport, OracleConformance, check_oracle
from qhal.testing.subject import CheckResult, Subject

__all__ = [
    "CHECKS",
    "EXECUTOR_CHECKS",
    "CheckResult",
    "ConformanceReport",
    "ExecutorConformance",
    "ExecutorReport",
    "OracleConformance",
    "Subject",
    "check_executor",
    "check_oracle",
]
