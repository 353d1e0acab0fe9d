import functools
import gzip
import hashlib
import http.server
import importlib.util
import struct
import sys
import threading
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from qhal.datasets import fashion_mnist, load_dataset
from qhal.datasets.idx import FILE_NAMES, find_idx_files
from qhal.errors import InputError
from tests.datasets.idx_files import write_idx_folder

EMBEDDED = Path(fashion_mnist.__file__).with_name(fashion_mnist.EMBEDDED_FILE)
EMBEDDED_SHA256 = "35df6b1055f428669d90cb673172d6060e71cc57513b7d99d2a91d8809de4a29"
ARRAY_SHA256 = {
    "x_train": "b2766894179a10360ae19628022a6cb932f2533ca18f90366cd2b15c6c927144",
    "y_train": "a1d3952b62eeec4ed21d40f64240347facbe725a1a9102bbb75bb2e7f81b5c72",
    "x_test": "985cf4241c13826c9e6afadca34f3eef5b2b820b9854cbeefc78e1da4b429507",
    "y_test": "f5aef47b9cf8846a10097a642fdfdf0ae114ac35c9b7bfb042f14ca452838e48",
}
TOOL = Path(__file__).parents[2] / "tools" / "build_embedded_data.py"

needs_originals = pytest.mark.skipif(
    len(find_idx_files(fashion_mnist.DEBIAN_FOLDER)) < len(FILE_NAMES),
    reason="Fashion-MNIST's original files are not there: install dataset-fashion-mnist (Debian)",
)


@pytest.fixture
def nothing_local(tmp_path, monkeypatch):
    """A machine on which no original file is found."""
    monkeypatch.delenv("QHAL_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "nowhere")


@pytest.fixture
def small_set(tmp_path, monkeypatch):
    """The files of a set with two samples per class that passes for Fashion-MNIST."""
    folder = tmp_path / "small" / "fashion-mnist"
    labels = np.repeat(np.arange(10, dtype=np.uint8), 2)
    write_idx_folder(folder, labels, labels, side=28)
    digest = hashlib.sha256(labels.tobytes()).hexdigest()
    monkeypatch.setattr(fashion_mnist, "_TEST_LABELS_SHA256", digest)
    return folder


def test_embedded_file_is_the_one_that_was_built():
    assert hashlib.sha256(EMBEDDED.read_bytes()).hexdigest() == EMBEDDED_SHA256
    assert EMBEDDED.stat().st_size < 900_000
    with np.load(EMBEDDED, allow_pickle=False) as file:
        digests = {name: hashlib.sha256(file[name].tobytes()).hexdigest() for name in file.files}
        layout = {name: (file[name].dtype.str, file[name].shape) for name in file.files}
    assert digests == ARRAY_SHA256
    assert layout == {
        "x_train": ("<u2", (12000, 7, 7)),
        "y_train": ("|u1", (12000,)),
        "x_test": ("<u2", (2000, 7, 7)),
        "y_test": ("|u1", (2000,)),
    }


def test_licence_lies_beside_the_embedded_file():
    text = EMBEDDED.with_name("FASHION_MNIST_LICENSE.txt").read_text(encoding="utf-8")
    assert "The MIT License" in text
    assert "Copyright (c) 2017 Zalando SE" in text


@needs_originals
def test_embedded_file_is_built_again_from_the_originals(tmp_path):
    spec = importlib.util.spec_from_file_location("build_embedded_data", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    rebuilt = tmp_path / "rebuilt.npz"
    tool.write_npz(tool.build_arrays(fashion_mnist.DEBIAN_FOLDER), rebuilt)
    with zipfile.ZipFile(rebuilt) as new, zipfile.ZipFile(EMBEDDED) as old:
        assert new.namelist() == old.namelist()
        assert all(new.read(name) == old.read(name) for name in old.namelist())
    # zlib-ng packs the same contents into other bytes than zlib
    if "ng" not in zlib.ZLIB_RUNTIME_VERSION:
        assert rebuilt.read_bytes() == EMBEDDED.read_bytes()


@needs_originals
def test_embedded_set_equals_the_pooled_originals():
    embedded = load_dataset("fashion-mnist")
    whole = load_dataset(fashion_mnist.DEBIAN_FOLDER, classes="coat,sandal", image_size=7)
    for name in ("x_train", "y_train", "x_test", "y_test", "class_names", "image_size"):
        assert np.array_equal(getattr(embedded, name), getattr(whole, name))


@needs_originals
def test_checksums_of_the_upstream_files():
    """Debian packs the files without name and time; with them they are upstream's, bit for bit."""
    packed_at = {"train": 1504176606, "t10k": 1504176627}
    for name, expected in fashion_mnist.UPSTREAM_SHA256.items():
        packed = (fashion_mnist.DEBIAN_FOLDER / f"{name}.gz").read_bytes()
        header = struct.pack("<HBBIBB", 0x8B1F, 8, 8, packed_at[name.split("-")[0]], 0, 3)
        digest = hashlib.sha256(header + name.encode() + b"\0" + packed[10:])
        assert digest.hexdigest() == expected


def test_default_is_coat_and_sandal_and_needs_no_other_file(nothing_local):
    dataset = load_dataset("fashion-mnist")
    assert dataset.class_names == ("coat", "sandal")
    assert dataset.image_size == 7
    assert dataset.x_train.shape == (12000, 49)
    assert dataset.x_test.shape == (2000, 49)
    assert np.bincount(dataset.y_train).tolist() == [6000, 6000]
    assert np.bincount(dataset.y_test).tolist() == [1000, 1000]
    assert dataset.x_train.min() == 0
    assert 0.9 < dataset.x_train.max() <= 1
    # Coats are dark all over, sandals are not: the right images under the right labels.
    assert dataset.x_train[dataset.y_train == 0].mean() > 0.3
    assert dataset.x_train[dataset.y_train == 1].mean() < 0.2


def test_order_of_the_two_classes(nothing_local):
    first = load_dataset("fashion-mnist", classes=("coat", "sandal"), image_size=7)
    other = load_dataset("fashion-mnist", classes="sandal, coat", image_size=7)
    assert other.class_names == ("sandal", "coat")
    assert np.array_equal(first.x_train, other.x_train)
    assert np.array_equal(first.y_train, 1 - other.y_train)


@needs_originals
def test_all_classes_of_the_originals():
    dataset = load_dataset("fashion-mnist", classes=None, image_size=4)
    assert dataset.class_names == fashion_mnist.CLASS_NAMES
    assert dataset.x_train.shape == (60000, 16)
    assert np.bincount(dataset.y_train).tolist() == [6000] * 10
    assert np.bincount(dataset.y_test).tolist() == [1000] * 10


@pytest.mark.parametrize("size", [0, -7, 29])
def test_impossible_image_sizes(nothing_local, size):
    with pytest.raises(InputError, match=f"between 1 and 28, got {size}"):
        load_dataset("fashion-mnist", image_size=size)


def test_data_dir_is_searched_first(nothing_local, small_set, monkeypatch):
    monkeypatch.setenv("QHAL_DATA_DIR", str(small_set.parent))
    dataset = load_dataset("fashion-mnist", classes="all", image_size=14)
    assert dataset.source == str(small_set)
    assert dataset.x_train.shape == (20, 196)
    assert dataset.class_names == fashion_mnist.CLASS_NAMES
    monkeypatch.setenv("QHAL_DATA_DIR", str(small_set / "typo"))
    with pytest.raises(InputError, match="QHAL_DATA_DIR is .* no folder"):
        load_dataset("fashion-mnist", classes="all")


def test_other_sets_do_not_pass_for_fashion_mnist(nothing_local, tmp_path, monkeypatch):
    write_idx_folder(tmp_path / "fashion-mnist", [0, 1], [0, 1], side=28)
    monkeypatch.setenv("QHAL_DATA_DIR", str(tmp_path))
    with pytest.raises(InputError, match="are not Fashion-MNIST's"):
        load_dataset("fashion-mnist", classes="all")


def test_without_originals_and_pooch_the_error_says_what_to_install(nothing_local, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        InputError, match=r"qhal-core\[data\].*dataset-fashion-mnist.*QHAL_DATA_DIR"
    ):
        load_dataset("fashion-mnist", image_size=14)


@pytest.fixture
def upstream(nothing_local, small_set, monkeypatch):
    """A server that offers the files of the small set; the list of paths asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=small_set)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(fashion_mnist, "UPSTREAM", url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(
            fashion_mnist,
            "UPSTREAM_SHA256",
            {
                name: hashlib.sha256(path.read_bytes()).hexdigest()
                for name, path in find_idx_files(small_set).items()
            },
        )
        yield asked
        server.shutdown()


def test_missing_files_are_fetched_once(upstream):
    first = load_dataset("fashion-mnist", classes="all")
    assert sorted(upstream) == sorted(f"/{name}.gz" for name in FILE_NAMES)
    assert first.source == str(fashion_mnist.cache_folder())
    second = load_dataset("fashion-mnist", classes="all")
    assert len(upstream) == 4
    assert np.array_equal(first.x_train, second.x_train)


def test_a_fetched_file_with_another_checksum_is_refused(upstream, small_set):
    tampered = small_set / f"{FILE_NAMES[0]}.gz"
    tampered.write_bytes(gzip.compress(b"something else"))
    with pytest.raises(InputError, match="could not be downloaded .* hash"):
        load_dataset("fashion-mnist", classes="all")
    assert not find_idx_files(fashion_mnist.cache_folder())


def test_no_network(nothing_local, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "UPSTREAM", "http://127.0.0.1:9/")
    with pytest.raises(InputError, match="could not be downloaded"):
        load_dataset("fashion-mnist", classes="all")
