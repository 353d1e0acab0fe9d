"""Small sets of idx files to test with."""

import gzip
import struct
from pathlib import Path

import numpy as np

from qhal.datasets.idx import IMAGES, LABELS, TEST, TRAIN


def idx_bytes(array) -> bytes:
    array = np.asarray(array, dtype=np.uint8)
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx_folder(folder: Path, y_train, y_test, side=4, compress=True) -> dict[str, np.ndarray]:
    """Write the four files of a set with these labels and random images; return the arrays."""
    rng = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for part, labels in ((TRAIN, y_train), (TEST, y_test)):
        arrays[f"{part}-{LABELS}"] = np.asarray(labels, dtype=np.uint8)
        images = rng.integers(0, 256, size=(len(labels), side, side), dtype=np.uint8)
        arrays[f"{part}-{IMAGES}"] = images
    for name, array in arrays.items():
        data = idx_bytes(array)
        path = folder / (f"{name}.gz" if compress else name)
        path.write_bytes(gzip.compress(data) if compress else data)
    return arrays
