"""A run on disk: what it needs to go on, bit for bit, where it stopped.

The file is an ``.npz`` archive (no pickle) of the arrays named in `Snapshot` and a JSON document
with everything else. It is replaced in one step, so whatever ends the process, a whole one is left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.archive import parse_array, read_members, write_arrays
from qhal.atomic import replace_file
from qhal.errors import InputError

FORMAT = "qhal-checkpoint-2"
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Snapshot:
    """The state of a run: `facts` are JSON, `arrays` are numbers by name."""

    facts: dict[str, Any]
    arrays: Arrays


class Checkpoint:
    """The file at `path` of a run of `problem` with `settings` (JSON: method, oracle, ...).

    `problem` is a fingerprint: what differs in it belongs to another run.
    """

    def __init__(self, path: Path, problem: str, settings: Mapping[str, Any]) -> None:
        self._path, self._problem = path, problem
        # As they will be read back: tuples become lists, what is not JSON becomes text.
        self._settings = json.loads(json.dumps(dict(settings), default=str))

    def load(self) -> Snapshot | None:
        """The run so far, None if there is no file; `InputError` if it is of another run."""
        try:
            data = self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise InputError(f"cannot read {self._path}: {error.strerror or error}.") from None
        if not data:
            return None
        members = read_members(data, str(self._path))
        arrays = {
            key.removesuffix(".npy"): parse_array(content, f"{key} in {self._path}")
            for key, content in members.items()
        }
        facts = _facts(arrays.pop("facts", np.zeros(0)), self._path)
        self._require_same(facts)
        return Snapshot(facts["run"], arrays)

    def save(self, snapshot: Snapshot) -> None:
        """Replace the file by `snapshot`; raises OSError if that fails, the old one then stays."""
        facts = {
            "format": FORMAT,
            "problem": self._problem,
            "settings": self._settings,
            "run": snapshot.facts,
        }
        text = np.frombuffer(json.dumps(facts, allow_nan=False).encode(), dtype=np.uint8)
        replace_file(self._path, write_arrays({"facts": text, **snapshot.arrays}))

    def _require_same(self, facts: Mapping[str, Any]) -> None:
        if facts.get("problem") != self._problem:
            raise InputError(
                f"the checkpoint {self._path} belongs to another problem: name another file, or "
                "remove it to start afresh."
            )
        for key in self._settings | facts["settings"]:
            value, stored = self._settings.get(key), facts["settings"].get(key)
            if stored != value:
                raise InputError(
                    f"the checkpoint {self._path} was made with {key} {stored!r}, not {value!r}: "
                    "keep to its settings, name another file, or remove it to start afresh."
                )


def _facts(text: npt.NDArray[Any], path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(text.tobytes())
        if facts["format"] == FORMAT and facts["settings"].keys() and facts["run"].keys():
            return dict(facts)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise InputError(
        f"{path} is not a checkpoint of qhal, or is damaged: remove it to start afresh."
    )
