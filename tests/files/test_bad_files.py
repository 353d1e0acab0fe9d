"""Whatever is wrong with a file: one sentence that names it, and never anything but InputError."""

import os
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhal.errors import InputError
from qhal.files import FORMATS, read_problem, write_problem
from qhal.problems import Qcbo

from .samples import LP, TEXTS, complaint, outcome, refused


def test_the_samples_are_valid(tmp_path, samples):
    assert set(samples) == set(FORMATS)
    for suffix, content in samples.items():
        path = tmp_path / f"good{suffix}"
        path.write_bytes(content)
        assert read_problem(path).num_variables >= 2


def test_missing_file(tmp_path):
    assert "No such file" in complaint(tmp_path / "absent.lp")


def test_wrong_types(tmp_path):
    problem = Qcbo.from_arrays([[1.0]])
    for call in (lambda: read_problem(None), lambda: write_problem(problem, 3)):
        with pytest.raises(InputError, match="a file is named by its path, not by"):
            call()
    with pytest.raises(InputError, match="what is written is a Qcbo, not a NoneType"):
        write_problem(None, tmp_path / "out.lp")


def test_folder(tmp_path):
    (tmp_path / "folder.lp").mkdir()
    assert "is a folder, not a file" in complaint(tmp_path / "folder.lp")


def test_path_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    assert "Not a directory" in complaint(tmp_path / "file" / "problem.lp")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.lp")
    assert "is a device, not a file" in complaint(tmp_path / "pipe.lp")


def test_impossible_path():
    assert "null" in complaint("zero\0byte.lp")


@pytest.mark.parametrize("name", ["problem.txt", "problem", "problem.osil", "G1.old", ".lp"])
def test_unsupported_suffixes_are_answered_with_the_supported(tmp_path, name):
    (tmp_path / name).write_text(LP)
    text = complaint(tmp_path / name)
    assert all(suffix in text for suffix in FORMATS)


def test_a_format_that_is_not_written(tmp_path):
    problem = Qcbo.from_arrays([[1.0]])
    with pytest.raises(InputError, match="can only be read; to write, use one of .lp"):
        write_problem(problem, tmp_path / "out.dat")


@pytest.mark.parametrize("suffix", FORMATS)
def test_empty_files(tmp_path, suffix):
    refused(tmp_path, suffix, b"")


@pytest.mark.parametrize("suffix", FORMATS)
def test_other_bytes(tmp_path, suffix):
    refused(tmp_path, suffix, b"\xff\xfe\x00P\x00K" * 40)


@pytest.mark.parametrize("suffix", TEXTS)
def test_utf16_text_is_not_taken_for_ours(tmp_path, suffix):
    assert "not a text file" in refused(tmp_path, suffix, TEXTS[suffix].encode("utf-16"))


@pytest.mark.parametrize("suffix", TEXTS)
def test_byte_order_marks_and_windows_line_ends_are_fine(tmp_path, suffix):
    path = tmp_path / f"windows{suffix}"
    path.write_bytes(b"\xef\xbb\xbf" + TEXTS[suffix].replace("\n", "\r\n").encode())
    assert read_problem(path).num_variables >= 2


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_truncation_is_noticed_or_harmless(tmp_path, samples, suffix):
    content = samples[suffix]
    path = tmp_path / f"cut{suffix}"
    complete = 0
    for length in range(0, len(content), max(1, len(content) // 150)):
        path.write_bytes(content[:length])
        complete += outcome(path) is None
    # Text may lose its last line break, a COO list, which announces nothing, whole lines, and
    # QPLIB the names at its end.
    assert complete <= {".coo": 10, ".qplib": 10}.get(suffix, 4)


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=150)
@given(data=st.data())
def test_damaged_files_raise_input_errors_only(tmp_path_factory, samples, suffix, data):
    content = bytearray(samples[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.one_of(st.binary(max_size=6), st.text("0123456789-+.eE *[]:=<>\n/xk")))
        width = data.draw(st.integers(0, 8))
        content[position : position + width] = piece if isinstance(piece, bytes) else piece.encode()
        if not content:
            break
    path = tmp_path_factory.mktemp("damaged") / f"bad{suffix}"
    path.write_bytes(bytes(content))
    text = outcome(path)
    assert text is None or str(path) in text


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".lp", "Minimize\nSubject To\nEnd\n"),
        (".mps", "NAME\nROWS\n N obj\nCOLUMNS\nRHS\nENDATA\n"),
        (".qplib", "none\nLBN\nminimize\n0\n0\n0\n0\n1e20\n0\n0\n0\n0\n0\n0\n"),
        (".coo", "# vartype=BINARY\n"),
        (".qubo", "p qubo 0 0 0 0\n"),
        (".mc", "0 0\n"),
        (".dat", "0\n"),
        (".npz", FORMATS[".npz"].write(Qcbo.from_arrays(np.zeros((0, 0))))),
        (".bqm", FORMATS[".bqm"].write(Qcbo.from_arrays(np.zeros((0, 0))))),
        (".cqm", FORMATS[".cqm"].write(Qcbo.from_arrays(np.zeros((0, 0))))),
    ],
)
def test_no_variables(tmp_path, suffix, content):
    assert "has no variables: nothing to solve" in refused(tmp_path, suffix, content)


@pytest.mark.parametrize(
    "bad", ["nan", "inf", "-Infinity", "1e400", "0x10", "1_0", "１", "1,5", "abc"]
)
@pytest.mark.parametrize("suffix", [".mps", ".qplib", ".coo", ".qubo", ".mc", ".dat"])
def test_numbers_must_be_finite_decimals(tmp_path, suffix, bad):
    values = {".mps": "-5", ".qplib": "-8", ".coo": "-2", ".qubo": "-2", ".mc": "-1", ".dat": "3"}
    value = values[suffix]
    head, _, tail = TEXTS[suffix].rpartition(value)
    text = refused(tmp_path, suffix, head + bad + tail)
    assert re.search(r"line \d+: .* (not a finite number|too large)", text)


# --- writing --------------------------------------------------------------------------------------


def test_what_a_format_cannot_hold(tmp_path):
    rows = Qcbo.from_arrays([[1.0]], A_le=[[1]], b_le=[1])
    whole = Qcbo.from_arrays([[1.0]], upper=[3], names=["k"])
    for suffix in (".bqm", ".coo", ".qubo", ".mc"):
        with pytest.raises(InputError, match="this problem has constraints .1.: write an .lp"):
            write_problem(rows, tmp_path / f"out{suffix}")
        with pytest.raises(InputError, match="'k' of this problem is not binary"):
            write_problem(whole, tmp_path / f"out{suffix}")
    with pytest.raises(InputError, match="not minus the weight of a cut"):
        write_problem(Qcbo.from_arrays([[1.0, 1.0], [0, 1.0]]), tmp_path / "out.mc")
    for name, expected in (
        ("free", "a keyword"),
        ("two words", "characters"),
        ("9x", "start with"),
    ):
        with pytest.raises(InputError, match=expected):
            write_problem(Qcbo.from_arrays([[1.0]], names=[name]), tmp_path / "out.lp")
    for suffix, name in ((".mps", "two words"), (".mps", "*x"), (".qplib", "a\tb"), (".mps", "")):
        with pytest.raises(InputError, match="cannot hold the name"):
            write_problem(Qcbo.from_arrays([[1.0]], names=[name]), tmp_path / f"out{suffix}")
    huge = Qcbo.from_arrays([[1e308]], upper=[2])
    for suffix in (".mps", ".qplib"):
        with pytest.raises(InputError, match="cannot hold a coefficient this large"):
            write_problem(huge, tmp_path / f"out{suffix}")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    problem = Qcbo.from_arrays([[1.0]])
    for path in (tmp_path / "absent" / "out.lp", tmp_path / "file" / "out.lp", tmp_path):
        with pytest.raises(InputError, match="cannot write|cannot tell"):
            write_problem(problem, path)
