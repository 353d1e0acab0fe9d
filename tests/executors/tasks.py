"""Functions for workers, and a program that maps one of them."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from qhal.errors import InputError, OracleError


def double(task):
    return 2 * task


def nap(task):
    time.sleep(task)
    return task


def announce(task):
    """Says in the folder that it runs, then sleeps."""
    folder, seconds = task
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(seconds)
    return seconds


def die(task):
    os.kill(os.getpid(), signal.SIGKILL)


def count_and_refuse(folder):
    (Path(folder) / str(time.monotonic_ns())).touch()
    raise InputError("this task never works")


def count_and_fail(folder):
    (Path(folder) / str(time.monotonic_ns())).touch()
    raise OracleError("this machine never works")


def where(task):
    time.sleep(task)
    return os.getpid()


class Unreadable:
    """Can be sent, but not read."""

    def __reduce__(self):
        return divmod, (1, 0)


class Awkward(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def raise_awkward(task):
    raise Awkward("this", "that")


def unsendable(task):
    return threading.Lock()


if __name__ == "__main__":
    import qhal

    name, folder = sys.argv[1:]
    with qhal.get_executor(name, num_workers=2) as executor:
        executor.map(announce, [(folder, 60.0)] * 4)
