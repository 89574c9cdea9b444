"""Time that does not depend on how busy a machine is."""

import gc
import multiprocessing

import pytest


class Stopwatch:
    """A clock that moves where a test moves it, and a ten-thousandth of a second whenever somebody looks at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-4
        return self.now

    def second(self) -> None:
        """Lets a second pass."""
        self.now += 1.0


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """What measures take for the time."""
    clock = Stopwatch()
    monkeypatch.setattr("time.perf_counter", clock)
    return clock


@pytest.fixture
def no_other_children() -> None:
    """Ends what loaders of other tests in this process may have left behind."""
    gc.collect()
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
