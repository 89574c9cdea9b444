"""Clips a second are counted as a stopwatch would."""

from typing import Any

import cv2
import pytest
import torch
from torch.utils.data import DataLoader

from emorec.bench.stages import (
    clips_per_second,
    endless_batches,
    loader_speed,
    one_thread,
    step_speed,
)
from tests.bench.conftest import Stopwatch


def test_work_is_measured_for_at_least_so_many_seconds(stopwatch: Stopwatch) -> None:
    pieces = []

    def work() -> int:
        pieces.append(stopwatch.now)
        stopwatch.now += 0.4
        return 8

    assert clips_per_second(work, 1.0) == pytest.approx(8 / 0.4, rel=0.01)
    assert len(pieces) == 1 + 3  # a warm-up, then until a second is over


def test_one_piece_is_measured_however_long_it_takes(stopwatch: Stopwatch) -> None:
    def work() -> int:
        stopwatch.now += 60
        return 6

    assert clips_per_second(work, 0.1, warm_up=0) == pytest.approx(0.1, rel=0.01)


def test_a_step_is_timed_as_a_stopwatch_would(stopwatch: Stopwatch) -> None:
    assert step_speed(stopwatch.second, 8, 3.0) == pytest.approx(8.0, rel=0.01)


class CountedSampler:
    """Two positions an epoch: the epoch's number and that of ten epochs later."""

    def __init__(self) -> None:
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Any:
        return iter([self.epoch, self.epoch + 10])

    def __len__(self) -> int:
        return 2


def test_one_epoch_follows_another_each_in_its_own_order() -> None:
    loader: DataLoader[Any] = DataLoader(range(100), batch_size=None, sampler=CountedSampler())  # type: ignore[arg-type]
    batches = endless_batches(loader)
    assert [int(next(batches)) for _ in range(6)] == [0, 10, 1, 11, 2, 12]


def test_a_loader_s_speed_counts_clips_not_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "emorec.bench.stages.endless_batches", lambda _: iter([{"label": [0] * 4}] * 9)
    )
    monkeypatch.setattr(
        "emorec.bench.stages.clips_per_second", lambda work, *rest, **more: (work(), *rest, more)
    )
    for num_workers, warm_up in ((0, 1), (2, 2)):  # each worker makes its first batch unmeasured
        loader: DataLoader[Any] = DataLoader(range(9), num_workers=num_workers)  # type: ignore[arg-type]
        assert loader_speed(loader, 2.5) == (4, 2.5, {"warm_up": warm_up})


def test_one_thread_gives_back_what_it_took() -> None:
    before = (torch.get_num_threads(), cv2.getNumThreads())
    with one_thread():
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before
