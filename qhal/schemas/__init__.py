"""What results look like as JSON: a JSON schema (2020-12) for each document that qhal writes.

The schemas are the files beside this one. ``load("solution")`` is what ``qhal solve --json`` and
`Solution.to_json` give, and so on; `names` lists them. Times are in seconds where the key ends with
``_s``; where something is not known, the value is null.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from qhal.errors import UnknownNameError, did_you_mean

_SUFFIX = ".json"


def names() -> list[str]:
    """The names of all schemas, sorted."""
    files = resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX))


def load(name: str) -> dict[str, Any]:
    """The schema called `name`, as a dict; `UnknownNameError` if there is none."""
    known = names()
    if name not in known:
        raise UnknownNameError(
            f"there is no schema {name!r}{did_you_mean(name, known)} The schemas are "
            f"{', '.join(known)}."
        )
    text = (resources.files(__name__) / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
