"""A simulated clock, so that tests do not depend on the load of the machine."""

import gc
import multiprocessing
from functools import partial

import pytest
from torch.utils.benchmark import Timer


class Stopwatch:
    """A clock that tests advance by hand; each reading advances it by 0.1 ms."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-4
        return self.now

    def second(self) -> None:
        """Advance by one second."""
        self.now += 1.0

    def two_seconds(self) -> None:
        """Advance by two seconds."""
        self.now += 2.0

    def millisecond(self) -> None:
        """Advance by one millisecond."""
        self.now += 1e-3


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """Replace the clock of all measurements."""
    clock = Stopwatch()
    monkeypatch.setattr("time.perf_counter", clock)
    monkeypatch.setattr("emorec.bench.stages.Timer", partial(Timer, timer=clock))
    return clock


@pytest.fixture
def no_other_children() -> None:
    """Terminate worker processes that earlier tests left running."""
    gc.collect()
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
