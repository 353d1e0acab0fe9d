"""What is run: one section for each oracle, precision, noise level and question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from families import EXACT, FAMILIES, LARGE, Instance, instance, numbers
from methods import COMPARED, METHODS, PARTS, PUBLISHED

REFERENCE_S = 3.0
WRONG, FLIPPED, SIGMAS = (0.0, 0.25, 0.5, 0.75), (0.01, 0.03, 0.1), (0.01, 0.03, 0.1)


@dataclass(frozen=True, kw_only=True)
class Section:
    """Every one of `methods` on every instance with every seed; `sizes` by family.

    `few` are methods that get the first `few_seeds` seeds only.
    """

    oracle: str = "cim"
    options: Mapping[str, Any] = field(default_factory=dict)
    sigma: float = 0.0
    methods: tuple[str, ...]
    seeds: int
    few: tuple[str, ...] = ()
    few_seeds: int = 3
    sizes: Mapping[str, tuple[int, ...]]
    per_size: int = 2
    calls: int = 24
    reads: int = 20


SIZES = {family: sizes for family, (_, sizes) in FAMILIES.items()}
MIDDLE = {family: sizes[:3] for family, sizes in SIZES.items()}
BITS = ("level", "level, whole", "penalty-sweep")
SMALL = {family: sizes[1:2] for family, sizes in SIZES.items()}


def _bits(bits: int, methods: tuple[str, ...] = ("level",)) -> Section:
    options = {"coefficient_bits": bits}
    return Section(options=options, methods=methods, seeds=3, sizes=MIDDLE, per_size=1, reads=50)


def _noisy(oracle: str = "cim", sigma: float = 0.0) -> Section:
    return Section(oracle=oracle, sigma=sigma, methods=("level",), seeds=3, sizes=SMALL, per_size=1)


SECTIONS: dict[str, Section] = {
    "exact": Section(
        oracle="exhaustive", methods=("level", "fully-corrective"), seeds=1, sizes=EXACT, per_size=3
    ),
    "cim": Section(methods=METHODS, seeds=10, few=PUBLISHED, few_seeds=10, sizes=SIZES),
    "parts": Section(methods=PARTS, seeds=3, sizes=MIDDLE, per_size=1),
    "8 bits": _bits(8, BITS),
    "6 bits": _bits(6, BITS),
    "10 bits": _bits(10),
    "5 bits": _bits(5),
    "4 bits": _bits(4),
    "sa": Section(
        oracle="sa",
        options={"num_sweeps": 100},
        methods=COMPARED,
        seeds=3,
        few=PUBLISHED,
        sizes=MIDDLE,
        per_size=1,
    ),
    "tabu": Section(
        oracle="tabu",
        options={"num_restarts": 0, "num_moves": 300},
        methods=COMPARED,
        seeds=3,
        few=PUBLISHED,
        sizes=MIDDLE,
        per_size=1,
    ),
    **{f"wrong {p}": _noisy(f"cim|noisy(wrong={p})") for p in WRONG},
    **{f"flipped {p}": _noisy(f"cim|noisy(bit_errors={p})") for p in FLIPPED},
    **{f"sigma {s}": _noisy(sigma=s) for s in SIGMAS},
    "large": Section(
        methods=("level", "penalty-sweep", "published 3"), seeds=3, sizes=LARGE, per_size=1
    ),
    "reference": Section(methods=("cpsat-reference",), seeds=1, sizes=SIZES),
}


@dataclass(frozen=True)
class Task:
    """One run; `key` names it in the results."""

    section: str
    family: str
    size: int
    number: int
    method: str
    seed: int

    @property
    def key(self) -> tuple[str | int, ...]:
        """What tells it from every other."""
        return (self.section, self.family, self.size, self.number, self.method, self.seed)

    @property
    def instance(self) -> Instance:
        """The problem it is about."""
        return _made(self.family, self.size, self.number)


def tasks(name: str, *, tuning: bool = False) -> Iterator[Task]:
    """The runs of a section, seed after seed, so that what is done is always balanced."""
    section = SECTIONS[name]
    for seed in range(section.seeds):
        for family, sizes in section.sizes.items():
            for size in sizes:
                for number in numbers(section.per_size, tuning=tuning):
                    few = section.few if seed < section.few_seeds else ()
                    for method in (*section.methods, *few):
                        yield Task(name, family, size, number, method, seed)


@lru_cache(maxsize=200)
def _made(family: str, size: int, number: int) -> Instance:
    return instance(family, size, number)
