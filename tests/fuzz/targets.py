"""What is fuzzed: functions of bytes that may raise only what is documented.

Each target has seeds, files as they should be, from which a fuzzer starts, and words that it may
put in. A finding is kept in ``corpus/TARGET/`` and replayed by the tests ever after.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from click.testing import CliRunner

import qhal
from qhal.archive import parse_array, read_members, write_arrays
from qhal.chain import parse_chain
from qhal.cli import main
from qhal.composites import Replay
from qhal.composites.answers import seal
from qhal.datasets.arrays import read_samples
from qhal.datasets.idx import read_idx
from qhal.errors import QhalError
from qhal.files import FORMATS, read_problem
from qhal.networks import Network
from tests.files.samples import MPS, TEXTS

LARGEST = 2000


@dataclass(frozen=True)
class Target:
    """Something that takes bytes, with seeds and words for the fuzzer."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[str, ...] = ()


def _folder() -> Path:
    """A folder of this process, in which targets that need files have theirs."""
    path = Path(tempfile.gettempdir()) / f"qhal-fuzz-{os.getpid()}"
    path.mkdir(exist_ok=True)
    return path


def _reader(suffix: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        path = _folder() / f"problem{suffix}"
        path.write_bytes(data)
        try:
            problem = read_problem(path)
        except QhalError as error:
            text = str(error)
            assert str(path) in text, f"the file is not named in: {text}"
            assert "\n" not in text, text
            assert len(text) < 2000, text
            return
        _check(problem, suffix)

    return run


def _check(problem: qhal.Qcbo, suffix: str) -> None:
    """A problem that was read is sound, and written again it is the same."""
    values = np.array([problem.lower, problem.upper])
    with np.errstate(over="ignore", invalid="ignore"):
        objectives = problem.objectives(values)
    write = FORMATS[suffix].write
    if write is None or problem.num_variables > LARGEST:
        return
    try:
        copy = FORMATS[suffix].read(write(problem), f"copy{suffix}")
    except QhalError:
        return
    assert copy.num_variables == problem.num_variables
    if suffix == ".npz" and np.isfinite(objectives).all():
        assert np.array_equal(copy.objectives(values), objectives)


def _file_reader(name: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        path = _folder() / name
        path.write_bytes(data)
        with contextlib.suppress(QhalError):
            read(path)

    return run


def _chain(data: bytes) -> None:
    with contextlib.suppress(QhalError):
        parse_chain(data.decode("utf-8", "replace"))


_QUBO = qhal.Qubo([[1.0, -2.0], [0.0, 0.5]])
_PROBLEM = qhal.Qcbo.from_arrays([[1.0, -2.0], [0.0, 0.5]], A_le=[[1, 1]], b_le=[1])


def _recording(data: bytes) -> None:
    """Lines of JSON, sealed anew: without a valid seal nothing behind it would be reached."""
    lines = []
    for line in data.split(b"\n"):
        try:
            record = json.loads(line)
            lines.append(seal({key: record[key] for key in record if key != "sha256"}))
        except (ValueError, TypeError, KeyError, RecursionError):
            lines.append(line + b"\n")
    path = _folder() / "run.jsonl"
    path.write_bytes(b"".join(lines))
    with contextlib.suppress(QhalError):
        replay = Replay(path)
        with contextlib.suppress(QhalError):
            replay.sample(_QUBO, num_reads=2, seed=1)
        replay.solve_exactly(_PROBLEM, seed=1)


def _recorded() -> bytes:
    path = _folder() / "seed.jsonl"
    path.unlink(missing_ok=True)
    oracle = qhal.get_oracle(f"exhaustive|record({path})")
    oracle.sample(_QUBO, num_reads=2, seed=1)
    oracle.solve_exactly(_PROBLEM, seed=1)
    return path.read_bytes()


def _resume(path: Path) -> None:
    qhal.solve(_PROBLEM, oracle="random", num_reads=2, iterations=3, seed=1, checkpoint=path)


def _checkpoint(data: bytes) -> None:
    """The JSON of a checkpoint, with sound arrays beside it."""
    path = _folder() / "run.ckpt"
    facts = np.frombuffer(data, dtype=np.uint8)
    path.write_bytes(write_arrays(_checkpointed()[1] | {"facts": facts}))
    with contextlib.suppress(QhalError):
        _resume(path)


@lru_cache(maxsize=1)
def _checkpointed() -> tuple[bytes, dict[str, np.ndarray]]:
    """The JSON of a checkpoint, and its arrays."""
    path = _folder() / "seed.ckpt"
    path.unlink(missing_ok=True)
    _resume(path)
    members = read_members(path.read_bytes(), "seed")
    arrays = {name.removesuffix(".npy"): parse_array(m, name) for name, m in members.items()}
    return arrays.pop("facts").tobytes(), arrays


WORDS = (
    "solve compare convert oracles plugins predict train new-plugin check --help -h --version "
    "--oracle random exhaustive --set num_reads=2 --seed 0 1 -1 --json --quiet -v --iterations 1 "
    "--time-limit 0.1 --method level direct frank-wolfe --certify --reference --to mps qplib npz "
    "problem.lp problem.mps out.npz out.json --out --plot p.png --trace t.json --log-file l.jsonl "
    "--checkpoint c.ckpt --dry-run --hidden --samples --kind loss my-machine nan inf 1e999 ' | ("
).split()
# Long runs, and files outside of the folder.
FORBIDDEN = ("check", "train", "serve")


def _command_line(data: bytes) -> None:
    """Words, each chosen by a byte, or text between two zero bytes; exit codes 0, 1 and 2."""
    words, rest = [], data[:200]
    while rest and len(words) < 14:
        if rest[0] == 0:
            text, _, rest = rest[1:].partition(b"\0")
            words.append(text.decode("utf-8", "surrogateescape").replace("/", "_"))
        else:
            words.append(WORDS[rest[0] % len(WORDS)])
            rest = rest[1:]
    if any(word in FORBIDDEN for word in words) and "--help" not in words:
        return
    if words and words[0] in ("solve", "compare"):
        words += ["--time-limit", "0.2", "--iterations", "2"]
    folder = _folder() / "here"
    folder.mkdir(exist_ok=True)
    (folder / "problem.lp").write_text(TEXTS[".lp"])
    (folder / "problem.mps").write_text(MPS)
    before = Path.cwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(main, words)
    finally:
        os.chdir(before)
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    assert isinstance(result.exception, SystemExit | None), (words, result.exception)
    assert result.exit_code in (0, 1, 2), (words, result.exit_code)
    assert "Error: unexpected" not in result.stderr, (words, result.stderr)
    if "-v" not in words and "--verbose" not in words:
        assert "Traceback" not in result.output, (words, result.output)


def _written() -> dict[str, tuple[bytes, ...]]:
    bits = qhal.Qcbo.from_arrays([[1, -2], [0, 0.5]], names=["left", "right"])
    spins = qhal.Qcbo.from_ising(qhal.Ising([[0.0, 1], [0, 0]], [1, -1], 2.0))
    rows = qhal.Qcbo.from_arrays(
        [[1, -2], [0, 0.5]], A_le=[[1, 1]], b_le=[1], upper=[1, 4], names=["left", "right"]
    )
    seeds = {
        ".bqm": (FORMATS[".bqm"].write(bits), FORMATS[".bqm"].write(spins)),
        ".cqm": (FORMATS[".cqm"].write(rows),),
        ".npz": (FORMATS[".npz"].write(rows), FORMATS[".npz"].write(spins)),
    }
    for suffix, text in TEXTS.items():
        seeds[suffix] = (text.encode(),)
        write = FORMATS[suffix].write
        if write is not None and suffix != ".mc":
            problem = rows if suffix in (".lp", ".mps", ".qplib") else bits
            seeds[suffix] = (text.encode(), write(problem))
    return seeds


def _arrays() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, x=np.linspace(0, 1, 6).reshape(3, 2), y=np.array([0, 1, 0]))
    return stream.getvalue()


_LINES = (
    "solve problem.lp --oracle random",
    "compare problem.lp --oracle random --oracle exhaustive --json",
    "convert problem.lp --to mps",
    "oracles random",
    "plugins --json",
    "new-plugin my-machine --kind loss",
    "predict problem.lp --set x=1",
)


def _line(words: str) -> bytes:
    """What `_command_line` reads as these words."""
    return b"".join(b"\0" + word.encode() + b"\0" for word in words.split())


_IDX = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])
_TOKENS = {suffix: tuple(dict.fromkeys(text.split())) for suffix, text in TEXTS.items()}
TARGETS: dict[str, Target] = {
    suffix.lstrip("."): Target(_reader(suffix), _written()[suffix], _TOKENS.get(suffix, ()))
    for suffix in FORMATS
} | {
    "model": Target(_file_reader("model.npz", Network.load), (_arrays(),)),
    "dataset": Target(_file_reader("data.npz", read_samples), (_arrays(),)),
    "idx": Target(_file_reader("images", lambda path: read_idx(path, 2)), (_IDX,)),
    "recording": Target(_recording, (_recorded(),)),
    "checkpoint": Target(_checkpoint, (_checkpointed()[0],)),
    "chain": Target(
        _chain,
        (b"cim|precision(bits=8, split=on)|record(run.jsonl)", b"sa|retry|budget(calls=3)"),
        ("|", "(", ")", "=", ",", '"', "bits", "none", "true"),
    ),
    "command-line": Target(
        _command_line,
        tuple(_line(words) for words in _LINES),
    ),
}
