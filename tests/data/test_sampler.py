"""The order of the training clips."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset
from emorec.data.sampler import EpochSampler
from emorec.data.transform import ClipTransform


def clips(count: int) -> ClipDataset:
    """Clips of which nobody reads a file."""
    listed = [
        Clip(path=Path(f"{position}.mp4"), label=0, actor=1, take=str(position))
        for position in range(count)
    ]
    return ClipDataset(listed, 2, ClipTransform((16, 16)))


def order(sampler: EpochSampler, epoch: int = 0) -> list[int]:
    sampler.set_epoch(epoch)
    keys = list(sampler)
    assert {key[0] for key in keys} == {epoch}  # every clip is told its epoch
    return [position for _, position in keys]


def test_an_epoch_has_every_clip_once() -> None:
    assert sorted(order(EpochSampler(clips(31), seed=0), 3)) == list(range(31))


def test_no_two_epochs_and_no_two_seeds_have_the_same_order() -> None:
    orders = [
        tuple(order(EpochSampler(clips(31), seed=seed), epoch))
        for seed in range(3)
        for epoch in range(4)
    ]
    assert len(set(orders)) == len(orders)


@pytest.mark.parametrize("weights", [None, [1.0] * 31])
def test_the_order_depends_on_seed_and_epoch_alone(weights: list[float] | None) -> None:
    late = EpochSampler(clips(31), seed=5, weights=weights)
    for epoch in (0, 1):
        order(late, epoch)
    assert order(late, 2) == order(EpochSampler(clips(31), seed=5, weights=weights), 2)


@pytest.mark.parametrize(("count", "processes"), [(30, 2), (31, 2), (31, 4)])
def test_processes_share_the_clips_out(count: int, processes: int) -> None:
    shares = [
        order(EpochSampler(clips(count), seed=0, num_replicas=processes, rank=rank), 1)
        for rank in range(processes)
    ]
    assert len({len(share) for share in shares}) == 1
    times = Counter(position for share in shares for position in share)
    assert set(times) == set(range(count))
    # as each needs as many as the others, some clips come twice
    assert sum(times.values()) - count == -count % processes


def test_processes_draw_one_weighted_order_and_share_it_out() -> None:
    weights = list(np.linspace(1, 5, 30))
    whole = order(EpochSampler(clips(30), seed=0, weights=weights), 4)
    shares = [
        order(EpochSampler(clips(30), seed=0, weights=weights, num_replicas=2, rank=rank), 4)
        for rank in (0, 1)
    ]
    assert [position for pair in zip(*shares, strict=True) for position in pair] == whole


def test_heavier_clips_are_drawn_more_often() -> None:
    sampler = EpochSampler(clips(100), seed=0, weights=[1.0] * 50 + [3.0] * 50)
    times = Counter(position >= 50 for epoch in range(50) for position in order(sampler, epoch))
    share = times[True] / 5000
    assert abs(share - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 5000)  # four standard deviations
