"""Files that are either the old ones or the new ones, never half of both."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from qhal.errors import InputError


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """`replace_file` for a user's file; raises `InputError` if it cannot be written."""
    try:
        replace_file(path, data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot write {path}: {reason}.") from None


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to a new file in the same folder, which then takes the place of `path`.

    Whatever goes wrong, an old file at `path` remains as it was. A symbolic link keeps pointing to
    its file, modes are kept, and a device or pipe is written to. Raises OSError.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        Path(path).write_bytes(data)
        return
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".qhal-{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, partial)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
