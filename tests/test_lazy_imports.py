"""Importing qhal loads no vendor package and nothing that only an extra installs."""

import subprocess
import sys

import pytest

HEAVY = "dask dwave highspy matplotlib numba onnx onnxruntime ortools pandas pooch sklearn".split()


def loaded(code: str) -> set[str]:
    """The modules of a fresh interpreter after `code`."""
    command = [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["qhal", "qhal.datasets", "qhal.networks", "qhal.files"])
def test_import_is_light(module):
    packages = {name.split(".")[0] for name in loaded(f"import {module}")}
    assert "qhal" in packages
    assert not packages & set(HEAVY)


def test_import_alone_loads_no_numbers():
    packages = {name.split(".")[0] for name in loaded("import qhal")}
    assert not packages & {*HEAVY, "click", "dimod", "numpy", "pluggy", "rich", "scipy"}


@pytest.mark.parametrize("code", ["import qhal; qhal.solve", "import qhal; qhal.train"])
def test_the_slow_parts_of_scipy_wait_until_they_are_needed(code):
    slow = {"scipy.optimize", "scipy.stats", "scipy.special", "scipy.signal"}
    assert not loaded(code) & slow


def test_help_is_light():
    code = (
        "import contextlib, io\nfrom qhal.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(['--help'])\n"
    )
    modules = loaded(f"exec({code!r})")
    packages = {name.split(".")[0] for name in modules}
    assert "click" in packages
    assert not packages & {*HEAVY, "dimod", "numpy", "rich", "scipy"}
    assert not {name for name in packages if name.startswith("qhal_")}
