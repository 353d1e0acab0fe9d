"""The tasks of one round on their way to workers and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from qhal.executors import Function
from qhal.executors.shares import Shares
from qhal_dask.crew import WATCH_S, Crew, is_loss, outcome


class Round:
    """Shares `tasks` out among the workers of `crew` that are not in `suspects`.

    All methods but `close` raise OSError if the scheduler is lost, and `ExecutorError` if a task or
    its result cannot travel.

    Attributes
    ----------
    lost : workers that were lost; what they had is not given out again
    """

    def __init__(
        self, crew: Crew, suspects: set[str], function: Function, tasks: Sequence[Any]
    ) -> None:
        self._crew, self._suspects = crew, suspects
        self._function, self._tasks = function, tasks
        self._places = crew.places(suspects)
        self._shares = Shares(len(tasks), len(self._places))
        self._busy: dict[Future[Any], tuple[int, int]] = {}  # place and task of each request
        self.lost: set[str] = set()

    def begin(self) -> None:
        """Give each place its first task."""
        for place in range(len(self._places)):
            self._give(place)

    @property
    def goes_on(self) -> bool:
        """Whether there are tasks out."""
        return bool(self._busy)

    def answers(self) -> Iterator[tuple[int, Any]]:
        """Tasks that are done, with their outcomes; there may be none for `WATCH_S`."""
        for future in wait(self._busy, WATCH_S, FIRST_COMPLETED).done:
            if is_loss(answer := future.result()):
                self._lose(future)
                continue
            place, k = self._busy.pop(future)
            yield k, outcome(answer)
            self._give(place)
        if self._crew.look():
            self._follow()

    def close(self) -> None:
        """Wait for nothing any more; workers that are busy end their tasks."""
        for future in self._busy:
            future.cancel()

    def _give(self, place: int) -> None:
        worker = self._places[place]
        if worker not in self._crew.trusted(self._suspects):
            return
        k = self._shares.next(place)
        if k is not None:
            future = self._crew.ask(worker, self._function, self._tasks[k])
            self._busy[future] = place, k

    def _lose(self, future: Future[Any]) -> None:
        place, _ = self._busy.pop(future)
        future.cancel()
        self._crew.lose(self._places[place])
        self.lost.add(self._places[place])

    def _follow(self) -> None:
        """Give up workers that have gone, and give tasks to those that have come, or come back."""
        for future, (place, _) in list(self._busy.items()):
            if self._places[place] not in self._crew.threads:
                self._lose(future)
        self._places = [worker if worker in self._crew.threads else "" for worker in self._places]
        known = set(self._places)
        for worker in self._crew.places(self._suspects):
            if worker not in known:
                self._places.append(worker)
                self._give(len(self._places) - 1)
