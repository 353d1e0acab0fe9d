"""`compare`: one problem through several oracles, and what their results say of each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from qhal.api import as_qcbo, solve, versions
from qhal.chain import is_chain, parse_chain
from qhal.errors import InputError, QhalError, UnsupportedError, did_you_mean
from qhal.oracle import Oracle, checked_seed
from qhal.problems import Qcbo
from qhal.qcgd.certificate import meets
from qhal.qcgd.direct import solve_directly
from qhal.qcgd.limits import DEFAULT_ITERATIONS, Limits
from qhal.qcgd.loop import Callback
from qhal.registry import exact_oracle, make_oracle
from qhal.samples import Solution, Status, StopReason

Watch: TypeAlias = Callable[[str], AbstractContextManager[Callback | None]]
Row: TypeAlias = dict[str, Any]

_PROVED = (Status.OPTIMAL, Status.INFEASIBLE)
_RESULTS = (
    "objective raw_objective feasible certified lower_bound max_violation iterations oracle_calls "
    "oracle_reads oracle_time_s total_time_s seed method versions"
).split()


@dataclass(frozen=True)
class Comparison:
    """What several oracles made of one problem.

    Attributes
    ----------
    results : a dict for each oracle, the reference first
        oracle, reference (whether it is), status, gap_to_reference, stop_reason, error, and what
        a `Solution` has under the same names. `oracle` is the oracle's name, or what was asked for
        where several have the same; if that does not tell them apart, numbered. An oracle that
        refused or failed has the status "failed", its sentence in `error`, and no figures. See
        `qhal.schemas.load("comparison")`.
    agree : bool
        True only if every oracle that ran reached the same objective (as `meets` judges it), and
        nothing contradicts a proof. A reference counts as far as it got: with a
        proof, or with a better solution than the others.
    differences : who is how far above the best objective, or found nothing feasible
    contradictions : what cannot be true together, e.g. a value below a proved bound
    notes : what else the reader must know: failures, a reference that proved nothing
    interrupted : Ctrl-C ended the comparison; `results` are those so far
    """

    results: tuple[Mapping[str, Any], ...]
    agree: bool
    differences: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether all that was asked for was done, and the oracles agree."""
        done = not self.interrupted and all(row["error"] is None for row in self.results)
        return done and self.agree

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict."""
        return {
            "format": "qhal-comparison-1",
            "results": [dict(result) for result in self.results],
            "agree": self.agree,
            "differences": list(self.differences),
            "contradictions": list(self.contradictions),
            "notes": list(self.notes),
            "interrupted": self.interrupted,
        }


def compare(
    problem: Any,
    oracles: Sequence[str | Oracle],
    *,
    reference: str | Oracle | None = None,
    oracle_options: Mapping[str, Mapping[str, Any]] | None = None,
    method: str = "level",
    num_reads: int | None = None,
    iterations: int = DEFAULT_ITERATIONS,
    time_limit: float | None = None,
    max_oracle_calls: int | None = None,
    target: float | None = None,
    polish: bool = True,
    seed: int | None = None,
    watch: Watch | None = None,
) -> Comparison:
    """Solve `problem` with each of `oracles` and set the results side by side.

    An oracle that refuses the problem or fails costs no other its result. Ctrl-C ends the
    comparison with the results so far.

    Parameters
    ----------
    problem : as for `solve`
    oracles : list of names of oracles or `Oracle` objects
    reference : an exact oracle, which solves the whole problem directly if it can (``cpsat``)
    oracle_options : {name of an oracle: its options}
        They go to every entrant of this name, alone or at the start of a chain such as
        ``"cim|precision(bits=8)"``; under a whole chain, to this one alone. `num_reads` may be
        among them.
    method, num_reads, iterations, time_limit, max_oracle_calls, target, polish, seed
        As for `solve`, for each oracle; the reference has the time limit and the seed.
    watch : called with an oracle's name before it starts
        Returns a context manager around its run that gives the callback for `solve`, or None.

    Raises
    ------
    InputError
        For bad input, and if no oracle could run at all.
    """
    qcbo = as_qcbo(problem)
    limits = Limits(
        iterations=iterations,
        time_limit=time_limit,
        max_oracle_calls=max_oracle_calls,
        target=target,
    )
    if seed is not None:
        checked_seed(seed)
    if watch is not None and not callable(watch):
        raise InputError(f"watch must be a function, not {watch!r:.60}.")
    options = vars(limits) | {"method": method, "polish": polish, "seed": seed}
    entrants = _entrants(oracles, reference, oracle_options, num_reads)
    rows: list[Row] = []
    failures: list[Exception] = []
    interrupted = False
    try:
        for entrant in entrants:
            with (watch or _unwatched)(str(entrant)) as callback:
                try:
                    row = entrant.run(qcbo, options, callback)
                except Exception as error:  # noqa: BLE001 (must not take the others' results along)
                    row = entrant.failed(error)
                    failures.append(error)
            rows.append(row)
            interrupted = row["stop_reason"] == StopReason.INTERRUPTED
            if interrupted:
                break
    except KeyboardInterrupt:
        interrupted = True
    if failures and len(failures) == len(rows) and isinstance(failures[0], InputError):
        raise failures[0]
    return _judged(qcbo, sorted(rows, key=lambda row: not row["reference"]), interrupted)


@dataclass(frozen=True)
class _Entrant:
    """Somebody who takes part."""

    label: str
    oracle: Oracle
    num_reads: int | None
    is_reference: bool = False

    def __str__(self) -> str:
        return self.label + (" (reference)" if self.is_reference else "")

    def run(self, problem: Qcbo, options: Mapping[str, Any], callback: Callback | None) -> Row:
        """Its results."""
        solution = self._directly(problem, options) or solve(
            problem, oracle=self.oracle, num_reads=self.num_reads, callback=callback, **options
        )
        figures = {key: getattr(solution, key) for key in _RESULTS}
        return self._row(solution.status, figures | {"stop_reason": str(solution.stop_reason)})

    def failed(self, error: Exception) -> Row:
        """A row without results, but with the sentence that says why."""
        sentence = " ".join(str(error).split())
        if not isinstance(error, QhalError):
            sentence = f"unexpected {type(error).__name__}: {sentence}."
        return self._row("failed", {"error": sentence})

    def _directly(self, problem: Qcbo, options: Mapping[str, Any]) -> Solution | None:
        """A reference's own solution of the whole problem; None if it only takes QUBOs."""
        if not self.is_reference:
            return None
        limits = Limits(time_limit=options["time_limit"])
        try:
            solution = solve_directly(problem, self.oracle, limits, options["seed"])
            return replace(solution, versions=versions(self.oracle))
        except UnsupportedError:
            return None

    def _row(self, status: str, figures: Mapping[str, Any]) -> Row:
        row: Row = {
            "oracle": self.label,
            "reference": self.is_reference,
            "status": str(status),
        }
        empty = dict.fromkeys([*_RESULTS, "gap_to_reference", "stop_reason", "error"])
        return {**row, **empty, "feasible": False, "certified": False, **figures}


def _entrants(
    oracles: Sequence[str | Oracle],
    reference: str | Oracle | None,
    oracle_options: Mapping[str, Mapping[str, Any]] | None,
    num_reads: int | None,
) -> list[_Entrant]:
    """All who take part, the reference last: it may take longest."""
    if not isinstance(oracles, (list, tuple)):
        raise InputError(f"the oracles to compare are a list such as ['sa'], not {oracles!r:.60}.")
    if not oracles:
        raise InputError("name at least one oracle to compare.")
    everyone = [*oracles] if reference is None else [*oracles, reference]
    options = oracle_options or {}
    if not isinstance(options, Mapping):
        raise InputError(f"oracle_options are {{oracle: its options}}, not {options!r:.60}.")
    texts = [each for each in everyone if isinstance(each, str)]
    names = {text: _starts_with(text) for text in texts}
    for key in options:
        if key not in {*names, *names.values()}:
            inside = next((text for text in texts if is_chain(text) and str(key) in text), None)
            raise InputError(
                f"there are options for {key!r}, which is not compared"
                f"{did_you_mean(str(key), [*names, *names.values()])}"
                + (f" Options of what is within {inside!r} are written there." if inside else "")
            )
    made: list[tuple[Oracle, int | None, bool]] = []
    for index, each in enumerate(everyone):
        own: dict[str, Any] = {}
        for key in dict.fromkeys((names[each], each)) if isinstance(each, str) else ():
            given = options.get(key, {})
            if not isinstance(given, Mapping):
                raise InputError(f"the options of {key!r} are a dict, not {given!r:.60}.")
            own |= given
        reads = own.pop("num_reads", num_reads)
        is_reference = index == len(oracles)
        oracle = (exact_oracle if is_reference else make_oracle)(each, own)
        made.append((oracle, reads, is_reference))
    labels = _labels(oracles, [oracle for oracle, _, is_reference in made if not is_reference])
    labels += [oracle.info.name for oracle, _, is_reference in made if is_reference]
    return [_Entrant(label, *each) for label, each in zip(labels, made, strict=True)]


def _starts_with(text: str) -> str:
    """The oracle at the start of the chain `text`."""
    return parse_chain(text).links[0].name if is_chain(text) else text


def _labels(asked: Sequence[str | Oracle], oracles: Sequence[Oracle]) -> list[str]:
    """What tells the rows apart: see `Comparison.results`."""
    names = [oracle.info.name for oracle in oracles]
    labels = [
        text if names.count(name) > 1 and isinstance(text, str) else name
        for text, name in zip(asked, names, strict=True)
    ]
    for label in {label for label in labels if labels.count(label) > 1}:
        same = [index for index, other in enumerate(labels) if other == label]
        for number, index in enumerate(same[1:], start=2):
            labels[index] = f"{label} ({number})"
    return labels


def _judged(problem: Qcbo, rows: list[Row], interrupted: bool) -> Comparison:
    """See `Comparison`."""
    solved = [row for row in rows if row["objective"] is not None]
    best = min(solved, key=lambda row: row["objective"], default=None)
    proved = [row for row in rows if row["reference"] and row["status"] == Status.OPTIMAL]
    if best is not None:
        base = (proved or [best])[0]["objective"]
        for row in solved:
            row["gap_to_reference"] = (row["objective"] - base) / max(1.0, abs(base))
    differences = tuple(_differences(problem, rows, best))
    contradictions = tuple(_contradictions(problem, rows, best))
    ran = [row for row in rows if row["error"] is None]
    agree = best is not None and bool(ran) and not differences and not contradictions
    notes = tuple(_notes(rows, best))
    return Comparison(tuple(rows), agree, differences, contradictions, notes, interrupted)


def _differences(problem: Qcbo, rows: Sequence[Row], best: Row | None) -> list[str]:
    texts = []
    for row in rows:
        unproved = row["reference"] and row["status"] not in _PROVED
        if best is None or row["error"] is not None or unproved:
            continue
        if row["objective"] is None:
            texts.append(f"{row['oracle']} found nothing feasible.")
        elif not meets(problem, row["objective"], best["objective"]):
            above = row["objective"] - best["objective"]
            texts.append(
                f"{row['oracle']} is {above:.6g} above the best, {best['objective']:.10g} "
                f"of {best['oracle']}."
            )
    return texts


def _contradictions(problem: Qcbo, rows: Sequence[Row], best: Row | None) -> list[str]:
    if best is None:
        return []
    value, finder = best["objective"], best["oracle"]
    texts = []
    for row in rows:
        name, bound = row["oracle"], row["lower_bound"]
        if row["status"] == Status.INFEASIBLE:
            texts.append(f"{name} calls the problem infeasible, but {finder} solved it.")
        elif row["status"] == Status.OPTIMAL and not meets(problem, row["objective"], value):
            texts.append(
                f"{name} calls {row['objective']:.10g} optimal, but {finder} found {value:.10g}."
            )
        elif bound is not None and not meets(problem, bound, value):
            texts.append(
                f"{name} proved that nothing lies below {bound:.10g}, but {finder} found "
                f"{value:.10g}."
            )
    return texts


def _notes(rows: Sequence[Row], best: Row | None) -> list[str]:
    texts = [f"{row['oracle']} failed: {row['error']}" for row in rows if row["error"]]
    for row in rows:
        if row["reference"] and row["error"] is None and row["status"] not in _PROVED:
            bound = row["lower_bound"]
            proved = "nothing" if bound is None else f"only that nothing lies below {bound:.10g}"
            texts.append(f"The reference {row['oracle']} ended early: it proved {proved}.")
    if best is None and rows:
        provers = [row["oracle"] for row in rows if row["status"] == Status.INFEASIBLE]
        texts.append(
            f"{provers[0]} proved that the problem has no feasible solution."
            if provers
            else "Nobody found a feasible solution."
        )
    return texts


def _unwatched(name: str) -> AbstractContextManager[None]:
    return nullcontext()
