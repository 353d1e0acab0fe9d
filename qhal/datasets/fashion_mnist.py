"""Fashion-MNIST: 70,000 images of clothes, 28x28 pixels, ten classes, MIT licence.

Han Xiao, Kashif Rasul, Roland Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms, arXiv:1708.07747. Coat and sandal at 7x7 pixels come with qhal; the
whole set is looked for on the machine and fetched if it isn't there.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhal.datasets.arrays import read_npz
from qhal.datasets.dataset import (
    Dataset,
    LabelledSamples,
    build_dataset,
    check_classes,
    check_image_size,
    index_labels,
)
from qhal.datasets.idx import (
    FILE_NAMES,
    IMAGES,
    LABELS,
    TEST,
    TRAIN,
    find_idx_files,
    read_idx_folder,
)
from qhal.errors import InputError

CLASS_NAMES = tuple(
    "t-shirt trouser pullover dress coat sandal shirt sneaker bag ankle-boot".split()
)
EMBEDDED_CLASSES = ("coat", "sandal")
EMBEDDED_SIZE = 7
EMBEDDED_FILE = "coat_sandal_7x7.npz"

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
UPSTREAM = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
UPSTREAM_SHA256 = {
    "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
# Of the 10,000 test labels, one byte each: tells Fashion-MNIST from sets of the same layout.
_TEST_LABELS_SHA256 = "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"


def load_fashion_mnist(classes: Sequence[str] | None, image_size: int) -> Dataset:
    """Fashion-MNIST's `classes` (None: all ten) at `image_size` squared pixels, 1 to 28.

    Coat and sandal at 7x7, in either order, need no other file. For anything else the original
    files are read from ``$QHAL_DATA_DIR/fashion-mnist``, qhal's cache folder or the folder of
    Debian's package dataset-fashion-mnist, whichever has them first; else they are downloaded to
    the cache folder, which takes the package pooch (``qhal-core[data]``).
    """
    names = check_classes(classes, CLASS_NAMES, "fashion-mnist")
    check_image_size(image_size, 28)
    if image_size == EMBEDDED_SIZE and set(names) == set(EMBEDDED_CLASSES):
        return build_dataset(_read_embedded(), names, image_size)
    folder = next(_local_folders(), None) or _download(cache_folder())
    samples = read_folder(folder)
    if samples.class_names != CLASS_NAMES:
        raise InputError(
            f"the files in {folder} are not Fashion-MNIST's; remove them, or name the folder "
            "itself as the data set."
        )
    return build_dataset(samples, names, image_size)


def read_folder(folder: Path) -> LabelledSamples:
    """A set of four idx files; its classes are Fashion-MNIST's, or the labels as decimals."""
    arrays = read_idx_folder(folder)
    labels = arrays[f"{TRAIN}-{LABELS}"], arrays[f"{TEST}-{LABELS}"]
    y_train, y_test, names = index_labels(*labels)
    if hashlib.sha256(labels[1].tobytes()).hexdigest() == _TEST_LABELS_SHA256:
        names = CLASS_NAMES
    x_train, x_test = arrays[f"{TRAIN}-{IMAGES}"], arrays[f"{TEST}-{IMAGES}"]
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(f"training and test images in {folder} differ in size.")
    return LabelledSamples(x_train, y_train, x_test, y_test, names, 255, str(folder))


def pooled_sums(images: NDArray[Any]) -> NDArray[np.uint16]:
    """Sums over the 4x4 blocks of 28x28 images of bytes: shape (num_samples, 7, 7), 0 to 4080."""
    blocks = images.reshape(-1, EMBEDDED_SIZE, 4, EMBEDDED_SIZE, 4)
    return np.asarray(blocks.sum(axis=(2, 4), dtype=np.uint16))


def cache_folder() -> Path:
    """Where downloaded files are kept: ``fashion-mnist`` in ``qhal`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "qhal" / "fashion-mnist"


def _read_embedded() -> LabelledSamples:
    """The embedded set: its pixels are sums of 16 bytes, kept whole so that nothing is rounded."""
    with importlib.resources.as_file(
        importlib.resources.files(__package__) / EMBEDDED_FILE
    ) as path:
        arrays = read_npz(path)
    return LabelledSamples(
        **arrays, class_names=EMBEDDED_CLASSES, max_value=16 * 255, source="embedded Fashion-MNIST"
    )


def _local_folders() -> Iterator[Path]:
    """Folders on this machine that hold all four files."""
    data_dir = os.environ.get("QHAL_DATA_DIR")
    if data_dir and not Path(data_dir).is_dir():
        raise InputError(f"QHAL_DATA_DIR is {data_dir!r}, which is no folder; correct or unset it.")
    own = [Path(data_dir) / "fashion-mnist"] if data_dir else []
    for folder in (*own, cache_folder(), DEBIAN_FOLDER):
        if len(find_idx_files(folder)) == len(FILE_NAMES):
            yield folder


def _download(folder: Path) -> Path:
    """Fetch the original files, check their checksums, and leave them in `folder`."""
    try:
        import pooch
    except ImportError as error:
        raise InputError(
            "the original Fashion-MNIST files are not on this machine: install "
            "'qhal-core[data]' to download them, or Debian's package dataset-fashion-mnist, or set "
            "QHAL_DATA_DIR to a folder whose subfolder fashion-mnist holds them."
        ) from error
    registry = {f"{name}.gz": f"sha256:{digest}" for name, digest in UPSTREAM_SHA256.items()}
    files = pooch.create(path=folder, base_url=UPSTREAM, registry=registry)
    try:
        for name in registry:
            files.fetch(name)
    except (OSError, ValueError) as error:  # no network, no room, or a checksum that differs
        raise InputError(f"Fashion-MNIST could not be downloaded to {folder}: {error}.") from error
    return folder
