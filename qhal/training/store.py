"""Where samples lie, and which of them a pass sees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError
from qhal.networks.spec import Ints

CHUNK = 4096
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, eq=False)
class Store:
    """Inputs (N, features) and labels (N,): arrays, memory-mapped ones, or paths of .npy files.

    Paths are opened, memory-mapped, by whoever needs rows, so that tasks stay small.
    """

    x: npt.NDArray[Any] | Path
    y: npt.NDArray[Any] | Path

    @property
    def arrays(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Inputs and labels."""
        return _opened(self.x), _opened(self.y)

    def __len__(self) -> int:
        return len(self.arrays[1])

    def in_folder(self, folder: Path) -> Store:
        """The same samples in files of `folder`, for workers in other processes."""
        parts = []
        for name in ("x", "y"):
            part = getattr(self, name)
            if not isinstance(part, Path):
                np.save(folder / f"{name}.npy", part)
                part = folder / f"{name}.npy"
            parts.append(part)
        return Store(*parts)


@dataclass(frozen=True)
class Rows:
    """The samples ``(offset + stride * k) mod total`` for start <= k < stop."""

    total: int
    offset: int
    stride: int
    start: int
    stop: int

    def indices(self) -> Ints:
        """Their numbers, (stop - start,)."""
        return (self.offset + self.stride * np.arange(self.start, self.stop)) % self.total


def draw(total: int, count: int, rng: np.random.Generator) -> list[Rows]:
    """Chunks of `count` of `total` samples, spread evenly, without a list of all of them.

    Strides near the golden ratio leave no large gaps whatever the order of the samples is.
    """
    stride = _coprime(round(total * _GOLDEN) + int(rng.integers(max(1, total // 16))), total)
    offset = int(rng.integers(total))
    return [Rows(total, offset, stride, *ends) for ends in _ends(min(count, total))]


def in_order(total: int) -> list[Rows]:
    """Chunks of all samples as they lie."""
    return [Rows(total, 0, 1, *ends) for ends in _ends(total)]


def _ends(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, CHUNK):
        yield start, min(start + CHUNK, count)


def _coprime(near: int, total: int) -> int:
    stride = max(1, near % total) if total > 1 else 1
    while math.gcd(stride, total) > 1:
        stride += 1
    return stride


def _opened(part: npt.NDArray[Any] | Path) -> npt.NDArray[Any]:
    return _open(part) if isinstance(part, Path) else part


@lru_cache(maxsize=8)
def _open(path: Path) -> npt.NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # noqa: BLE001 (numpy lets through what its parser of headers raises)
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read the samples in {path}: {reason!s:.100}.") from None
    return np.asarray(array) if not isinstance(array, np.memmap) else array
