"""`qhal oracles`, `qhal plugins` and `qhal check`: what is there, and whether it is any good."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import Any

import click

from qhal.cli.output import Output, command, facts, table


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
    """List the oracles, or tell all about one.

    \b
    Examples:
      qhal oracles
      qhal oracles cim
    """
    from qhal.registry import describe_plugins

    if name is not None:
        record = _oracle(name)
        output.result(
            record,
            facts({key: value for key, value in record.items() if key not in ("error", "options")}),
            "",
            table(
                ["--set", "default"], [("num_reads", "the oracle's"), *record["options"].items()]
            ),
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
    """Check that the oracle NAME keeps its promises.

    Runs the conformance kit of qhal.testing; exits with 1 if the oracle fails it.

    \b
    Example:
      qhal check sa
    """
    from qhal.testing import check_oracle

    report = check_oracle(name)
    verdict = "conforms." if report.passed else "does NOT conform."
    output.result(
        report.to_json(),
        table(["check", "outcome", "detail"], report.checks),
        f"oracle {name!r} {verdict}",
    )
    return 0 if report.passed else 1


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
    parameters = inspect.signature(type(oracle)).parameters.values()
    options = {p.name: None if p.default is p.empty else p.default for p in parameters}
    known = {"kind": "oracle", "available": True, "error": None, "options": options}
    return asdict(oracle.info) | known


def _origin(record: dict[str, Any]) -> str:
    return f"{record['distribution']} {record['version']}"


def _errors(records: list[dict[str, Any]]) -> list[str]:
    return [f"\n{record['error']}" for record in records if record["error"]]
