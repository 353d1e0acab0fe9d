"""Who gets which task of a round, with a crew that is only made up."""

from __future__ import annotations

from concurrent.futures import Future

from qhal_dask.round import Round


class MadeUp:
    """Workers that answer at once; "a" is lost when it is first asked, and may be back later."""

    def __init__(self):
        self.threads, self.asked, self.looks = {"a": 1, "b": 1}, [], 0

    def trusted(self, suspects):
        return self.threads

    def places(self, suspects):
        return list(self.threads)

    def ask(self, worker, function, task):
        self.asked.append(worker)
        future = Future()
        future.set_result(OSError() if self.asked == ["a"] else f"{task} cannot be read")
        return future

    def lose(self, worker):
        del self.threads[worker]

    def look(self):
        self.looks += 1
        if self.looks == 5:
            self.threads["a"] = 1
        return True


def test_a_worker_that_comes_back_is_given_tasks_again(monkeypatch):
    monkeypatch.setattr("qhal_dask.round.outcome", lambda answer: answer)
    crew = MadeUp()
    work = Round(crew, set(), None, list(range(30)))
    work.begin()
    done = []
    while work.goes_on:
        done += [k for k, _ in work.answers()]
    assert work.lost == {"a"}
    assert sorted(done) == list(range(1, 30))
    assert 5 < crew.asked.count("a") < 25
