"""Questions by their hash, and answers as sealed JSON: what recordings and caches are made of."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from qhal.oracle import ExactAnswer
from qhal.problems.arrays import States
from qhal.problems.fingerprint import fingerprint
from qhal.problems.qcbo import Qcbo
from qhal.problems.qubo import Qubo
from qhal.samples import Samples, Status

# What an answer may unpack to, in bits: a thousand reads of a million variables.
_MAX_BITS = 2**33
# About this call, not about the answer.
_OUTER = ("oracle", "seed", "options")


class DamagedError(ValueError):
    """A line or an answer that is not what was written."""


def problem_hash(qubo: Qubo) -> str:
    """SHA-256 of the coefficients, however they are stored."""
    entries = sp.coo_array(qubo.matrix)
    keep = entries.data != 0
    rows, columns = (part[keep].astype(np.int64) for part in (entries.row, entries.col))
    order = np.lexsort((columns, rows))
    digest = hashlib.sha256(struct.pack("<qd", qubo.num_variables, qubo.offset + 0.0))
    for part in (rows[order], columns[order], entries.data[keep][order]):
        digest.update(np.ascontiguousarray(part).astype(part.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def question_hash(qubo: Qubo, num_reads: int, seed: int, initial_states: States | None) -> str:
    """SHA-256 of what an answer depends on, a time limit excepted."""
    given = None if initial_states is None else hashlib.sha256(initial_states.tobytes()).hexdigest()
    return _digest([problem_hash(qubo), num_reads, seed, given])


def whole_question_hash(problem: Qcbo, seed: int) -> str:
    """SHA-256 of what the answer to a whole problem depends on, a time limit excepted."""
    return _digest(["whole problem", fingerprint(problem), seed])


def pack_exact(answer: ExactAnswer) -> dict[str, Any]:
    """An answer to a whole problem as JSON."""
    return {
        "status": str(answer.status),
        "values": None if answer.values is None else answer.values.tolist(),
        "objective": answer.objective,
        "lower_bound": answer.lower_bound,
        "info": dict(answer.info),
    }


def unpack_exact(answer: Mapping[str, Any], num_variables: int) -> ExactAnswer:
    """What `pack_exact` was given; raises `DamagedError`."""
    try:
        values = answer["values"]
        found = None if values is None else np.array(values, dtype=np.int64)
        if found is not None and found.shape != (num_variables,):
            raise DamagedError("its size is wrong")
        return ExactAnswer(
            status=Status(answer["status"]),
            values=found,
            objective=answer["objective"],
            lower_bound=answer["lower_bound"],
            info=dict(answer["info"]),
        )
    except DamagedError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DamagedError(f"{type(error).__name__}: {error}") from None


def pack(samples: Samples) -> dict[str, Any]:
    """An answer as JSON."""
    bits = np.packbits(samples.states, axis=1).tobytes()
    return {
        "num_reads": len(samples.states),
        "num_variables": samples.states.shape[1],
        "states": base64.b85encode(zlib.compress(bits)).decode(),
        "lower_bound": samples.lower_bound,
        "time_s": samples.time_s,
        "info": {key: value for key, value in samples.info.items() if key not in _OUTER},
    }


def unpack(answer: Mapping[str, Any], num_variables: int) -> tuple[States, dict[str, Any]]:
    """States and info of `pack`; raises `DamagedError`."""
    try:
        reads, columns = int(answer["num_reads"]), int(answer["num_variables"])
        if columns != num_variables or not 0 < reads * columns <= _MAX_BITS:
            raise DamagedError("its size is wrong")
        width = (columns + 7) // 8
        inflate = zlib.decompressobj()
        data = inflate.decompress(base64.b85decode(answer["states"]), reads * width + 1)
        if len(data) != reads * width:
            raise DamagedError("its states are cut off")
        packed = np.frombuffer(data, dtype=np.uint8).reshape(reads, width)
        return np.unpackbits(packed, axis=1, count=columns).astype(np.int8), dict(answer["info"])
    except DamagedError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, zlib.error) as error:
        raise DamagedError(f"{type(error).__name__}: {error}") from None


def seal(record: Mapping[str, Any]) -> bytes:
    """`record` as one line of JSON that carries its own hash."""
    return _json(dict(record) | {"sha256": _digest(dict(record))}).encode() + b"\n"


def unseal(line: bytes) -> dict[str, Any]:
    """The record of `seal`; raises `DamagedError` for anything else."""
    try:
        record = json.loads(line)
        if record.pop("sha256") == _digest(record):
            return dict(record)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise DamagedError("it is not what was written")


def _digest(content: Any) -> str:
    return hashlib.sha256(_json(content).encode()).hexdigest()


def _json(content: Any) -> str:
    return json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
