"""What listing and using one plugin loads, seen from a fresh interpreter."""

import subprocess
import sys

import pytest

VENDORS = set(
    "dask distributed dwave joblib matplotlib numba ortools pandas pooch rich sklearn".split()
)
CORE = set("click dimod numpy scipy".split())
PLUGINS = set("qhal_activations qhal_cim qhal_dask qhal_dwave qhal_losses qhal_ortools".split())


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import qhal", VENDORS | CORE | PLUGINS),
        ("import qhal; qhal.hookimpl", VENDORS | CORE | PLUGINS),
        ("import qhal.errors", VENDORS | CORE | PLUGINS),
        ("import qhal; qhal.list_oracles()", VENDORS | PLUGINS),
        ("import qhal; qhal.get_oracle('random')", VENDORS | PLUGINS),
        ("from qhal.registry import load; load('activation', 'tanh')", VENDORS),
        ("from qhal.registry import describe_plugins; describe_plugins()", VENDORS),
        ("import qhal.files", VENDORS | PLUGINS),
    ],
)
def test_what_is_loaded(code, unwanted):
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    packages = {name.split(".")[0] for name in done.stdout.split()}
    assert "qhal" in packages
    assert not packages & unwanted
