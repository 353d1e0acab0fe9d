"""Zip archives of numpy arrays, read without trusting what they announce."""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from qhal.errors import InputError

# Deflate cannot shrink anything by more than 1032 : 1.
_MAX_RATIO = 1032
# An archive may unfold to so many bytes, or to so many times its own size if that is more.
_MAX_UNFOLDED = 2**28
_FAIR_RATIO = 50
_HEADER = re.compile(
    rb"\{'descr': '([<>|][biufU][1-9]\d{0,5})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, ?)*\d{0,18})\), \}\s*"
)
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_members(data: bytes, name: str) -> dict[str, bytes]:
    """The members of the zip archive in `data` by name; `name` is the file's, for errors."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            for member in members:
                _check_member(member, len(data), name)
            unfolded = sum(member.file_size for member in members)
            if unfolded > max(_MAX_UNFOLDED, _FAIR_RATIO * len(data)):
                raise InputError(
                    f"{name} would unfold from {len(data)} to {unfolded} bytes, which no sound "
                    "file does: it is damaged or made to fill the memory."
                )
            if len({member.filename for member in members}) < len(members):
                raise InputError(f"{name} is damaged: it holds two members of one name.")
            return {member.filename: archive.read(member) for member in members}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
    ) as error:
        if isinstance(error, InputError):
            raise
        # zipfile's own sentence may quote megabytes of the file.
        reason = f"{error!s:.100}"
        raise InputError(f"{name} is damaged or not what its suffix says: {reason}.") from None


def parse_array(data: bytes, what: str) -> npt.NDArray[Any]:
    """The array in `data`, the content of an ``.npy`` file; `what` names it in errors.

    Only numbers and text are taken (Python objects would need pickle), and nothing is allocated
    before the announced shape is known to be that of the data.
    """
    width = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}.get(data[:8])
    if width is None:
        raise InputError(f"{what} is not a numpy array of version 1 or 2.")
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    header = _HEADER.fullmatch(data[8 + width : start])
    if header is None:
        raise InputError(f"{what} holds no numbers or text, or its header is damaged.")
    dtype = np.dtype(header[1].decode())
    shape = tuple(map(int, header[3].replace(b",", b" ").split()))
    if math.prod(shape) * dtype.itemsize != len(data) - start or not dtype.itemsize:
        raise InputError(f"{what} announces the shape {shape}, which is not what follows.")
    order: Literal["C", "F"] = "F" if header[2] == b"True" else "C"
    array = np.frombuffer(data[start:], dtype).reshape(shape, order=order)
    if dtype.kind == "U":
        codes = np.frombuffer(data[start:], dtype.str[0] + "u4")
        if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise InputError(f"{what} holds text that is not Unicode.")
    return array


def write_arrays(arrays: Mapping[str, npt.ArrayLike]) -> bytes:
    """The content of a compressed ``.npz`` file, the same bytes for the same arrays."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(value), allow_pickle=False)
            info = zipfile.ZipInfo(f"{key}.npy")  # its date is the epoch of zip, not now
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.getvalue())
    return stream.getvalue()


def _check_member(member: zipfile.ZipInfo, num_bytes: int, name: str) -> None:
    if member.flag_bits & 1 or member.compress_type not in _READABLE:
        raise InputError(f"{name} is encrypted or compressed in a way that is not supported.")
    ratio = _MAX_RATIO if member.compress_type == zipfile.ZIP_DEFLATED else 1
    if member.compress_size > num_bytes or member.file_size > ratio * member.compress_size:
        raise InputError(
            f"{name} is damaged: its member {member.filename!r} announces {member.file_size} "
            "bytes, more than the file can hold."
        )
