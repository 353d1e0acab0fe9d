"""What results look like as text: tables and lists of facts, for any width of the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LAST_COLUMN_WIDTH = 16


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """A rich table, its last column wrapped; where it does not fit, a block for each row."""
    from rich.console import Group

    return _Table(columns, [[number(cell) for cell in row] for row in rows], Group)


class _Table:
    """Chooses its form when the width is known."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[str]], group: Any) -> None:
        self.columns, self.rows, self._group = columns, rows, group

    def __rich_console__(self, console: Any, options: Any) -> Iterable[Any]:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[index]) for line in lines) for index in range(len(self.columns))]
        needed = sum(width + 2 for width in widths[:-1]) + min(widths[-1], LAST_COLUMN_WIDTH)
        yield self._grid() if needed <= options.max_width else self._blocks()

    def _grid(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        grid = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for index, column in enumerate(self.columns):
            grid.add_column(column, overflow="fold", no_wrap=index < len(self.columns) - 1)
        for row in self.rows:
            grid.add_row(*map(Text, row))
        return grid

    def _blocks(self) -> Any:
        blocks: list[Any] = []
        for row in self.rows:
            blocks += [facts(dict(zip(self.columns, row, strict=True))), ""]
        return self._group(*blocks[:-1])


def facts(values: Mapping[str, Any]) -> Any:
    """Keys and values below each other."""
    from rich.table import Table
    from rich.text import Text

    result = Table.grid(padding=(0, 2, 0, 0))
    result.add_column(style="bold", no_wrap=True)
    result.add_column(overflow="fold")
    for key, value in values.items():
        seconds = key.endswith("_s") and isinstance(value, float)
        text = f"{value:.3f}" if seconds else number(value)
        result.add_row(Text(key.replace("_", " ")), Text(text))
    return result


def number(value: Any) -> str:
    """A cell: floats to ten digits, None as a dash, truth as yes or no, lists and dicts listed."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {number(item)}" for key, item in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(number, value)) or "-"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
