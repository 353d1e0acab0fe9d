"""dimod's COOrdinate lists (``.coo``): ``i j bias`` lines under a ``# vartype=...`` header.

An addition of ours that other readers take for a comment: ``# offset=...`` keeps the constant,
which the format itself cannot hold. dimod's own reader skips every line that it does not
understand, numbers with an exponent among them; this one refuses such lines.
"""

from __future__ import annotations

import re

from qhal.errors import InputError
from qhal.files.entries import Entries, entries_of, ising_of
from qhal.files.text import at_line, format_number, numbered_lines, parse_number, parse_whole
from qhal.problems import Qcbo

_HEADER = re.compile(r"#.*?\b(vartype|offset)[:=]\s*(\S+)")


def read(data: bytes, name: str) -> Qcbo:
    """The problem in `data`, the content of the ``.coo`` file `name`."""
    entries = Entries()
    vartype = None
    for number, line in numbered_lines(data, name):
        if line.startswith("#"):
            header = _HEADER.match(line)
            if header and header[1] == "offset":
                entries.offset = parse_number(header[2], name, number)
            elif header:
                if header[2] not in ("BINARY", "SPIN") or vartype not in (None, header[2]):
                    raise at_line(name, number, "the vartype must be BINARY or SPIN, stated once.")
                vartype = header[2]
            continue
        tokens = line.split()
        if len(tokens) != 3:
            raise at_line(name, number, f"expected 'i j bias', but found {len(tokens)} words.")
        entries.add(
            parse_whole(tokens[0], name, number, "a variable"),
            parse_whole(tokens[1], name, number, "a variable"),
            parse_number(tokens[2], name, number),
        )
    if vartype is None and entries.values:
        raise InputError(
            f"{name} does not say what its variables are: add the line '# vartype=BINARY' or "
            "'# vartype=SPIN' at its top."
        )
    return entries.to_problem(spins=vartype == "SPIN")


def write(problem: Qcbo) -> bytes:
    """The content of a ``.coo`` file for `problem`: unconstrained, of bits or of spins."""
    entries, _ = entries_of(problem, ".coo", spins=True)
    lines = [f"# vartype={'SPIN' if ising_of(problem) else 'BINARY'}"]
    if entries.offset:
        lines.append(f"# offset={format_number(entries.offset)}")
    for i, j, value in zip(entries.rows, entries.columns, entries.values, strict=True):
        lines.append(f"{i} {j} {format_number(value)}")
    return "\n".join([*lines, ""]).encode()
