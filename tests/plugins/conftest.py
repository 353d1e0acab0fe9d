"""Distributions that exist only for one test, and environments to install some into."""

import site
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from qhal import registry

Fake = Callable[..., Path]


def run(python, *arguments, fails=False):
    done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False)
    assert fails == (done.returncode != 0), done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a new environment that also sees the packages of this one."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "venv", with_pip=False)
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = folder / "venv" / scripts / "python"
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")[0].strip()
    folders = {
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        *site.getsitepackages(),
    }
    # Not a plain path: the editable installs of this environment are .pth files themselves.
    lines = [f"import site; site.addsitedir({path!r})" for path in sorted(folders)]
    Path(purelib, "parent.pth").write_text("\n".join(lines))
    return python


@pytest.fixture
def fake_distribution(tmp_path, monkeypatch) -> Fake:
    """Makes an installed-looking distribution: its metadata, entry points and modules."""
    before = set(sys.modules)

    def make(
        name: str,
        entry_points: str,
        version: str = "1.0",
        folder: str = "site",
        metadata: str | None = None,
        **modules: str,
    ) -> Path:
        site = tmp_path / folder
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        if metadata != "":
            (info / "METADATA").write_text(metadata or text)
        (info / "entry_points.txt").write_text(entry_points)
        for module, source in modules.items():
            (site / f"{module}.py").write_text(source)
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))
        registry.refresh()
        return site

    registry.refresh()
    yield make
    registry.refresh()
    for module in set(sys.modules) - before:
        if module.startswith("fake_"):
            del sys.modules[module]
