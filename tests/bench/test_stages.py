"""Speeds of the stages in clips per second."""

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


def test_work_is_repeated_for_the_minimum_time(stopwatch: Stopwatch) -> None:
    pieces = []

    def work() -> int:
        pieces.append(stopwatch.now)
        stopwatch.now += 0.4
        return 8

    assert clips_per_second(work, 1.0) == pytest.approx(8 / 0.4, rel=0.01)
    assert len(pieces) == 1 + 3  # a warm-up, then one second of work


def test_slow_work_is_measured_once(stopwatch: Stopwatch) -> None:
    def work() -> int:
        stopwatch.now += 60
        return 6

    assert clips_per_second(work, 0.1, warm_up=0) == pytest.approx(0.1, rel=0.01)


def test_a_training_step_is_timed(stopwatch: Stopwatch) -> None:
    assert step_speed(stopwatch.second, 8, 3.0) == pytest.approx(8.0, rel=0.01)


class CountedSampler:
    """Two positions per epoch: its number, and its number plus ten."""

    def __init__(self) -> None:
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Any:
        return iter([self.epoch, self.epoch + 10])

    def __len__(self) -> int:
        return 2


def test_endless_loading_sets_the_epoch_of_the_sampler() -> None:
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
    for num_workers, warm_up in ((0, 1), (2, 2)):  # the first batch of each worker is a warm-up
        loader: DataLoader[Any] = DataLoader(range(9), num_workers=num_workers)  # type: ignore[arg-type]
        assert loader_speed(loader, 2.5) == (4, 2.5, {"warm_up": warm_up})


def test_the_number_of_threads_is_restored() -> None:
    before = (torch.get_num_threads(), cv2.getNumThreads())
    with one_thread():
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before
