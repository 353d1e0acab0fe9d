"""CP-SAT's search in a thread of its own, so that it can be stopped at any moment."""

from __future__ import annotations

import threading

from ortools.sat.python import cp_model

_POLL_S = 0.1


class Engine:
    """One search: `run` it, and `stop` it from any thread, before or while it runs."""

    def __init__(self) -> None:
        self.solver = cp_model.CpSolver()
        # In the main thread CP-SAT would swallow SIGINT.
        self.solver.parameters.catch_sigint_signal = False
        self.stopped = False

    def stop(self) -> None:
        """End the search soon, also one that has not begun."""
        self.stopped = True
        self.solver.stop_search()

    def run(
        self, model: cp_model.CpModel, callback: cp_model.CpSolverSolutionCallback
    ) -> cp_model.CpSolverStatus:
        """Solve `model`; a KeyboardInterrupt that comes meanwhile stops the search and passes."""
        if self.stopped:
            return cp_model.UNKNOWN
        outcome: list[cp_model.CpSolverStatus | BaseException] = []
        thread = threading.Thread(target=self._solve, args=(model, callback, outcome), daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_POLL_S)
                if self.stopped:  # said once more: a search that was just starting did not hear
                    self.solver.stop_search()
        except BaseException:
            self.stop()
            raise
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    def _solve(
        self,
        model: cp_model.CpModel,
        callback: cp_model.CpSolverSolutionCallback,
        outcome: list[cp_model.CpSolverStatus | BaseException],
    ) -> None:
        try:
            outcome.append(self.solver.solve(model, callback))
        except BaseException as error:  # noqa: BLE001 (raised again in the thread that waits)
            outcome.append(error)
