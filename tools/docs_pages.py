"""Pages of the documentation made from what is installed: one for each oracle and composite.

A hook of mkdocs (see mkdocs.yml): the pages exist only while the site is built.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from qhal import schemas
from qhal.cli.docstrings import parameters
from qhal.oracle import OracleInfo, import_factory
from qhal.registry import describe_plugins

_LINK = re.compile(r"\[([^\]]*)\]\((\.\./[^)#]+)\)")
_CLAIMS = (
    ("exact", "exact: it proves minima", "heuristic"),
    ("seeded", "the same seed gives the same samples", "samples differ from call to call"),
    ("honours_time_limit", "keeps to a time limit", "ignores a time limit"),
    ("accepts_initial_states", "starts from states that it is given", "takes no initial states"),
    ("remote", "runs on another machine", "runs on this machine"),
)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages (called by mkdocs)."""
    from mkdocs.structure.files import File

    for uri, content in pages().items():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links into the repository, outside of docs/, become the paths of its files."""
    here = Path(config["docs_dir"]) / page.file.src_uri

    def path_of(link: re.Match[str]) -> str:
        target = (here.parent / link[2]).resolve()
        root = here.parents[len(Path(page.file.src_uri).parts)]
        outside = target.exists() and not target.is_relative_to(config["docs_dir"])
        return f"{link[1]} (`{target.relative_to(root)}`)" if outside else link[0]

    return _LINK.sub(path_of, markdown)


def pages() -> dict[str, str]:
    """The content of each page by its path."""
    made = {"results.md": _results()}
    for kind, title in (("oracle", "Oracles"), ("composite", "Composites, one by one")):
        found = [each for each in describe_plugins(kind) if each.entry is not None]
        rows = [f"| [`{e.record.name}`]({e.record.name}.md) | {e.entry.summary} |" for e in found]
        table = "\n".join(["| name | what it is |", "|---|---|", *rows])
        # Not index.md: composites/index.html is the guide, docs/composites.md.
        made[f"{kind}s/list.md"] = f"# {title}\n\n{_INTRODUCTIONS[kind]}\n\n{table}\n"
        for each in found:
            made[f"{kind}s/{each.record.name}.md"] = _page(each.record, each.entry)
    return made


_INTRODUCTIONS = {
    "oracle": "Whatever samples low-energy states of a QUBO. These come with qhal; "
    "`qhal oracles` lists those installed, yours among them.",
    "composite": 'An oracle around an oracle, as in `"cim|retry|budget(calls=100)"`. '
    "[How they are written](../composites.md).",
}


def _page(record: Any, entry: Any) -> str:
    kind = record.kind
    cls = import_factory(kind, record.name, entry.factory, entry.distribution)
    lines = [f"# {record.name}", "", f"{entry.summary[0].upper()}{entry.summary[1:]}.", ""]
    lines += [f"From `{entry.distribution}`, class `{entry.factory.replace(':', '.')}`.", ""]
    if isinstance(entry, OracleInfo):
        for key, yes, no in _CLAIMS:
            lines.append(f"- {yes if getattr(entry, key) else no}")
        limit, bits = entry.max_variables, entry.coefficient_bits
        lines.append(f"- {'any number of' if limit is None else f'at most {limit}'} variables")
        lines.append(f"- coefficients of {'double precision' if bits is None else f'{bits} bits'}")
        lines.append(f"- connectivity: {entry.connectivity}")
    prose = (inspect.getdoc(cls) or "").partition("\nParameters\n")[0]
    lines += ["", prose, "", "## Options", "", *_options(cls, kind)]
    call = record.name if kind == "oracle" else f"'sa|{record.name}'"
    if kind == "oracle" or entry.takes == "one":
        lines += ["", "## Use", "", "```", f"qhal solve problem.lp --oracle {call}", "```", ""]
    return "\n".join(lines)


def _options(cls: type, kind: str) -> list[str]:
    meanings = parameters(cls)
    taken = list(inspect.signature(cls).parameters.values())
    own = [p for p in taken if p.name not in ("child", "children", "oracles")]
    if not own:
        return ["None."]
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for p in own:
        default = "" if p.default is p.empty else f"`{p.default!r}`"
        meaning = meanings.get(p.name, "").replace("|", "\\|")
        rows.append(f"| `{p.name}` | {default} | {meaning} |")
    return rows


def _results() -> str:
    """One table of keys for each JSON schema."""
    lines = ["# Results as JSON", "", inspect.getdoc(schemas) or "", ""]
    for name in schemas.names():
        schema = schemas.load(name)
        lines += [f"## {name}", "", schema["description"], "", "| key | type | meaning |"]
        lines.append("|---|---|---|")
        for key, about in schema["properties"].items():
            kind = about.get("type", "constant" if "const" in about else "one of several")
            types = kind if isinstance(kind, str) else " or ".join(kind)
            optional = "" if key in schema["required"] else " (optional)"
            meaning = str(about["description"]).replace("|", "\\|")
            lines.append(f"| `{key}`{optional} | {types} | {meaning} |")
        lines.append("")
    return "\n".join(lines)
