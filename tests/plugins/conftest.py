"""Distributions that exist only for one test."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qhal import registry

Fake = Callable[..., Path]


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
