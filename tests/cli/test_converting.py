"""`qhal convert` from the outside."""

import json
import shutil

import numpy as np
import pytest

from qhal.files import read_problem
from qhal.networks import Network, make_spec
from qhal.registry import load


@pytest.fixture
def bits(tmp_path):
    """The file of a problem without constraints, whose variables have names."""
    path = tmp_path / "bits.lp"
    path.write_text("Minimize\n left + [ 2 left * right ] / 2\nBinary\n left right\nEnd\n")
    return path


def test_convert(qhal, problem, tmp_path):
    target = tmp_path / "copy.cqm"
    result = qhal("convert", problem, target, "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert json.loads(result.stdout) == {
        "input": str(problem),
        "output": str(target),
        "num_variables": 3,
        "num_constraints": 1,
    }
    assert set(read_problem(target).names) == {"a", "b", "c"}


@pytest.mark.parametrize("suffix", ["qubo", ".qubo"])
def test_a_suffix_instead_of_a_file(qhal, bits, suffix):
    result = qhal("convert", bits, "--to", suffix, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["output"] == str(bits.with_suffix(".qubo"))
    assert read_problem(bits.with_suffix(".qubo")).num_variables == 2


@pytest.mark.parametrize("suffix", ["qubo", "coo"])
def test_names_that_become_numbers_are_said(qhal, bits, suffix):
    result = qhal("convert", bits, "--to", suffix)
    expected = "hold numbers, not names: the variables left to right are now 0 to 1."
    assert expected in result.stderr
    assert result.stderr.startswith("Note: ")
    again = qhal("convert", bits.with_suffix(f".{suffix}"), bits.with_name(f"again.{suffix}"))
    assert again.stderr == ""


def test_a_conversion_that_fails_keeps_the_old_file(qhal, problem, bits):
    target = bits.with_suffix(".qubo")
    qhal("convert", bits, target)
    old = target.read_text()
    assert qhal("convert", problem, target).exit_code == 2
    assert target.read_text() == old


def test_bad_input(refused, problem, tmp_path):
    for suffix in ("bqm", "qubo", "coo"):
        sentence = refused("convert", problem, tmp_path / f"a.{suffix}")
        assert "hold only unconstrained" in sentence
        assert "write an .lp, .cqm or .npz file instead (qhal solve takes them" in sentence
    assert "can only be read" in refused("convert", problem, tmp_path / "a.dat")
    assert "cannot tell the format" in refused("convert", problem, tmp_path / "a")
    assert "cannot tell the format" in refused("convert", problem, "--to", "xyz")
    for suffix in ("", "a/b", "."):
        assert "--to takes a suffix" in refused("convert", problem, "--to", suffix)
    assert "either OUT or --to SUFFIX" in refused("convert", problem)
    assert "either OUT or --to" in refused("convert", problem, tmp_path / "a.lp", "--to", "lp")
    assert "is a folder" in refused("convert", problem, tmp_path)


def test_the_input_is_not_overwritten(refused, problem, tmp_path):
    content = problem.read_text()
    (tmp_path / "link.lp").symlink_to(problem)
    shutil.copy(problem, tmp_path / "copy.lp")
    for place in (problem, tmp_path / "link.lp", tmp_path / "." / "problem.lp"):
        assert "would overwrite the input" in refused("convert", problem, place)
    assert "would overwrite the input" in refused("convert", problem, "--to", "lp")
    assert problem.read_text() == content


@pytest.fixture
def model(tmp_path):
    spec = make_spec(np.eye(4), load("activation", "sign"), load("loss", "hinge"), hidden=0)
    path = tmp_path / "model.npz"
    Network(spec, (np.ones((1, 4), np.int64),), (np.ones(1, np.int64),), ("a", "b")).save(path)
    return path


def test_a_model_becomes_onnx(qhal, model):
    onnx = pytest.importorskip("onnx")
    result = qhal("convert", model, "--to", "onnx", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "input": str(model),
        "output": str(model.with_suffix(".onnx")),
        "num_features": 4,
        "class_names": ["a", "b"],
    }
    onnx.checker.check_model(onnx.load(model.with_suffix(".onnx")))


def test_a_problem_does_not_become_onnx(qhal, refused, problem):
    assert "is not an .npz file" in refused("convert", problem, "--to", "onnx")
    qhal("convert", problem, "--to", "npz")
    arrays = problem.with_suffix(".npz")
    assert "is not a qhal model" in refused("convert", arrays, "--to", "onnx")
