"""`qhal oracles`, `plugins`, `check`, the help texts, and what starting the command loads."""

import dataclasses
import json
import subprocess
import sys
import types

import click
import pytest

from qhal.cli import main
from qhal.cli.docstrings import parameters
from qhal.registry import load

HEAVY = "dimod dwave matplotlib numba numpy ortools rich scipy sklearn".split()


def test_oracles(qhal):
    document = json.loads(qhal("oracles --json").stdout)
    by_name = {record["name"]: record for record in document["oracles"]}
    record = by_name["exhaustive"]
    assert record["kind"] == "oracle"
    assert record["distribution"] == "qhal-core"
    assert record["available"] is True
    assert record["error"] is None
    assert record["exact"] is True
    assert record["max_variables"] == 24
    text = qhal("oracles").stdout
    assert "exhaustive" in text
    assert record["summary"].split()[0] in text  # the table may wrap the rest


def test_one_oracle(qhal, refused):
    document = json.loads(qhal("oracles exhaustive --json").stdout)
    assert (document["name"], document["options"]) == ("exhaustive", {})
    assert "every state of a small problem" in qhal("oracles exhaustive").stdout
    assert "did you mean 'exhaustive'" in refused("oracles exhaustve".split()[0], "exhaustve")


def test_an_oracle_is_explained(qhal):
    text = " ".join(qhal("oracles", "cim").stdout.split())
    for expected in (
        "simulated coherent Ising machine",
        "answers heuristic",
        "same seed same samples",
        "num_reads 100 samples per call",
        "num_steps none time steps",
        'rounding stochastic "stochastic" (redrawn',
        "coefficient_bits none None for double precision, or 2 to 24",
    ):
        assert expected in text
    assert "exact: it proves minima" in qhal("oracles", "exhaustive").stdout
    document = json.loads(qhal("oracles", "sa", "--json").stdout)
    assert document["default_num_reads"] == 100
    assert document["options"]["num_sweeps"] == 1000
    assert document["meanings"]["num_sweeps"].startswith("int >= 1. Sweeps of each read.")


def test_every_option_of_every_oracle_has_a_meaning(qhal):
    for record in json.loads(qhal("oracles", "--json").stdout)["oracles"]:
        document = json.loads(qhal("oracles", record["name"], "--json").stdout)
        for option, meaning in document["meanings"].items():
            assert meaning, f"{record['name']} does not explain {option}"


def test_docstrings_of_any_layout():
    class Numpydoc:
        """A summary.

        Parameters
        ----------
        one, two : int
            What they are,
            in two lines.
        three : ``"a"`` or `b`, see :class:`C`

        four
            Described.
        five : nothing

        Attributes
        ----------
        six : int
            Not a parameter.
        """

    class Bare:
        pass

    assert parameters(Numpydoc) == {
        "one": "int. What they are, in two lines.",
        "two": "int. What they are, in two lines.",
        "three": '"a" or b, see C',
        "four": "Described.",
        "five": "nothing",
    }
    assert parameters(Bare) == {}


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
@pytest.mark.parametrize("command", ["oracles", "plugins", "oracles sa"])
def test_tables_fit_any_terminal(qhal, monkeypatch, width, command):
    monkeypatch.setenv("COLUMNS", str(width))
    text = qhal(command).stdout
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    folded = "".join(text.split())
    for name in ("exhaustive", "qhal-core") if command != "oracles sa" else ("num_sweeps", "1000"):
        assert name in folded


def test_plugins(qhal):
    document = json.loads(qhal("plugins --json").stdout)
    keys = {"name", "kind", "distribution", "version", "available", "error"}
    assert all(keys <= set(record) for record in document["plugins"])
    assert {record["kind"] for record in document["plugins"]} >= {"oracle", "executor"}
    assert "serial" in qhal("plugins").stdout


def test_broken_plugins_are_explained(qhal, refused, monkeypatch):
    from qhal import registry

    broken = types.SimpleNamespace(load=lambda: 1 / 0)
    record = registry.PluginRecord("oracle", "sick", "fake-sick", "0.1", broken)
    monkeypatch.setattr(registry, "installed", lambda: (record,))
    monkeypatch.setenv("QHAL_STRICT", "0")
    for command in ("plugins", "oracles"):
        result = qhal(f"{command} --json")
        assert result.exit_code == 0
        (described,) = json.loads(result.stdout)[command]
        assert described["available"] is False
        assert "ZeroDivisionError" in described["error"]
        assert described["error"] in " ".join(qhal(command).stdout.split())
    assert "oracle 'sick' of fake-sick 0.1 is broken" in refused("oracles", "sick")
    monkeypatch.setenv("QHAL_STRICT", "1")
    assert "oracle 'sick' of fake-sick 0.1 is broken" in refused("plugins")


def test_check(qhal, refused):
    result = qhal("check exhaustive --json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)
    assert "conforms" in qhal("check exhaustive").stdout
    assert "no oracle 'zzzzzz'" in refused("check", "zzzzzz")


@pytest.mark.parametrize(
    ("name", "kind"), [("hard-tanh", "activation"), ("hinge", "loss"), ("serial", "executor")]
)
def test_check_knows_every_kind(qhal, name, kind):
    document = json.loads(qhal("check", name, "--json").stdout)
    assert document["kind"] == kind
    assert document["passed"] is True
    assert f"{kind} '{name}' conforms" in qhal("check", name).stdout


def test_check_exits_with_1_for_an_activation_that_lies(qhal, monkeypatch):
    lie = dataclasses.replace(load("activation", "tanh"), lipschitz=0.5)
    monkeypatch.setattr("qhal.testing.functions.load", lambda kind, name: lie)
    result = qhal("check", "tanh")
    assert result.exit_code == 1
    assert "above lipschitz=0.5" in " ".join(result.stdout.split())


def test_check_exits_with_1_for_an_oracle_that_fails(qhal, monkeypatch):
    report = types.SimpleNamespace(
        passed=False,
        checks=[("energies", "failed", "all [zeros]")],
        to_json=lambda: {"passed": False},
    )
    monkeypatch.setattr("qhal.testing.check_oracle", lambda name: report)
    result = qhal("check exhaustive")
    assert result.exit_code == 1
    assert "all [zeros]" in result.stdout
    assert "does NOT conform" in result.stdout


# --- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", main.commands)
def test_every_command_and_option_is_explained(qhal, name):
    command = main.commands[name]
    context = click.Context(command)
    assert command.get_short_help_str(80).endswith(".")
    assert "Example" in command.help
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "--seed", "--quiet", "-v"} <= options
    text = qhal(f"{name} --help").stdout
    assert text.startswith(f"Usage: qhal {name} ")
    assert f"qhal {name} " in text.split("Example")[1]


def test_the_contract_of_options():
    promised = {
        "solve": "--oracle --set --method --iterations --time-limit --certify --plot --trace --out",
        "compare": "--oracle --reference --set --iterations --time-limit",
        "convert": "--to",
        "predict": "--out",
        "train": "--method --executor --data --classes --oracle --hidden --image-size "
        "--weight-bits --activation --loss --samples --model --plot --trace",
        "new-plugin": "--kind --into",
    }
    for name, options in promised.items():
        has = {option for parameter in main.commands[name].params for option in parameter.opts}
        assert set(options.split()) <= has
    commands = "plugins oracles solve compare check train predict convert new-plugin"
    assert set(main.commands) == set(commands.split())


def test_usage(qhal, refused):
    assert "Commands:" in qhal("--help").stdout
    assert qhal("--version").stdout.startswith("qhal, version ")
    assert "No such command 'slove'" in refused("slove", "x")
    result = qhal()
    assert result.exit_code == 2
    assert "Commands:" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ("--help", set()),
        ("solve --help", set()),
        ("train --help", set()),
        ("solve absent.lp --plot absent/x.png", {"matplotlib"}),
        ("oracles random", {"numpy", "scipy", "dimod", "rich"}),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(arguments, allowed):
    code = (
        "import sys\nfrom qhal.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print('LOADED', *sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    loaded = {name.split(".")[0] for name in done.stderr.split("LOADED")[1].split()}
    assert "click" in loaded
    assert not (loaded & set(HEAVY)) - allowed


def test_python_m_qhal():
    command = [sys.executable, "-m", "qhal", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("qhal, version ")
