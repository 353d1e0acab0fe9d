"""Ctrl-C while work runs in a thread of its own."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from qhal.qcgd.interrupt import Interrupt


def taken_elsewhere(stopped: threading.Event, wait_s: float) -> bool:
    """Work whose own thread takes the signal, so that no wait of the main thread is cut short."""
    time.sleep(0.2)  # by then the main thread waits
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    return stopped.wait(wait_s)


def test_a_signal_that_does_not_wake_the_main_thread_is_heard():
    stopped = threading.Event()
    with Interrupt() as interrupt:
        assert interrupt.call(lambda: taken_elsewhere(stopped, 20), stopped.set, grace_s=20)
    assert interrupt.requested
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_work_that_goes_on_after_stop_is_left_behind():
    stops = []
    release = threading.Event()
    began = time.perf_counter()
    with Interrupt() as interrupt, pytest.raises(KeyboardInterrupt):
        interrupt.call(lambda: taken_elsewhere(release, 20), lambda: stops.append(1))
    assert time.perf_counter() - began < 15
    assert stops == [1]
    release.set()
    with interrupt, pytest.raises(KeyboardInterrupt):
        interrupt.call(lambda: stops.append(2), lambda: None)
    assert stops == [1]


def test_results_and_errors_come_back():
    with Interrupt() as interrupt:
        assert interrupt.call(lambda: 3, lambda: None) == 3
        with pytest.raises(ZeroDivisionError):
            interrupt.call(lambda: 1 // 0, lambda: None)
