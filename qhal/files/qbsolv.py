"""qbsolv's QUBO files (``.qubo``).

Comments start with ``c``; one line ``p qubo 0 maxNodes nNodes nCouplers`` announces what follows:
nNodes lines ``i i value`` and nCouplers lines ``i j value``, 0 <= i, j < maxNodes. The variables
are the numbers that occur. An addition of ours that other readers take for a comment:
``c offset value`` keeps the constant.
"""

from __future__ import annotations

from qhal.errors import InputError
from qhal.files.entries import Entries, entries_of
from qhal.files.text import at_line, format_number, numbered_lines, parse_number, parse_whole
from qhal.problems import Qcbo


def read(data: bytes, name: str) -> Qcbo:
    """The problem in `data`, the content of the ``.qubo`` file `name`."""
    entries = Entries()
    announced: tuple[int, int, int] | None = None
    for number, line in numbered_lines(data, name):
        tokens = line.split()
        if line[0] in "c#":
            if tokens[:2] == ["c", "offset"] and len(tokens) == 3:
                entries.offset = parse_number(tokens[2], name, number)
        elif tokens[0] == "p":
            if announced:
                raise at_line(name, number, "a second 'p' line: a file holds one problem.")
            announced = _announced(tokens, name, number)
        elif announced is None:
            raise at_line(name, number, "expected 'p qubo 0 maxNodes nNodes nCouplers' first.")
        elif len(tokens) != 3:
            raise at_line(name, number, f"expected 'i j value', but found {len(tokens)} words.")
        else:
            nodes = [parse_whole(token, name, number, "a node") for token in tokens[:2]]
            if max(nodes) >= announced[0]:
                raise at_line(
                    name, number, f"node {max(nodes)} is not below maxNodes = {announced[0]}."
                )
            entries.add(nodes[0], nodes[1], parse_number(tokens[2], name, number))
    if announced is None:
        raise InputError(f"{name} has no line 'p qubo 0 maxNodes nNodes nCouplers'.")
    _check_counts(entries, announced, name)
    return entries.to_problem()


def write(problem: Qcbo) -> bytes:
    """The content of a ``.qubo`` file for `problem`, which must be unconstrained and binary."""
    entries, num_linear = entries_of(problem, ".qubo")
    size = max(entries.columns, default=-1) + 1
    lines = [f"p qubo 0 {size} {num_linear} {len(entries.values) - num_linear}"]
    if entries.offset:
        lines.insert(0, f"c offset {format_number(entries.offset)}")
    for i, j, value in zip(entries.rows, entries.columns, entries.values, strict=True):
        lines.append(f"{i} {j} {format_number(value)}")
    return "\n".join([*lines, ""]).encode()


def _announced(tokens: list[str], name: str, line: int) -> tuple[int, int, int]:
    if len(tokens) != 6 or tokens[1] != "qubo" or tokens[2] not in ("0", "unconstrained"):
        raise at_line(name, line, "expected 'p qubo 0 maxNodes nNodes nCouplers'.")
    largest, nodes, couplers = (parse_whole(t, name, line, "a count") for t in tokens[3:])
    return largest, nodes, couplers


def _check_counts(entries: Entries, announced: tuple[int, int, int], name: str) -> None:
    nodes = sum(i == j for i, j in zip(entries.rows, entries.columns, strict=True))
    couplers = len(entries.values) - nodes
    if (nodes, couplers) != announced[1:]:
        raise InputError(
            f"{name} announces {announced[1]} nodes and {announced[2]} couplers, but has {nodes} "
            f"and {couplers}: it is truncated or damaged."
        )
