"""New plugin distributions from templates: `new_plugin`, the command ``qhal new-plugin``.

The templates are the files beside this one, ``templates/KIND/*.tmpl``, with the placeholders of
`string.Template`.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from importlib import metadata, resources
from pathlib import Path
from string import Template

from qhal.errors import InputError, did_you_mean
from qhal.registry import KINDS, plugin_records

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_LENGTH = 60
# kind: (the module that does the work, how a user tries it out)
_KINDS = {
    "oracle": ("oracle", "qhal check $name"),
    "composite": ("composite", "qhal check 'random|$name'"),
    "activation": ("function", "qhal train --activation $name --dry-run"),
    "loss": ("function", "qhal train --loss $name --dry-run"),
    "executor": ("executor", "qhal plugins"),
}


def new_plugin(name: str, kind: str = "oracle", folder: str | os.PathLike[str] = ".") -> Path:
    """Write a distribution with a plugin called `name` and its tests; the folder that was made.

    Parameters
    ----------
    name : small letters, digits and single hyphens, such as ``my-machine``
        What users will select it by. The distribution is called ``qhal-my-machine``, its package
        ``qhal_my_machine``.
    kind : "oracle", "composite", "activation", "loss" or "executor"
    folder : where ``qhal-my-machine`` is made

    Raises
    ------
    InputError
        For a bad name or kind, a name that an installed plugin has, and a folder that is there
        already or cannot be made: nothing is ever overwritten, and nothing is left half done.
    """
    if kind not in _KINDS:
        raise InputError(
            f"there are no plugins of the kind {kind!r}{did_you_mean(kind, _KINDS)} "
            f"The kinds are {', '.join(_KINDS)}."
        )
    if not _NAME.fullmatch(name) or len(name) > _MAX_LENGTH:
        raise InputError(
            f"{name!r} is no name for a plugin: use small letters, digits and single hyphens, as "
            f"in 'my-machine', {_MAX_LENGTH} at most."
        )
    taken = [record for record in plugin_records(kind) if record.name == name]
    if taken:
        raise InputError(
            f"{taken[0].distribution} has {_article(kind)} {kind} {name!r} already: choose another "
            "name."
        )
    words = _words(name, kind)
    if _installed(words["distribution"]):
        raise InputError(f"{words['distribution']} is installed already: choose another name.")
    target = Path(folder) / words["distribution"]
    if target.exists() or target.is_symlink():
        raise InputError(f"{target} is there already: choose another name or folder.")
    try:
        _write(target, kind, words)
    except OSError as error:
        raise InputError(f"cannot make {target}: {error.strerror or error}.") from None
    return target


def _installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _words(name: str, kind: str) -> dict[str, str]:
    short = name.removeprefix("qhal-") or name
    part, usage = _KINDS[kind]
    return {
        "name": name,
        "kind": kind,
        "distribution": f"qhal-{short}",
        "module": f"qhal_{short.replace('-', '_')}",
        "class": "".join(word.capitalize() for word in short.split("-")) + kind.capitalize(),
        "group": KINDS[kind][0],
        "part": part,
        "usage": Template(usage).substitute(name=name),
    }


def _write(target: Path, kind: str, words: dict[str, str]) -> None:
    """All files in a folder beside `target`, which then gets its name at once."""
    templates = resources.files("qhal.scaffold") / "templates"
    module, part = words["module"], words["part"]
    files = {
        "pyproject.toml": "common/pyproject.toml",
        "README.md": "common/README.md",
        f"{module}/__init__.py": f"{kind}/__init__.py",
        f"{module}/{part}.py": f"{kind}/{part}.py",
        f"tests/test_{module}.py": f"{kind}/test.py",
    }
    made = Path(tempfile.mkdtemp(prefix=".qhal-", dir=target.parent))
    try:
        for path, template in files.items():
            text = (templates / f"{template}.tmpl").read_text(encoding="utf-8")
            (made / path).parent.mkdir(exist_ok=True)
            (made / path).write_text(Template(text).substitute(words), encoding="utf-8")
        made.chmod(0o755)
        made.rename(target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeo" else "a"
