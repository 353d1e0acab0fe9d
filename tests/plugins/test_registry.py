"""Plugins by entry-point name: found lazily, isolated when broken, explained when absent."""

import sys

import dimod
import pytest

import qhal
from qhal import registry
from qhal.errors import InputError, PluginError, UnknownNameError

ORACLE = """
import numpy as np
import qhal

class Zeros(qhal.Oracle):
    def __init__(self, level=0):
        self.level = level

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        return np.full((num_reads, qubo.num_variables), self.level)

@qhal.hookimpl
def qhal_oracle():
    return qhal.OracleInfo(name="inside", summary="zeros", factory=__name__ + ":Zeros")
"""
POINTS = "[qhal.oracles]\nouter = fake_zeros\n"


def describe(name):
    (found,) = (each for each in registry.describe_plugins() if each.record.name == name)
    return found


# --- works ----------------------------------------------------------------------------------------


def test_the_name_of_the_entry_point_is_the_name_users_select_by(fake_distribution):
    fake_distribution("fake-zeros", POINTS, version="2.5", fake_zeros=ORACLE)
    assert "outer" in qhal.list_oracles()
    oracle = qhal.get_oracle("outer", level=1)
    assert (oracle.info.name, oracle.info.distribution) == ("outer", "fake-zeros")
    assert oracle.info.version == "2.5"
    assert oracle.options == {"level": 1}
    samples = oracle.sample(qhal.Qubo([[1.0]]), num_reads=2)
    assert samples.states.tolist() == [[1], [1]]
    with pytest.raises(UnknownNameError, match="no oracle 'inside'"):
        qhal.get_oracle("inside")


@pytest.mark.parametrize(
    ("kind", "hook", "entry"),
    [
        ("activation", "qhal_activation", "qhal.Activation(name='inside', function=abs)"),
        ("loss", "qhal_loss", "qhal.Loss(name='inside', function=abs)"),
        (
            "executor",
            "qhal_executor",
            "qhal.ExecutorInfo(name='inside', summary='', factory='qhal.executors.serial:Serial')",
        ),
    ],
)
def test_every_group_goes_by_the_entry_points_name(fake_distribution, kind, hook, entry):
    group, expected = registry.KINDS[kind]
    source = f"import qhal\n@qhal.hookimpl\ndef {hook}():\n    return {entry}\n"
    fake_distribution("fake-kind", f"[{group}]\nouter = fake_kind\n", fake_kind=source)
    loaded = registry.load(kind, "outer")
    assert isinstance(loaded, expected)
    assert loaded.name == "outer"
    assert describe("outer").entry == loaded


def test_the_examples_of_the_hooks_are_complete_plugins(fake_distribution):
    """What the docstring of each hook shows, saved as a module, works."""
    from qhal import hookspecs

    modules = {
        "oracle": "qhal_coinflip",
        "composite": "qhal_twice",
        "executor": "qhal_backwards",
    }
    for group, hook in hookspecs.HOOKS.items():
        text = getattr(hookspecs, hook).__doc__
        source = "\n".join(
            line.removeprefix("    ") for line in text.split("::\n", 1)[1].split("\n")
        )
        kind = next(kind for kind, (its_group, _) in registry.KINDS.items() if its_group == group)
        module = modules.get(kind, f"fake_{kind}")
        points = f"[{group}]\nexample = {module}\n"
        fake_distribution(f"fake-{kind}", points, **{module: source})
        entry = registry.load(kind, "example")
        if kind == "oracle":
            samples = entry.create({}).sample(qhal.Qubo([[1.0, 0], [0, 1]]), num_reads=3)
            assert samples.states.shape == (3, 2)
        elif kind == "composite":
            oracle = qhal.get_oracle("random|example")
            assert len(oracle.sample(qhal.Qubo([[1.0, 0], [0, 1]]), num_reads=3)) == 3
        elif kind == "executor":
            assert entry.create().map(abs, [-1, 2]) == [1, 2]
        else:
            assert entry([0.0, 1.0]).shape == (2,)
        sys.modules.pop(module, None)


def test_nothing_is_imported_to_list_names(fake_distribution):
    fake_distribution("fake-zeros", POINTS, fake_zeros="raise RuntimeError('imported')")
    assert "outer" in qhal.list_oracles()
    assert "outer" in [record.name for record in registry.plugin_records()]
    qhal.get_oracle("random")
    assert "fake_zeros" not in sys.modules


def test_the_same_distribution_twice_on_the_path_counts_once(fake_distribution):
    fake_distribution("Fake.Zeros", POINTS, version="1.0", folder="later", fake_zeros=ORACLE)
    fake_distribution("fake-zeros", POINTS, version="2.0", folder="first", fake_zeros=ORACLE)
    assert qhal.get_oracle("outer").info.version == "2.0"


# --- broken ---------------------------------------------------------------------------------------

BROKEN = {
    "fails to import": ("import no_such_vendor", "No module named 'no_such_vendor'"),
    "syntax": ("def (:", "SyntaxError"),
    "leaves": ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
    "hook fails": (
        "import qhal\n@qhal.hookimpl\ndef qhal_oracle():\n    return 1 / 0\n",
        "ZeroDivisionError: division by zero",
    ),
    "wrong hook name": (
        ORACLE.replace("def qhal_oracle", "def qhal_orakel"),
        "unknown hook 'qhal_orakel'",
    ),
    "no hook": ("x = 1", "no function qhal_oracle() marked with @qhal.hookimpl"),
    "not marked": (
        ORACLE.replace("@qhal.hookimpl", ""),
        "no function qhal_oracle() marked with @qhal.hookimpl",
    ),
    "other hook": (
        "import qhal\n@qhal.hookimpl\ndef qhal_loss():\n    return None\n",
        "no function qhal_oracle() marked with @qhal.hookimpl",
    ),
    "wrong type": (
        "import qhal\n@qhal.hookimpl\ndef qhal_oracle():\n    return {'name': 'x'}\n",
        "qhal_oracle() returned a dict, not a qhal.OracleInfo",
    ),
    "arguments": (
        "import qhal\n@qhal.hookimpl\ndef qhal_oracle(name):\n    return None\n",
        "PluginValidationError",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_reported_and_disturbs_no_other(fake_distribution, monkeypatch, case):
    source, reason = BROKEN[case]
    fake_distribution("fake-broken", POINTS, version="0.3", fake_zeros=source)
    with pytest.raises(PluginError) as caught:
        qhal.get_oracle("outer")
    text = str(caught.value)
    assert text.startswith("oracle 'outer' of fake-broken 0.3 is broken: ")
    assert reason in text
    assert "pip install -U fake-broken" in text
    assert "\n" not in text
    assert describe("outer").entry is None
    assert describe("outer").error == text
    assert describe("random").entry.summary
    assert qhal.get_oracle("random").info.name == "random"
    monkeypatch.setenv("QHAL_PLUGINS", "fake-broken,qhal-core")
    monkeypatch.setenv("QHAL_STRICT", "1")
    for call in (registry.describe_plugins, lambda: qhal.get_oracle("random")):
        with pytest.raises(PluginError, match="fake-broken"):
            call()


@pytest.mark.parametrize("strict", ["", "0"])
def test_strictness_is_off_by_default(fake_distribution, monkeypatch, strict):
    fake_distribution("fake-broken", POINTS, fake_zeros="import no_such_vendor")
    monkeypatch.setenv("QHAL_STRICT", strict)
    assert describe("outer").error


def test_a_target_that_does_not_exist(fake_distribution):
    points = "[qhal.oracles]\na = fake_absent\nb = fake_zeros:missing\nc = not a target\n"
    fake_distribution("fake-broken", points, fake_zeros=ORACLE)
    for name, reason in (("a", "fake_absent"), ("b", "missing"), ("c", "is broken")):
        with pytest.raises(PluginError, match=reason):
            qhal.get_oracle(name)


def test_a_factory_that_cannot_be_imported(fake_distribution):
    source = ORACLE.replace('__name__ + ":Zeros"', '"fake_vendor:Thing"')
    fake_distribution("fake-zeros", POINTS, fake_zeros=source, fake_vendor="import no_such_vendor")
    assert describe("outer").entry.summary == "zeros"
    with pytest.raises(PluginError, match="cannot be loaded from 'fake_vendor:Thing': .*no_such"):
        qhal.get_oracle("outer")


def test_a_factory_that_makes_something_else(fake_distribution):
    source = ORACLE.replace("class Zeros(qhal.Oracle)", "class Zeros")
    fake_distribution("fake-zeros", POINTS, fake_zeros=source)
    with pytest.raises(PluginError, match="made a Zeros, not a qhal.Oracle"):
        qhal.get_oracle("outer")


def test_unreadable_entry_points_are_a_warning_not_the_end(fake_distribution):
    fake_distribution("fake-damaged", "[qhal.oracles]\nno equals sign\n")
    with pytest.warns(RuntimeWarning, match="the entry points of fake-damaged cannot be read"):
        assert "random" in qhal.list_oracles()


def test_a_distribution_without_metadata(fake_distribution):
    fake_distribution("fake-zeros", POINTS, metadata="", fake_zeros=ORACLE)
    assert qhal.get_oracle("outer").info.distribution == "an unnamed distribution"


def test_two_distributions_that_claim_one_name(fake_distribution, monkeypatch):
    points = "[qhal.oracles]\nouter = fake_zeros\nrandom = fake_zeros\n"
    fake_distribution("fake-one", points, version="1.0", fake_zeros=ORACLE)
    fake_distribution("fake-two", POINTS, version="2.0")
    with pytest.raises(PluginError, match=r"'outer' is claimed by fake-one 1.0 and fake-two 2.0"):
        qhal.get_oracle("outer")
    with pytest.raises(PluginError, match="'random' is claimed by fake-one 1.0 and qhal-core"):
        qhal.get_oracle("random")
    assert qhal.list_oracles().count("outer") == 1
    errors = [each.error for each in registry.describe_plugins("oracle") if each.error]
    assert len([text for text in errors if "claimed by" in text]) == 4
    assert qhal.get_oracle("exhaustive")
    monkeypatch.setenv("QHAL_PLUGINS", "fake_two,qhal-core")
    assert qhal.get_oracle("outer").info.distribution == "fake-two"
    assert qhal.get_oracle("random").info.distribution == "qhal-core"


# --- absent ---------------------------------------------------------------------------------------


def test_near_names_are_suggested(fake_distribution):
    fake_distribution("fake-zeros", POINTS, fake_zeros=ORACLE)
    with pytest.raises(UnknownNameError, match="no oracle 'outre'; did you mean 'outer'"):
        qhal.get_oracle("outre")
    with pytest.raises(UnknownNameError, match="did you mean 'exhaustive'"):
        qhal.get_oracle("EXHAUSTIV")
    with pytest.raises(UnknownNameError, match=r"no oracle 'zzzzzz'. Installed: .*exhaustive, "):
        qhal.get_oracle("zzzzzz")


def test_known_names_that_are_not_installed_say_what_to_install(monkeypatch):
    monkeypatch.setattr(registry, "installed", lambda: ())
    for kind, names in registry.SHIPPED_BY.items():
        for name, distribution in names.items():
            with pytest.raises(UnknownNameError, match=f"comes with: pip install {distribution}$"):
                registry.load(kind, name)
    with pytest.raises(UnknownNameError, match="did you mean 'tabu'.* pip install qhal-dwave"):
        qhal.get_oracle("taboo")


def test_what_we_ship_is_where_the_registry_says():
    for record in registry.plugin_records():
        if record.distribution.startswith("qhal-") and record.distribution != "qhal-core":
            assert registry.SHIPPED_BY[record.kind][record.name] == record.distribution


def test_plugins_can_be_narrowed(fake_distribution, monkeypatch):
    fake_distribution("fake-zeros", POINTS, fake_zeros=ORACLE)
    for listed in ("outer", "Fake_Zeros", " outer , "):
        monkeypatch.setenv("QHAL_PLUGINS", listed)
        assert qhal.list_oracles() == ["outer"]
        assert qhal.get_oracle("outer").level == 0
    with pytest.raises(UnknownNameError, match=r"'random' is hidden by QHAL_PLUGINS= outer , \.$"):
        qhal.get_oracle("random")
    monkeypatch.setenv("QHAL_PLUGINS", "")
    assert registry.plugin_records() == []
    with pytest.raises(UnknownNameError, match="Installed: none"):
        qhal.get_oracle("zzzzzz")


def test_a_name_in_qhal_plugins_that_nothing_answers_to(fake_distribution, monkeypatch):
    fake_distribution("fake-zeros", POINTS, fake_zeros=ORACLE)
    monkeypatch.setenv("QHAL_PLUGINS", "outre,random,Q.Q")
    with pytest.warns(RuntimeWarning) as caught:
        assert qhal.list_oracles() == ["random"]
    assert [str(each.message) for each in caught] == [
        "QHAL_PLUGINS lists 'outre', which no plugin is called; did you mean 'outer'?",
        "QHAL_PLUGINS lists 'q-q', which no plugin is called.",
    ]
    monkeypatch.setenv("QHAL_STRICT", "1")
    with pytest.raises(PluginError, match="lists 'outre', which no plugin is called; did you mean"):
        qhal.list_oracles()


def test_sentences_end_once(fake_distribution):
    fake_distribution("fake-zeros", POINTS, fake_zeros=ORACLE)
    calls = {
        "no oracle 'outre'; did you mean 'outer'?": lambda: qhal.get_oracle("outre"),
        "no method 'levle'; did you mean 'level'? Methods: ": lambda: qhal.solve(
            qhal.Qubo([[1.0]]), oracle="random", method="levle"
        ),
        "no method 'x'. Methods: ": lambda: qhal.solve(
            qhal.Qubo([[1.0]]), oracle="random", method="x"
        ),
        "no option 'levl'; did you mean 'level'? Its options: level": lambda: qhal.get_oracle(
            "outer", levl=1
        ),
        "no option 'x'. Its options: level": lambda: qhal.get_oracle("outer", x=1),
    }
    for expected, call in calls.items():
        with pytest.raises(InputError) as caught:
            call()
        assert expected in str(caught.value)
        assert "?." not in str(caught.value)
        assert ".." not in str(caught.value)


# --- options --------------------------------------------------------------------------------------


def test_unknown_options_are_errors(fake_distribution):
    fake_distribution("fake-zeros", POINTS, fake_zeros=ORACLE)
    with pytest.raises(InputError, match="no option 'levl'; did you mean 'level'"):
        qhal.get_oracle("outer", levl=1)
    with pytest.raises(InputError, match="'random' has no option 'x'. Its options: none"):
        qhal.get_oracle("random", x=1)


def test_oracle_objects_pass_through():
    oracle = qhal.get_oracle("random")
    assert qhal.get_oracle(oracle) is oracle
    with pytest.raises(InputError, match="options go with an oracle's name"):
        qhal.get_oracle(oracle, x=1)


@pytest.mark.parametrize("option", ["num_reads", "seed", "time_limit", "num_read"])
def test_parameters_of_a_call_are_not_options(option):
    with pytest.raises(InputError, match="are parameters of solve and sample") as caught:
        qhal.solve(qhal.Qubo([[1.0]]), oracle="random", oracle_options={option: 5})
    if option == "num_read":
        assert "did you mean 'num_reads'?" in str(caught.value)


@pytest.mark.parametrize(
    ("oracle", "expected"),
    [
        (None, "an oracle is a name .* or a qhal.Oracle, not None"),
        (3, "not 3"),
        (["random"], "not \\['random'\\]"),
        (qhal.Oracle, "Oracle is a class: give Oracle"),
        (dimod.ExactSolver(), "make a dimod sampler one with qhal.from_dimod"),
    ],
)
def test_what_is_no_oracle(oracle, expected):
    for call in (qhal.get_oracle, lambda each: qhal.solve(qhal.Qubo([[1.0]]), oracle=each)):
        with pytest.raises(InputError, match=expected):
            call(oracle)


@pytest.mark.parametrize("options", [3, "x=1", [("x", 1)], {1: 2}])
def test_options_that_are_no_dict(options):
    with pytest.raises(InputError, match="an oracle's options are a dict such as"):
        qhal.solve(qhal.Qubo([[1.0]]), oracle="random", oracle_options=options)
