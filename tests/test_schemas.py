"""Every JSON document that qhal writes is as its schema says, for every command and oracle."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import qhal
from qhal import schemas
from qhal.cli import main
from qhal.errors import UnknownNameError
from qhal.samples import Status, StopReason

jsonschema = pytest.importorskip("jsonschema")

LP = """Minimize
 - 5 a - 4 b + [ - 4 a * c ] / 2
Subject To
 2 a + 3 b + c <= 4
Binary
 a b c
End
"""
QUBO = qhal.Qubo([[1, -3, 0], [0, 1, 2], [0, 0, -1]], 0.5)


def check(name: str, document: object) -> None:
    """`document`, as it comes out of JSON, is as the schema `name` says."""
    plain = json.loads(json.dumps(document, allow_nan=False))
    jsonschema.Draft202012Validator(schemas.load(name)).validate(plain)


@pytest.fixture
def problem(tmp_path):
    path = tmp_path / "problem.lp"
    path.write_text(LP)
    return path


@pytest.fixture
def run(problem, tmp_path, monkeypatch):
    """Runs a line of the command line, FILE standing for a problem; its JSON document."""
    monkeypatch.chdir(tmp_path)

    def document(line: str, code: int = 0) -> dict:
        words = [str(problem) if word == "FILE" else word for word in line.split()]
        result = CliRunner().invoke(main, [*words, "--json"])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    return document


@pytest.mark.parametrize("name", schemas.names())
def test_schemas_are_schemas_and_say_what_they_describe(name):
    schema = schemas.load(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["description"].endswith(".")
    for key, about in schema["properties"].items():
        assert about["description"], key
        if "time" in key and about.get("type") in ("number", ["number", "null"]):
            assert key.endswith("_s"), key


def test_enumerations_are_those_of_the_code():
    about = schemas.load("solution")["properties"]
    assert about["status"]["enum"] == [str(status) for status in Status]
    assert about["stop_reason"]["enum"] == [str(reason) for reason in StopReason]
    kinds = schemas.load("plugins")["properties"]["plugins"]["items"]["properties"]["kind"]["enum"]
    from qhal.registry import KINDS

    assert set(kinds) == set(KINDS)


def test_unknown_schemas():
    with pytest.raises(UnknownNameError, match="no schema 'solutoin'; did you mean 'solution'"):
        schemas.load("solutoin")


def test_a_document_with_another_key_is_not_valid():
    solution = qhal.solve(QUBO, oracle="exhaustive", seed=0).to_json()
    check("solution", solution)
    for broken in (
        solution | {"extra": 1},
        solution | {"seed": None},
        solution | {"oracle_time_s": "1 s"},
        {key: value for key, value in solution.items() if key != "versions"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            check("solution", broken)


# --- every oracle ---------------------------------------------------------------------------------


def test_solutions_of_every_oracle(oracle_name, run):
    document = run(f"solve FILE --oracle {oracle_name} --seed 3 --iterations 3", code=0)
    check("solution", document)
    assert (document["seed"], document["oracle"]) == (3, oracle_name)
    assert document["oracle_reads"] >= document["oracle_calls"] >= 1
    assert document["oracle_time_s"] <= document["total_time_s"]
    info = qhal.get_oracle(oracle_name).info
    assert document["versions"][info.distribution] == info.version


def test_samples_of_every_oracle(oracle_name):
    samples = qhal.get_oracle(oracle_name).sample(QUBO, num_reads=4, seed=5)
    document = samples.to_json()
    check("samples", document)
    assert (document["seed"], document["oracle"]) == (5, oracle_name)
    assert np.allclose(QUBO.energies(document["states"]), document["energies"])
    for key, value in document["info"].items():
        if re.search(r"time|duration|elapsed", key) and isinstance(value, float):
            assert re.search(r"_(s|ms|us|ns)$", key), key


# --- every command --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "schema"),
    [
        ("solve FILE --oracle exhaustive", "solution"),
        ("solve FILE --oracle exhaustive --method direct", "solution"),
        ("solve FILE --oracle random --seed 0 --certify exhaustive", "solution"),
        ("compare FILE --oracle exhaustive --oracle random --seed 1", "comparison"),
        ("compare FILE --oracle random --reference exhaustive --seed 1", "comparison"),
        ("plugins", "plugins"),
        ("oracles", "oracles"),
        ("oracles random", "oracle"),
        ("check random", "conformance"),
        ("check serial", "conformance"),
        ("check hinge", "conformance"),
        ("convert FILE --to mps", "conversion"),
        ("new-plugin my-machine", "new-plugin"),
        ("train --dry-run --samples 4", "training-plan"),
    ],
)
def test_documents_of_commands(run, line, schema):
    check(schema, run(line))


def test_training_and_prediction(run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.random((20, 3))
    np.savez(tmp_path / "data.npz", x=x, y=(x.sum(axis=1) > 1.5).astype(int))
    line = "--data data.npz --hidden 0 --samples 6 --iterations 1 --oracle random --seed 0"
    document = run(f"train {line} --model model.npz")
    check("training", document)
    assert document["model"] == "model.npz"
    assert run(f"train {line}")["model"] is None
    line = "--data data.npz --hidden 2 --epochs 1 --oracle random --seed 0 --batch 10"
    check("training", run(f"train --method sequential {line}"))
    check("predictions", run("predict model.npz data.npz"))


def test_errors(run):
    check("error", run("solve absent.lp", code=2))


def test_failures_within_a_comparison(problem):
    class Broken(qhal.Oracle):
        info = qhal.OracleInfo(name="broken", summary="", factory="")

        def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
            raise OSError("no cable")

    comparison = qhal.compare(problem, ["exhaustive", Broken()], seed=0)
    check("comparison", comparison.to_json())
    assert [row["status"] for row in comparison.to_json()["results"]] == ["optimal", "failed"]


def test_solutions_without_a_solution():
    impossible = qhal.Qcbo.from_arrays(linear=[1.0, 1], A_ge=[[1, 1]], b_ge=[3])
    check("solution", qhal.solve(impossible, oracle="exhaustive", seed=0).to_json())
    hard = qhal.Qcbo.from_arrays(linear=np.ones(30), A_eq=[2.0 ** np.arange(30)], b_eq=[777])
    solution = qhal.solve(hard, oracle="random", num_reads=1, iterations=1, seed=0, polish=False)
    check("solution", solution.to_json())
    check("solution", replace(solution, info={"oracle_options": {"x": 1}}).to_json())


def test_every_command_is_validated_here():
    here = {"solve", "compare", "plugins", "oracles", "check", "convert", "new-plugin", "train"}
    assert set(main.commands) == here | {"predict"}
