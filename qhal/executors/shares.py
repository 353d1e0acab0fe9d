"""Which worker does which task of a map."""

from __future__ import annotations

from collections import deque


class Shares:
    """Tasks 0 to `num_tasks` - 1 for workers 0 to `num_workers` - 1.

    Task k is meant for worker k modulo `num_workers`, for whom what it kept of earlier maps is of
    use; who has done its own takes over from whoever has most left.
    """

    def __init__(self, num_tasks: int, num_workers: int) -> None:
        self._left = [deque(range(k, num_tasks, num_workers)) for k in range(num_workers)]

    def next(self, worker: int) -> int | None:
        """The task that `worker` does next; None if all are given out.

        A number from `num_workers` on is a worker who has come later and has none of its own.
        """
        if worker < len(self._left) and self._left[worker]:
            return self._left[worker].popleft()
        fullest = max(self._left, key=len)
        return fullest.pop() if fullest else None
