"""The documentation's Python runs as printed, page by page, and the site builds."""

import importlib
import importlib.util
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for path in DOCS.rglob("*.md")
    if "```python" in path.read_text(encoding="utf-8")
)
# Pages with fragments, that their own tests or scripts cover.
FRAGMENTS = {"composites.md", "theory.md", "convergence.md", "reproduction.md"}


@pytest.fixture
def _loggers():
    """A page may set up logging; nobody else shall hear of it."""
    loggers = [logging.getLogger(), logging.getLogger("qhal")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.mark.usefixtures("_loggers")
@pytest.mark.parametrize("page", [page for page in PAGES if page not in FRAGMENTS])
def test_the_page_runs(page, tmp_path, monkeypatch, capsys):
    """All blocks of a page, one after the other, in one namespace."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python[^\n]*\n(.*?)```", (DOCS / page).read_text("utf-8"), re.S)
    names = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, page, "exec"), names)


def test_the_testing_page_is_a_test_file(pytester):
    page = (DOCS / "tutorials" / "testing.md").read_text("utf-8")
    block = re.findall(r"```python\n(.*?)```", page, re.S)[0]
    pytester.makepyfile(block)
    names = ["--qhal-oracle", "exhaustive", "--qhal-oracle", "random"]
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *names)
    result.assert_outcomes(passed=3)


def test_every_oracle_and_composite_has_a_page():
    from qhal.registry import plugin_records

    spec = importlib.util.spec_from_file_location("docs_pages", ROOT / "tools" / "docs_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages = module.pages()
    guides = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    made = {page.removesuffix(".md").removesuffix("/index") for page in pages}
    assert not made & guides  # they would be one page of the site
    for kind in ("oracle", "composite"):
        for record in plugin_records(kind):
            page = pages[f"{kind}s/{record.name}.md"]
            assert page.startswith(f"# {record.name}\n")
            assert "## Options" in page
    assert "`oracle_reads`" in pages["results.md"]


ROOMS = "qhal problems networks testing executors composites training files datasets qcgd".split()


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_in_the_reference(room):
    """What a room lists in ``__all__`` has its entry, or the module that it comes from has."""
    pages = "".join(path.read_text("utf-8") for path in (DOCS / "api").glob("*.md"))
    entries, modules = [], set()
    for name in re.findall(r"^::: (\S+)", pages, re.M):
        try:
            modules.add(importlib.import_module(name).__name__)
        except ImportError:
            module, _, attribute = name.rpartition(".")
            entries.append(getattr(importlib.import_module(module), attribute))
    module = importlib.import_module("qhal" if room == "qhal" else f"qhal.{room}")
    public = {name: getattr(module, name) for name in module.__all__}
    missing = {
        name
        for name, thing in public.items()
        if not any(thing is entry for entry in entries)
        and getattr(thing, "__module__", None) not in modules
    }
    # Marks and tables whose use the pages around them show.
    assert missing <= {"__version__", "hookimpl", "CHECKS", "EXECUTOR_CHECKS", "Function"} | {
        "check_num_workers"
    }


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert not {page for page in pages if page not in navigation}


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs the extra docs")
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # an announcement, as in the Makefile
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert (tmp_path / "oracles" / "cim" / "index.html").exists()
    guide = (tmp_path / "composites" / "index.html").read_text("utf-8")
    assert "dwave-qpu|budget(seconds=2)" in guide
    plugins = (tmp_path / "api" / "plugins" / "index.html").read_text("utf-8")
    assert ">CoinFlip</span>" in plugins
    assert "::" not in re.sub(r"<pre.*?</pre>", "", plugins, flags=re.S)
