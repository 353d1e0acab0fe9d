"""Oracles written as text."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.chain import Chain, Link, parse_chain, render

PLAIN = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
VALUES = st.one_of(
    st.integers(-(10**6), 10**6),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.text(max_size=12),
    st.lists(st.integers(0, 9), max_size=3),
)


def test_an_oracle_with_options_and_composites():
    chain = parse_chain('cim(num_steps=200) | precision(bits=8, split=on)|record("my (1).jsonl")')
    assert chain.links == (
        Link("cim", (), {"num_steps": 200}),
        Link("precision", (), {"bits": 8, "split": True}),
        Link("record", ("my (1).jsonl",)),
    )


def test_several_oracles_inside_a_composite():
    chain = parse_chain("portfolio(sa, tabu(tenure=9)|retry)|noisy")
    (inner,) = (a for a in chain.links[0].arguments if isinstance(a, Chain))
    assert chain.links[0].arguments[0] == "sa"
    assert inner.links == (Link("tabu", (), {"tenure": 9}), Link("retry"))


def test_bare_values():
    options = parse_chain("x(a=1,b=0.5,c=-1e-3,d=true,e=off,f=null,g=/tmp/a b.c,h=[1, 2])").links[0]
    assert options.options == {
        "a": 1, "b": 0.5, "c": -1e-3, "d": True, "e": False, "f": None, "g": "/tmp/a b.c",
        "h": [1, 2],
    }  # fmt: skip


@given(PLAIN, st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), VALUES, max_size=4))
def test_what_is_rendered_reads_back(name, options):
    text = f"{name}({', '.join(f'{key}={render(value)}' for key, value in options.items())})"
    (link,) = parse_chain(text).links
    assert (link.name, link.options) == (name, options)


@given(st.text(alphabet='ab1,|()="[]{}\\ .-', max_size=40))
def test_whatever_is_written_is_a_chain_or_one_sentence(text):
    with suppress(qhal.InputError):
        parse_chain(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sa|", "a name is missing, after 'sa|'"),
        ("|sa", "a name is missing, at the start"),
        ("sa|noisy(", "a closing parenthesis is missing"),
        ("sa|noisy(seed=1", "a comma or a closing parenthesis is missing"),
        ("sa|noisy(seed=)", "a value is missing"),
        ("sa|noisy(seed=1,seed=2)", "seed is given twice"),
        ("sa|noisy(seed=1,2)", "arguments without a name come before"),
        ("sa)", r"'\)' is out of place"),
        ("sa|noisy(seed=a|b)", "goes in quotes"),
        ('sa|noisy("a)', "quotes or brackets are not closed"),
        ("sa|noisy(" * 30, "nested too deeply|goes in quotes"),
        ("a(" * 30, "nested too deeply"),
        ("sa|" * 9999, "at most 10000 characters"),
        ("sa|nois", "no composite 'nois'; did you mean 'noisy'?"),
        ("sas|noisy", "no oracle 'sas'; did you mean 'sa'?"),
        ("noisy", "'noisy' is a composite and goes around an oracle: write 'cim|noisy'"),
        ("noisy(seed=1)", "'noisy' is a composite and goes around an oracle: write 'cim|noisy'"),
        ("random|sa", "'sa' is an oracle, .* write portfolio\\(random, sa\\)"),
        ("sa|noisy(sed=1)", "no option 'sed'; did you mean 'seed'\\? It takes: errors=0.0, "),
        ("sa|noisy(1)", "too many positional arguments: 'noisy' takes: errors"),
        ("sa|noisy(sa|noisy)", "takes no other oracles"),
        ("sa(3)", "an oracle's options have names"),
        ("sa(num_sweep=3)", "no option 'num_sweep'; did you mean 'num_sweeps'"),
    ],
)
def test_mistakes_get_one_sentence(text, sentence):
    with pytest.raises(qhal.InputError, match=sentence):
        qhal.get_oracle(text)


def test_options_go_to_the_start_of_the_chain():
    oracle = qhal.get_oracle("sa(num_sweeps=5)|noisy(seed=3)", beta_range=[0.1, 1.0])
    assert oracle.options == {"num_sweeps": 5, "beta_range": [0.1, 1.0]}
    assert oracle.info.name == "sa|noisy(seed=3)"
    with pytest.raises(qhal.InputError, match="'num_sweeps' of 'sa' is given twice"):
        qhal.get_oracle("sa(num_sweeps=5)|noisy", num_sweeps=5)


def test_a_composite_needs_an_oracle():
    from qhal.composites import Noisy

    with pytest.raises(qhal.InputError, match=r"such as qhal.get_oracle\('sa'\), not 'sa'"):
        Noisy("sa")
