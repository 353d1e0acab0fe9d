"""Everybody's own tasks come first; who has none left, or never had any, takes over."""

from hypothesis import given
from hypothesis import strategies as st

from qhal.executors.shares import Shares


@given(st.integers(0, 30), st.integers(1, 6), st.lists(st.integers(0, 8), min_size=40))
def test_each_task_is_given_out_once_whoever_asks_also_newcomers(count, num_workers, asking):
    shares, given_out = Shares(count, num_workers), []
    for worker in asking:
        own = [k for k in range(count) if k not in given_out and k % num_workers == worker]
        task = shares.next(worker)
        if own:
            assert task == own[0]
        given_out.append(task)
    assert sorted(given_out[:count]) == list(range(count))
    assert set(given_out[count:]) == {None}
