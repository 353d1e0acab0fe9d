"""The conformance kit: do oracles, executors, activations and losses keep their promises?

From a shell, ``qhal check NAME``; in Python, ``check_oracle(NAME)``, ``check_executor(NAME)``,
``check_activation(NAME)`` or ``check_loss(NAME)``; in the tests of an oracle::

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
from qhal.testing.functions import FunctionReport, check_activation, check_loss
from qhal.testing.kit import ConformanceReport, OracleConformance, check_oracle
from qhal.testing.subject import CheckResult, Subject

__all__ = [
    "CHECKS",
    "EXECUTOR_CHECKS",
    "CheckResult",
    "ConformanceReport",
    "ExecutorConformance",
    "ExecutorReport",
    "FunctionReport",
    "OracleConformance",
    "Subject",
    "check_activation",
    "check_executor",
    "check_loss",
    "check_oracle",
]
