"""Every seed and every finding of the fuzzer, replayed: only what is documented is raised."""

import random
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
FOUND = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name):
    assert TARGETS[name].seeds
    for seed in TARGETS[name].seeds:
        TARGETS[name].run(seed)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name[:20]}")
def test_findings_stay_fixed(path):
    TARGETS[path.parent.name].run(path.read_bytes())


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "command-line"])
def test_a_few_mutations(name):
    """What the fuzzer does, without its guidance: the same ones on every run."""
    rng = random.Random(name)
    target = TARGETS[name]
    for seed in target.seeds:
        for _ in range(25):
            data = bytearray(seed)
            for _ in range(rng.randint(1, 3)):
                at, width = rng.randrange(len(data) + 1), rng.choice((0, 1, 1, 4))
                word = rng.choice(target.words).encode() if target.words else b""
                data[at : at + width] = rng.choice((word, bytes([rng.randrange(256)]), b""))
            target.run(bytes(data))


def test_findings_belong_to_targets():
    assert {path.parent.name for path in FOUND} <= set(TARGETS)
