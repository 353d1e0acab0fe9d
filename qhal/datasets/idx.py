"""Read the idx files in which MNIST and sets like it are distributed.

Format (http://yann.lecun.com/exdb/mnist/): two zero bytes, a type code (0x08: unsigned byte), the
number of dimensions, the dimensions as big-endian 32-bit integers, then the values in C order.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from qhal.errors import InputError

IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
TRAIN, TEST = "train", "t10k"
FILE_NAMES = tuple(f"{part}-{kind}" for part in (TRAIN, TEST) for kind in (IMAGES, LABELS))

_MAX_BYTES = 2**30
# Deflate cannot pack more than 1032 bytes into one: a longer promise in a header is a lie.
_MAX_DEFLATE_RATIO = 1032


def read_idx(path: Path, num_dimensions: int) -> NDArray[np.uint8]:
    """The array in an idx file of unsigned bytes, gzip-compressed if its name ends in ``.gz``.

    Type, dimensions and length are checked before room is made for the values.

    Raises `InputError` if the file cannot be read, or holds anything else than one such array of
    `num_dimensions` dimensions.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _read(file, path, num_dimensions)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}."
        ) from error


def _read(file: BinaryIO | gzip.GzipFile, path: Path, num_dimensions: int) -> NDArray[np.uint8]:
    header = file.read(4 + 4 * num_dimensions)
    if header[:4] != bytes([0, 0, 8, num_dimensions]):
        raise InputError(
            f"{path} is not an idx file of unsigned bytes with {num_dimensions} dimension(s): "
            f"it starts with {header[:4].hex(' ') or 'nothing'}."
        )
    if len(header) < 4 + 4 * num_dimensions:
        raise InputError(f"{path} ends within its header; get the file again.")
    shape = struct.unpack(f">{num_dimensions}I", header[4:])
    size = math.prod(shape)
    if not 0 < size <= _MAX_BYTES:
        raise InputError(f"{path} announces {size} values, expected 1 to {_MAX_BYTES}.")
    ratio = _MAX_DEFLATE_RATIO if path.suffix == ".gz" else 1
    values = file.read(size + 1) if size <= ratio * path.stat().st_size else b""
    if len(values) != size:
        raise InputError(
            f"{path} announces {size} values and holds "
            f"{'fewer' if len(values) < size else 'more'}; get the file again."
        )
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def find_idx_files(folder: Path) -> dict[str, Path]:
    """Those of the four files of a set that are in `folder`, plain or ``.gz``, by plain name."""
    found = {}
    for name in FILE_NAMES:
        for path in (folder / name, folder / f"{name}.gz"):
            if os.path.isfile(path):
                found[name] = path
                break
    return found


def read_idx_folder(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """The four arrays in `folder` by file name: images (n, height, width) and labels (n,).

    Raises `InputError` if a file is missing or broken, or images and labels differ in number.
    """
    paths = find_idx_files(folder)
    missing = [name for name in FILE_NAMES if name not in paths]
    if missing:
        raise InputError(
            f"{folder} lacks {', '.join(missing)}; a data folder holds the files "
            f"{', '.join(FILE_NAMES)}, plain or with .gz."
        )
    arrays = {name: read_idx(path, 3 if IMAGES in name else 1) for name, path in paths.items()}
    for part in (TRAIN, TEST):
        num_images, num_labels = len(arrays[f"{part}-{IMAGES}"]), len(arrays[f"{part}-{LABELS}"])
        if num_images != num_labels:
            raise InputError(
                f"{folder} has {num_images} images and {num_labels} labels in its {part} files; "
                "there must be one label per image."
            )
    return arrays
