"""The log of a command: one JSON object to a line (``--log-file``)."""

from __future__ import annotations

import json
import logging
import os
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from qhal.cli.output import tell
from qhal.errors import InputError


class JsonLines(logging.Handler):
    """Appends each record to a file: time (UTC), level, logger, message, facts, traceback."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.DEBUG)
        self._path, self._failed = path, False
        self._file = _opened(path)

    def emit(self, record: logging.LogRecord) -> None:
        """One line, flushed: what was logged before a crash is there."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if facts := getattr(record, "facts", None):
            line["facts"] = facts
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        try:
            self._file.write(json.dumps(line, default=str) + "\n")
            self._file.flush()
        except OSError as error:
            if not self._failed:
                tell(f"Note: the log {self._path} ends here: {error.strerror or error}.")
            self._failed = True

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self._file.close()
        super().close()


def _opened(path: Path):  # type: ignore[no-untyped-def]  # (a text stream has no simple type)
    """The file at `path`, to append to; nothing but a log of ours is ever added to."""
    try:
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                first = file.readline(2000)
            if not first.startswith(b'{"time": '):
                raise InputError(f"--log-file {path} is there and is no log: choose another file.")
        return path.open("a", encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot write --log-file {os.fspath(path)!r}: {reason}.") from None
