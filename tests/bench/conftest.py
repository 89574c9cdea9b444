"""Time that does not depend on how busy a machine is."""

import gc
import multiprocessing
from functools import partial

import pytest
from torch.utils.benchmark import Timer


class Stopwatch:
    """A clock that tests move by hand, and that moves by a ten-thousandth of a second each time it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-4
        return self.now

    def second(self) -> None:
        """Let a second pass."""
        self.now += 1.0

    def millisecond(self) -> None:
        """Let a millisecond pass."""
        self.now += 1e-3


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """The clock of all measurements."""
    clock = Stopwatch()
    monkeypatch.setattr("time.perf_counter", clock)
    monkeypatch.setattr("emorec.bench.stages.Timer", partial(Timer, timer=clock))
    return clock


@pytest.fixture
def no_other_children() -> None:
    """End what loaders of other tests in this process may have left behind."""
    gc.collect()
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
