"""Files made to do harm are refused within limits that the operating system enforces."""

import io
import json
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from qhal.files import FORMATS
from qhal.problems import Qcbo

from .samples import LP, MPS, QPLIB

MEMORY, CPU_S = 900 * 2**20, 25
SCRIPT = f"""
import json, pathlib, resource, sys
import qhal.files
from qhal.errors import InputError
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_S}, {CPU_S}))
answers = {{}}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        qhal.files.read_problem(path)
        answers[path.name] = ""
    except InputError as error:
        answers[path.name] = str(error)
    print(path.name, file=sys.stderr, flush=True)
print(json.dumps(answers))
"""


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npy(shape: tuple[int, ...], content: bytes) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def bomb(unfolded: int) -> bytes:
    """A zip archive of one member that is `unfolded` zero bytes, and no larger than 1032 : 1."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("linear.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(unfolded // 2**20):
            member.write(bytes(2**20))
    return stream.getvalue()


def overlapping(copies: int, size: int) -> bytes:
    """A zip archive whose directory names one compressed member many times."""
    content = zipped({"a.npy": bytes(size)})
    start = content.index(b"PK\x01\x02")
    end = content.rindex(b"PK\x05\x06")
    entry = content[start:end]
    directory = b"".join(entry.replace(b"a.npy", b"%05d" % k) for k in range(copies))
    counts = struct.pack("<HHII", copies, copies, len(directory), start)
    return content[:start] + directory + b"PK\x05\x06" + bytes(4) + counts + bytes(2)


PROBLEM = Qcbo.from_arrays([[1, -2], [0, 0.5]], A_le=[[1, 1]], b_le=[1], names=["left", "right"])
NPZ = FORMATS[".npz"].write(PROBLEM)
BQM = FORMATS[".bqm"].write(Qcbo.from_arrays([[1, -2], [0, 0.5]]))
CQM = FORMATS[".cqm"].write(PROBLEM)
LONG = "9" * 2_000_000
BILLION = 10**9
HOSTILE = {
    "announced.qplib": QPLIB.replace("3 # v", f"{BILLION} # v"),
    "entries.qplib": QPLIB.replace("2 # quad", f"{BILLION} # quad"),
    "announced.mc": f"{BILLION} 1\n1 2 1\n",
    "edges.mc": f"9 {BILLION}\n1 2 1\n",
    "announced.dat": f"{BILLION}\n0 1\n",
    "announced.qubo": f"p qubo 0 {BILLION} {BILLION} 0\n0 0 1\n",
    "announced.bqm": BQM.replace(b'"shape": [2, 1]', b'"shape": [%d, 1]' % BILLION),
    "announced.npz": zipped({"linear.npy": npy((BILLION,), bytes(8))}),
    "shape.npz": zipped({"linear.npy": npy((2**62, 2**62), bytes(8))}),
    "bomb.npz": bomb(2**30),
    "bomb.cqm": CQM[: CQM.index(b"PK")] + bomb(2**30),
    "overlapping.npz": overlapping(5000, 2**20),
    "twice.npz": zipped({"x.npy": b"", "./x.npy": b""}),
    "digits.lp": LP.replace("2 x", f"{LONG}x x"),
    "digits.mps": MPS.replace("4     second", f"{LONG}x second"),
    "digits.qplib": QPLIB.replace("7.5", f"{LONG}x"),
    "digits.coo": f"# vartype=BINARY\n0 0 {LONG}x\n",
    "digits.dat": f"{LONG}x\n",
    "signs.lp": LP.replace("2 x", "- " * 500_000 + "2 ]"),
    "brackets.lp": LP.replace("[ 4", "[ " * 500_000 + "4"),
    "nested.bqm": BQM.replace(b'"vartype"', b"[" * 200_000 + b'"vartype"'),
    "line.coo": "# vartype=BINARY\n" + "0 " * 2_000_000,
    "offset.coo": "#" + "offset=" * 200_000 + " " * 200_000,
    "columns.mps": MPS.replace("QUADOBJ", "QUADOBJ\n" + "    x  k\n" * 200_000),
    "bounds.lp": LP.replace("-2 <= k <= 5", "-2 <= k <= 5" + " <= 5" * 200_000),
    "wide.lp": LP.replace("-2 <= k <= 5", "0 <= k <= 1e300"),
    "encoding.lp": LP.encode("utf-16"),
    "latin.mps": MPS.replace("NAME test", "NAME tést").encode("latin-1"),
    "nan.mps": MPS.replace("first     4", "first     nan"),
    "nan.npz": NPZ[:-40],
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    for name, content in HOSTILE.items():
        data = content if isinstance(content, bytes) else content.encode()
        assert len(data) < 5 * 2**20
        (folder / name).write_bytes(data)
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_in_one_sentence_within_bounds(answers, name):
    text = answers[name]
    assert name in text, text
    assert "\n" not in text
    assert len(text) < 600


def test_bombs_are_not_unfolded(answers):
    for name in ("bomb.npz", "bomb.cqm", "overlapping.npz"):
        assert "would unfold from" in answers[name]


@pytest.mark.parametrize("trick", ["../../escape", "/tmp/escape", "C:\\escape", "linear\0x"])
def test_names_of_members_are_names_and_no_paths(tmp_path, trick):
    """Nothing in an archive is ever written to a disk; a strange name is a missing array."""
    from qhal.errors import InputError
    from qhal.files import read_problem

    content = zipped({f"{trick}.npy": npy((1,), bytes(8)), "format.npy": npy((1,), bytes(8))})
    path = tmp_path / "inner" / "trick.npz"
    path.parent.mkdir()
    path.write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="is not a problem of qhal"):
        read_problem(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_large_sound_archives_are_still_read(tmp_path):
    """A million equal coefficients fold to almost nothing, and that is no crime."""
    from qhal.files import read_problem, write_problem

    path = tmp_path / "equal.npz"
    write_problem(Qcbo.from_arrays(linear=np.ones(200_000)), path)
    assert path.stat().st_size < 2**21
    assert read_problem(path).num_variables == 200_000
