"""What a built wheel of the core holds."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_wheel_holds_data_licences_and_type_marker(tmp_path):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path]
    done = subprocess.run([*command, ROOT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("qhal_core-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
        declared = archive.read(entry_points).decode()
        data = archive.read("qhal/datasets/coat_sandal_7x7.npz")
    assert {"qhal/schemas/solution.json", "qhal/schemas/comparison.json"} <= names
    assert "qhal/scaffold/templates/oracle/__init__.py.tmpl" in names
    assert {"qhal/py.typed", "qhal/datasets/FASHION_MNIST_LICENSE.txt"} <= names
    assert data == (ROOT / "qhal" / "datasets" / "coat_sandal_7x7.npz").read_bytes()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"qhal", "qhal_core"}
    assert "qhal = qhal.__main__:main" in declared
    assert "exhaustive = qhal.reference:ExhaustivePlugin" in declared
    assert "qhal = qhal.testing.plugin" in declared
