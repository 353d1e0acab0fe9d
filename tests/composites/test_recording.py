"""Answers on file: recordings and caches."""

import copy
import json
import multiprocessing
import os
import resource
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qhal
from qhal.composites import Cache, Record, Replay
from qhal.composites.answers import DamagedError, pack, seal, unpack, unseal
from qhal.composites.recording import recorded_answers
from qhal.errors import OracleError
from qhal.problems import Qcbo
from tests.composites.problems import minimum, qubos, random_qubo

QUBO = random_qubo(9)
PROBLEM = Qcbo.from_arrays(-np.diag(np.arange(1.0, 11)), A_le=[np.arange(1, 11)], b_le=[23])


class Unseeded(qhal.Oracle):
    """Another answer each time, whatever the seed."""

    info = qhal.OracleInfo(name="unseeded", summary="", factory="")

    def __init__(self):
        self.calls = 0

    def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
        self.calls += 1
        rng = np.random.default_rng(self.calls)
        return rng.integers(0, 2, (num_reads, qubo.num_variables)), {"call": self.calls}


@given(qubos(), st.integers(1, 9), st.integers(0, 99))
def test_answers_pack_and_unpack(qubo, num_reads, seed):
    samples = qhal.get_oracle("random").sample(qubo, num_reads=num_reads, seed=seed)
    record = unseal(seal(pack(samples)))
    states, info = unpack(record, qubo.num_variables)
    assert (states == samples.states).all()
    assert info == {k: v for k, v in samples.info.items() if k not in ("oracle", "seed", "options")}
    with pytest.raises(DamagedError):
        unpack(record, qubo.num_variables + 1)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_no_damage_goes_unseen(noise, place):
    line = seal({"answer": [1, 2, 3], "question": "x"})
    damaged = line[:place] + noise + line[place + len(noise) :]
    if damaged.strip() != line.strip():
        with pytest.raises(DamagedError):
            unseal(damaged)


def test_a_run_replays_bit_for_bit(tmp_path):
    file = tmp_path / "run.jsonl"
    runs = [
        qhal.solve(PROBLEM, oracle=oracle, seed=4, iterations=6, time_limit=60)
        for oracle in ("sa", f"sa|record({file})", f"replay({file})", f"replay({file})")
    ]
    documents = [run.to_json() for run in runs]
    for document in documents:
        for key in ("oracle_time_s", "total_time_s", "versions"):
            del document[key]
    assert documents[0] == documents[1] == documents[2] == documents[3]
    assert qhal.get_oracle(f"replay({file})").info.seeded


def test_answers_of_an_unseeded_machine_come_in_their_order(tmp_path):
    file = tmp_path / "run.jsonl"
    recorder = Record(Unseeded(), file)
    recorded = [recorder.sample(QUBO, num_reads=3, seed=1) for _ in range(3)]
    replay = Replay(file)
    for _ in range(2):
        for expected in recorded:
            samples = replay.sample(QUBO, num_reads=3, seed=1)
            assert (samples.states == expected.states).all()
            assert samples.info["call"] == expected.info["call"]


@given(qubos())
def test_bounds_are_replayed(tmp_path_factory, qubo):
    file = tmp_path_factory.mktemp("replay") / "run.jsonl"
    samples = Record(qhal.get_oracle("exhaustive"), file).sample(qubo, num_reads=2, seed=3)
    again = Replay(file).sample(qubo, num_reads=2, seed=3)
    assert samples.lower_bound == again.lower_bound == pytest.approx(minimum(qubo))
    assert (samples.states == again.states).all()


def test_what_was_not_recorded_is_not_invented(tmp_path):
    file = tmp_path / "run.jsonl"
    Record(qhal.get_oracle("random"), file).sample(QUBO, num_reads=3, seed=1)
    replay = Replay(file)
    for question in ({"seed": 2}, {"num_reads": 4}):
        with pytest.raises(OracleError, match="no answer to this question .*num_reads 3, seed 1"):
            replay.sample(QUBO, **{"num_reads": 3, "seed": 1} | question)
    with pytest.raises(OracleError, match="no answer"):
        replay.sample(random_qubo(9, seed=1), num_reads=3, seed=1)


def test_dense_and_sparse_are_the_same_question(tmp_path):
    import scipy.sparse as sp

    file = tmp_path / "run.jsonl"
    matrix = np.diag([1.0, -2, 3, 0])
    Record(qhal.get_oracle("random"), file).sample(qhal.Qubo(matrix), num_reads=3, seed=1)
    Replay(file).sample(qhal.Qubo(sp.csr_array(matrix)), num_reads=3, seed=1)


def test_a_recording_is_continued_wherever_it_was_cut(tmp_path):
    file = tmp_path / "run.jsonl"
    recorder = Record(qhal.get_oracle("random"), file)
    for seed in range(3):
        recorder.sample(QUBO, num_reads=3, seed=seed)
    whole = file.read_bytes()
    for cut in [*range(0, len(whole), 97), len(whole) - 1]:
        file.write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n") - 1 if b"\n" in whole[:cut] else 0
        again = Record(qhal.get_oracle("random"), file)
        again.sample(QUBO, num_reads=3, seed=9)
        # The last line is whole as soon as only its newline is missing.
        assert recorded_answers(file) in (kept + 1, kept + 2)
        Replay(file).sample(QUBO, num_reads=3, seed=9)


def test_damaged_lines_are_passed_over_and_counted(tmp_path):
    file = tmp_path / "run.jsonl"
    recorder = Record(qhal.get_oracle("random"), file)
    for seed in range(3):
        recorder.sample(QUBO, num_reads=3, seed=seed)
    lines = file.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b'"seed":1', b'"seed":7')
    file.write_bytes(b"\n".join(lines))
    replay = Replay(file)
    replay.sample(QUBO, num_reads=3, seed=2)
    with pytest.raises(OracleError, match="1 of its lines are damaged"):
        replay.sample(QUBO, num_reads=3, seed=1)


def test_other_files_are_left_alone(tmp_path):
    diary = tmp_path / "diary.txt"
    diary.write_text("dear diary")
    with pytest.raises(qhal.InputError, match="is there and is no recording"):
        Record(qhal.get_oracle("random"), diary)
    with pytest.raises(qhal.InputError, match="not a recording of qhal"):
        Replay(diary)
    assert diary.read_text() == "dear diary"
    file = tmp_path / "run.jsonl"
    Record(qhal.get_oracle("random"), file)
    with pytest.raises(qhal.InputError, match="a recording of 'random', not of 'exhaustive'"):
        Record(qhal.get_oracle("exhaustive"), file)


@pytest.mark.parametrize("file", ["", " ", 3, "a\0b"])
def test_what_is_no_path(file):
    for make in (Replay, lambda f: Record(qhal.get_oracle("random"), f)):
        with pytest.raises(qhal.InputError, match="must be the path of a file"):
            make(file)


def test_hostile_recordings(tmp_path):
    file = tmp_path / "run.jsonl"
    recorder = Record(qhal.get_oracle("random"), file)
    recorder.sample(QUBO, num_reads=3, seed=1)
    header, line = (unseal(part) for part in file.read_bytes().splitlines())
    for wrong in (
        header | {"oracle": {"name": 3}},
        header | {"oracle": header["oracle"] | {"exact": "yes"}},
        header | {"default_num_reads": 0},
        {key: header[key] for key in ("format",)},
    ):
        file.write_bytes(seal(wrong))
        with pytest.raises(qhal.InputError, match="the first line of"):
            Replay(file)
    for changes in (
        {"states": "!!"},
        {"num_reads": 10**9},
        {"num_reads": -1},
        {"num_variables": 10**12},
        {"info": 3},
        {"states": None},
    ):
        answer = line["answer"] | changes
        file.write_bytes(seal(header) + seal(line | {"answer": answer}))
        with pytest.raises(OracleError, match="was changed"):
            Replay(file).sample(QUBO, num_reads=3, seed=1)
    file.write_bytes(b"[" * 100_000 + b"\n" + json.dumps({"sha256": 3}).encode())
    with pytest.raises(qhal.InputError, match="not a recording"):
        Replay(file)


def test_a_full_disk_costs_the_recording_and_not_the_answer(tmp_path, caplog):
    file = tmp_path / "run.jsonl"
    recorder = Record(qhal.get_oracle("random"), file)
    recorder.sample(QUBO, num_reads=3, seed=1)
    before = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 40, limits[1]))
    try:
        samples = recorder.sample(QUBO, num_reads=50, seed=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in samples.info["record"]["error"]
    assert "not recorded" in caplog.text
    assert len(samples) == 50
    assert file.read_bytes() == before
    recorder.sample(QUBO, num_reads=3, seed=3)
    assert recorded_answers(file) == 2


def test_where_nothing_can_be_written_nothing_is_asked(tmp_path):
    missing = tmp_path / "no" / "run.jsonl"
    for make in (Record, Cache):
        for place in (missing, "/proc/qhal.jsonl"):
            with pytest.raises(qhal.InputError, match="cannot (record to|use).*(No such|unable)"):
                make(qhal.get_oracle("random"), place)
    for make in (Record, Cache):
        with pytest.raises(qhal.InputError, match="is not a regular file"):
            make(qhal.get_oracle("random"), "/dev/full")
    with pytest.raises(qhal.InputError, match="is not a regular file"):
        Replay("/dev/zero")


def _record_some(job):
    file, first = job
    recorder = Record(qhal.get_oracle("random"), file)
    for seed in range(first, first + 20):
        recorder.sample(QUBO, num_reads=3, seed=seed)


def test_threads_and_processes_share_a_recording(tmp_path):
    file = str(tmp_path / "run.jsonl")
    _record_some((file, 0))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_record_some, args=((file, 100 * i),)) for i in (1, 2)]
    threads = [threading.Thread(target=_record_some, args=((file, 100 * i),)) for i in (3, 4)]
    for worker in workers + threads:
        worker.start()
    for worker in workers + threads:
        worker.join()
    replay = Replay(file)
    assert recorded_answers(file) == 100
    assert replay._damaged == 0
    for seed in (0, 119, 219, 319, 419):
        replay.sample(QUBO, num_reads=3, seed=seed)


def test_they_can_be_copied(tmp_path):
    recorder = copy.deepcopy(Record(qhal.get_oracle("random"), tmp_path / "run.jsonl"))
    samples = recorder.sample(QUBO, num_reads=3, seed=0)
    replay = copy.deepcopy(Replay(tmp_path / "run.jsonl"))
    assert (replay.sample(QUBO, num_reads=3, seed=0).states == samples.states).all()


# --- cache ----------------------------------------------------------------------------------------


@given(qubos())
def test_the_same_question_is_asked_once(tmp_path_factory, qubo):
    file = tmp_path_factory.mktemp("cache") / "c.db"
    oracle = Cache(Unseeded(), file)
    first = oracle.sample(qubo, num_reads=3, seed=1)
    again = Cache(oracle.child, file).sample(qubo, num_reads=3, seed=1)
    assert oracle.child.calls == 1
    assert (first.states == again.states).all()
    assert (first.info["cache"]["hit"], again.info["cache"]["hit"]) == (False, True)
    for other in ({"seed": 2}, {"num_reads": 4}, {"time_limit": 1.0}):
        oracle.sample(qubo, **{"num_reads": 3, "seed": 1} | other)
    assert oracle.child.calls == 4


@given(qubos())
def test_proofs_are_kept(tmp_path_factory, qubo):
    text = f"exhaustive|cache({tmp_path_factory.mktemp('cache') / 'c.db'})"
    for _ in range(2):
        samples = qhal.get_oracle(text).sample(qubo, seed=0)
        assert samples.lower_bound == pytest.approx(minimum(qubo))


def test_options_are_part_of_the_question(tmp_path):
    file = tmp_path / "c.db"
    one, other = (qhal.get_oracle(f"sa(num_sweeps={n})|cache({file})") for n in (1, 500))
    qubo = random_qubo(40)
    assert one.sample(qubo, seed=0).first[1] > other.sample(qubo, seed=0).first[1]


def test_a_damaged_entry_counts_as_absent(tmp_path):
    import sqlite3

    file = tmp_path / "c.db"
    oracle = Cache(Unseeded(), file)
    oracle.sample(QUBO, seed=1)
    database = sqlite3.connect(file)
    database.execute("UPDATE answers SET line = x'00ff'")
    database.commit()
    database.close()
    assert not oracle.sample(QUBO, seed=1).info["cache"]["hit"]
    assert oracle.sample(QUBO, seed=1).info["cache"]["hit"]


def test_a_file_that_is_no_cache(tmp_path):
    diary = tmp_path / "diary.txt"
    diary.write_text("dear diary, " * 100)
    with pytest.raises(qhal.InputError, match="cannot use .* as a cache: file is not a database"):
        Cache(qhal.get_oracle("random"), diary)


def test_a_recording_that_is_removed_in_the_middle_starts_afresh(tmp_path):
    file = tmp_path / "run.jsonl"
    oracle = qhal.get_oracle(f"random|record({file})")
    oracle.sample(QUBO, seed=1)
    file.unlink()
    kept = oracle.sample(QUBO, seed=2)
    replay = Replay(file)
    assert (replay.sample(QUBO, seed=2).states == kept.states).all()
    with pytest.raises(OracleError, match="has no answer to this question"):
        replay.sample(QUBO, seed=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to read-only folders")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    for make in (Record, Cache):
        with pytest.raises(qhal.InputError, match="cannot"):
            make(qhal.get_oracle("random"), tmp_path / "x")
