"""Importing qhal loads no vendor package and nothing that only an extra installs."""

import subprocess
import sys

import pytest

HEAVY = (
    "dask distributed dwave joblib matplotlib numba onnx onnxruntime ortools pandas pooch sklearn"
).split()


@pytest.mark.parametrize("module", ["qhal", "qhal.datasets", "qhal.networks"])
def test_import_is_light(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    packages = {name.split(".")[0] for name in loaded.stdout.split()}
    assert "qhal" in packages
    assert not packages & set(HEAVY)
