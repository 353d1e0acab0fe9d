"""`qhal oracles`, `qhal plugins` and `qhal check`: what is there, and whether it is any good."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from qhal.chain import is_chain
from qhal.cli.docstrings import parameters
from qhal.cli.output import Output, command
from qhal.cli.tables import facts, table

# field of OracleInfo: (what it is about, if it is true, if not)
_CAPABILITIES = {
    "exact": ("answers", "exact: it proves minima (--certify, --reference)", "heuristic"),
    "seeded": ("same seed", "same samples", "other samples"),
    "honours_time_limit": ("time limit", "honoured", "ignored"),
    "accepts_initial_states": ("initial states", "accepted", "not accepted"),
    "remote": ("runs", "on another machine", "on this machine"),
}

# What a composite goes around comes before it.
_NO_OPTIONS = ("child", "oracles")


@command("plugins")
def plugins(output: Output, seed: int | None) -> None:
    """List all plugins, and why broken ones are broken.

    \b
    Example:
      qhal plugins --json
    """
    from qhal.registry import describe_plugins

    records = [_record(description) for description in describe_plugins()]
    rows = [[r["kind"], r["name"], _origin(r), r["available"]] for r in records]
    columns = ["kind", "name", "distribution", "available"]
    output.result({"plugins": records}, table(columns, rows), *_errors(records))


@command("oracles")
@click.argument("name", required=False)
def oracles(output: Output, seed: int | None, name: str | None) -> None:
    """List the oracles, or tell all about one (or about a chain such as "cim|precision").

    \b
    Examples:
      qhal oracles
      qhal oracles cim
    """
    from qhal.registry import describe_plugins

    if name is not None:
        record = _oracle(name)
        rows = [
            ["num_reads", record["default_num_reads"], "samples per call"],
            *(
                [key, "none" if value is None else value, record["meanings"][key]]
                for key, value in record["options"].items()
            ),
        ]
        output.result(
            record,
            facts(_about(record)),
            "",
            table(["option" if is_chain(name) else "--set", "default", "meaning"], rows),
        )
        return
    records = [_record(description) for description in describe_plugins("oracle")]
    rows = [
        [
            r["name"],
            _origin(r),
            r.get("exact"),
            r.get("coefficient_bits"),
            r.get("max_variables"),
            r.get("summary", "BROKEN, see below"),
        ]
        for r in records
    ]
    columns = ["name", "distribution", "exact", "bits", "limit", "summary"]
    output.result({"oracles": records}, table(columns, rows), *_errors(records))


@command("check")
@click.argument("name")
def check(output: Output, seed: int | None, name: str) -> int:
    """Check that NAME, an oracle, executor, activation or loss, keeps its promises.

    Runs the conformance kit of qhal.testing; exits with 1 if NAME fails it.

    \b
    Examples:
      qhal check sa
      qhal check hard-tanh
    """
    from qhal import testing

    checks: dict[str, Callable[[str], Any]] = {
        "oracle": testing.check_oracle,
        "executor": testing.check_executor,
        "activation": testing.check_activation,
        "loss": testing.check_loss,
    }
    kind = _kind(name, tuple(checks))
    report = checks[kind](name)
    verdict = "conforms." if report.passed else "does NOT conform."
    output.result(
        {"kind": kind, "name": name} | report.to_json(),
        table(["check", "outcome", "detail"], report.checks),
        f"{kind} {name!r} {verdict}",
    )
    return 0 if report.passed else 1


def _kind(name: str, kinds: tuple[str, ...]) -> str:
    """The first of `kinds` with a plugin of that name, or else the first."""
    from qhal.registry import plugin_records

    named = {record.kind for record in plugin_records() if record.name == name}
    return next((kind for kind in kinds if kind in named), kinds[0])


def _record(description: Any) -> dict[str, Any]:
    record = description.record
    about = asdict(description.entry) if record.kind == "oracle" and description.entry else {}
    return about | {
        "name": record.name,
        "kind": record.kind,
        "distribution": record.distribution,
        "version": record.version,
        "available": description.error is None,
        "error": description.error,
    }


def _oracle(name: str) -> dict[str, Any]:
    """The record of one oracle with its options; it is made, so it is known to load."""
    from qhal.registry import get_oracle

    oracle = get_oracle(name)
    taken = inspect.signature(type(oracle)).parameters.values()
    options = {
        p.name: None if p.default is p.empty else p.default
        for p in taken
        if p.name not in _NO_OPTIONS
    }
    documented = parameters(type(oracle))
    known = {
        "kind": "oracle",
        "available": True,
        "error": None,
        "default_num_reads": oracle.default_num_reads,
        "options": options,
        "meanings": {option: documented.get(option) for option in options},
    }
    return asdict(oracle.info) | known


def _about(record: dict[str, Any]) -> dict[str, Any]:
    """An oracle and what it can do, in words."""
    bits, limit = record["coefficient_bits"], record["max_variables"]
    capabilities = {label: words[not record[key]] for key, (label, *words) in _CAPABILITIES.items()}
    return {
        "name": record["name"],
        "summary": record["summary"],
        "from": _origin(record),
        **capabilities,
        "variables": "any number" if limit is None else f"at most {limit}",
        "coefficients": "of double precision" if bits is None else f"of {bits} bits",
        "connectivity": record["connectivity"],
    }


def _origin(record: dict[str, Any]) -> str:
    return f"{record['distribution']} {record['version']}"


def _errors(records: list[dict[str, Any]]) -> list[str]:
    return [f"\n{record['error']}" for record in records if record["error"]]
