"""Ctrl-C ends a measurement wherever it finds it."""

import signal
import threading
import time
from collections.abc import Callable

import pytest

from emorec.bench.interrupt import sure_interrupt


class TakesLongToEnd:
    """Something whose destructor is still at work when Ctrl-C comes."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def interrupted_in_destructor() -> None:
    """Waits for what Python would have printed and forgotten."""
    ends = TakesLongToEnd()
    del ends
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize(
    "work", [lambda: signal.raise_signal(signal.SIGINT), interrupted_in_destructor]
)
def test_it_comes_out_even_of_a_destructor(work: Callable[[], None]) -> None:
    with pytest.raises(KeyboardInterrupt), sure_interrupt():
        work()


def test_afterwards_ctrl_c_does_what_it_did_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with sure_interrupt():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_beside_the_main_thread_nothing_changes() -> None:
    seen = []

    def work() -> None:
        with sure_interrupt():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
