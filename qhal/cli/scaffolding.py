"""`qhal new-plugin`: the start of a plugin of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from qhal.cli.options import FilePath
from qhal.cli.output import Output, command

KINDS = ("oracle", "composite", "activation", "loss", "executor")


@command("new-plugin")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="oracle",
    show_default=True,
    help="What the plugin offers.",
)
@click.option(
    "--into",
    "folder",
    type=FilePath,
    default=Path(),
    metavar="DIR",
    help="Make its folder in DIR.  [default: here]",
)
def new_plugin(output: Output, seed: int | None, name: str, kind: str, folder: Path) -> None:
    """Write a plugin called NAME: a distribution that works, with tests that pass.

    It makes the folder qhal-NAME, and refuses to if that is there already.

    \b
    Examples:
      qhal new-plugin my-machine
      qhal new-plugin arctan --kind activation --into plugins
    """
    from qhal.scaffold import new_plugin as write

    made = write(name, kind, folder)
    files = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    document = {"name": name, "kind": kind, "folder": str(made), "files": files}
    output.result(
        document,
        f"wrote {made}:",
        *(f"  {path}" for path in files),
        "",
        f"Next: pip install -e '{made}[test]' && pytest {made}",
    )
