"""Make the embedded data set again from Fashion-MNIST's original files, bit for bit.

    python tools/build_embedded_data.py [FOLDER]

FOLDER holds the four idx files (default: the one of Debian's package dataset-fashion-mnist). The
result is a plain ``.npz`` whose zip entries carry no time of day; with the same zlib it is the same
file on every machine. Pixels are stored as the sums of the 16 bytes they are averages of: exact,
so that the embedded set equals the pooled originals to the last bit, in 0.9 MB.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhal.datasets import fashion_mnist


def build_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """x_* uint16 (num_samples, 7, 7), y_* uint8 (num_samples,): 0 is coat, 1 is sandal."""
    samples = fashion_mnist.read_folder(folder)
    labels = [fashion_mnist.CLASS_NAMES.index(name) for name in fashion_mnist.EMBEDDED_CLASSES]
    arrays: dict[str, NDArray[Any]] = {}
    for part in ("train", "test"):
        x, y = getattr(samples, f"x_{part}"), getattr(samples, f"y_{part}")
        kept = np.isin(y, labels)
        arrays[f"x_{part}"] = fashion_mnist.pooled_sums(x[kept])
        arrays[f"y_{part}"] = np.searchsorted(labels, y[kept]).astype(np.uint8)
    return arrays


def write_npz(arrays: dict[str, NDArray[Any]], path: Path) -> None:
    """``numpy.savez_compressed`` without the time of writing."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)


def main() -> None:
    """Write the file into the package, next to its licence."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else fashion_mnist.DEBIAN_FOLDER
    target = Path(fashion_mnist.__file__).with_name(fashion_mnist.EMBEDDED_FILE)
    write_npz(build_arrays(folder), target)
    print(f"{target.name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
