"""For test suites: does an oracle keep its promises, and do oracles agree on your problems?

The conformance kit: from a shell, ``qhal check NAME``; in Python, ``check_oracle(NAME)``,
``check_executor(NAME)``, ``check_activation(NAME)`` or ``check_loss(NAME)``; in the tests of an
oracle::

    from qhal.testing import OracleConformance

    class TestCoinFlip(OracleConformance):
        oracle = "coin-flip"

In the tests of a user, through the pytest plugin that comes along (`qhal.testing.plugin`)::

    from qhal.testing import assert_feasible, assert_oracles_agree

    def test_my_model(oracle):  # runs once for each installed oracle
        assert_feasible(qhal.solve(my_model(), oracle=oracle, seed=0))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Imported when first used: pytest loads the plugin in this package for every project.
_PUBLIC = {
    "CHECKS": "qhal.testing.checks",
    "EXECUTOR_CHECKS": "qhal.testing.executors",
    "CheckResult": "qhal.testing.subject",
    "ConformanceReport": "qhal.testing.kit",
    "ExecutorConformance": "qhal.testing.executors",
    "ExecutorReport": "qhal.testing.executors",
    "FunctionReport": "qhal.testing.functions",
    "OracleConformance": "qhal.testing.kit",
    "Subject": "qhal.testing.subject",
    "assert_feasible": "qhal.testing.assertions",
    "assert_oracles_agree": "qhal.testing.assertions",
    "check_activation": "qhal.testing.functions",
    "check_executor": "qhal.testing.executors",
    "check_loss": "qhal.testing.functions",
    "check_oracle": "qhal.testing.kit",
}

if TYPE_CHECKING:
    from qhal.testing.assertions import assert_feasible as assert_feasible
    from qhal.testing.assertions import assert_oracles_agree as assert_oracles_agree
    from qhal.testing.checks import CHECKS as CHECKS
    from qhal.testing.executors import EXECUTOR_CHECKS as EXECUTOR_CHECKS
    from qhal.testing.executors import ExecutorConformance as ExecutorConformance
    from qhal.testing.executors import ExecutorReport as ExecutorReport
    from qhal.testing.executors import check_executor as check_executor
    from qhal.testing.functions import FunctionReport as FunctionReport
    from qhal.testing.functions import check_activation as check_activation
    from qhal.testing.functions import check_loss as check_loss
    from qhal.testing.kit import ConformanceReport as ConformanceReport
    from qhal.testing.kit import OracleConformance as OracleConformance
    from qhal.testing.kit import check_oracle as check_oracle
    from qhal.testing.subject import CheckResult as CheckResult
    from qhal.testing.subject import Subject as Subject

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'qhal.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
