"""Samples, batches, the order of training clips, and loaders."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emorec.data.augment import Augment, ClipTransform
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset, EpochSampler, collate, make_loader, sample_seed
from emorec.data.preprocessing import FrameSpec
from tests import videos

NUM_FRAMES = 5


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = videos.write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", 23)
    return Clip(path=path, label=6, actor=1, take="take")


def dataset(clip: Clip, augment: Augment = False, *, seed: int = 0) -> ClipDataset:
    source = ClipReader(FrameSpec(num_frames=NUM_FRAMES, size=(36, 36), resize="squash"))
    return ClipDataset([clip, clip], source, ClipTransform((32, 32), augment), seed)


def test_a_sample_contains_evenly_spaced_frames(clip: Clip) -> None:
    sample = dataset(clip)[1]
    frames = sample["frames"]
    assert frames.dtype == torch.uint8
    assert frames.shape == (NUM_FRAMES, 32, 32, 3)
    assert videos.shown_indices(frames.numpy()) == [0, 5, 11, 16, 22]
    assert (sample["label"], sample["index"]) == (6, 1)


def test_a_clip_can_be_a_span_of_a_longer_video(clip: Clip) -> None:
    # at 30 frames per second
    part = Clip(path=clip.path, label=0, actor=1, take="part", span_seconds=(5 / 30, 10 / 30))
    assert videos.shown_indices(dataset(part)[0]["frames"].numpy()) == [5, 6, 7, 8, 9]


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_augmentation_is_determined_by_epoch_seed_and_index(clip: Clip, augment: Augment) -> None:
    def augmented_bytes(epoch: int, index: int, seed: int) -> bytes:
        return bytes(dataset(clip, augment, seed=seed)[epoch, index]["frames"].numpy())

    keys = [(epoch, index, seed) for epoch in range(3) for index in (0, 1) for seed in (0, 1)]
    assert len({augmented_bytes(*key) for key in keys}) == len(keys)
    assert augmented_bytes(2, 1, 1) == augmented_bytes(2, 1, 1)


def test_without_augmentation_every_epoch_is_the_same(clip: Clip) -> None:
    clips = dataset(clip)
    assert torch.equal(clips[0, 0]["frames"], clips[7, 0]["frames"])


def test_sample_seeds_are_unique() -> None:
    seeds = {sample_seed(s, e, i) for s in range(3) for e in range(10) for i in range(100)}
    assert len(seeds) == 3000
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_a_batch_has_the_channels_first_and_the_memory_of_the_frames(clip: Clip) -> None:
    clips = dataset(clip)
    samples = [clips[0], clips[1]]
    batch = collate(samples)
    frames = batch["frames"]
    assert frames.shape == (2, NUM_FRAMES, 3, 32, 32)
    assert frames.permute(0, 1, 3, 4, 2).is_contiguous()  # (B, T, H, W, C)
    assert np.array_equal(frames[1, 2, 0], samples[1]["frames"][2, :, :, 0])
    assert batch["label"].tolist() == [6, 6]
    assert batch["index"].tolist() == [0, 1]
    assert batch["label"].dtype == batch["index"].dtype == torch.int64


# Order of the training clips


def fail_to_read(clip: Clip) -> Any:
    raise AssertionError(f"{clip} is read")


def clips_without_files(count: int) -> ClipDataset:
    """Return a data set whose files must not be read."""
    clips = [
        Clip(path=Path(f"{position}.mp4"), label=0, actor=1, take=str(position))
        for position in range(count)
    ]
    return ClipDataset(clips, fail_to_read, ClipTransform((16, 16)))


def order(sampler: EpochSampler, epoch: int = 0) -> list[int]:
    sampler.set_epoch(epoch)
    keys = list(sampler)
    assert {key[0] for key in keys} == {epoch}  # every key has its epoch
    return [position for _, position in keys]


def test_an_epoch_contains_every_clip_once() -> None:
    assert sorted(order(EpochSampler(clips_without_files(31), seed=0), 3)) == list(range(31))


def test_every_epoch_and_seed_has_an_order_of_its_own() -> None:
    orders = [
        tuple(order(EpochSampler(clips_without_files(31), seed=seed), epoch))
        for seed in range(3)
        for epoch in range(4)
    ]
    assert len(set(orders)) == len(orders)


@pytest.mark.parametrize("weights", [None, [1.0] * 31])
def test_the_order_depends_on_seed_and_epoch_only(weights: list[float] | None) -> None:
    resumed = EpochSampler(clips_without_files(31), seed=5, weights=weights)
    for epoch in (0, 1):
        order(resumed, epoch)
    assert order(resumed, 2) == order(
        EpochSampler(clips_without_files(31), seed=5, weights=weights), 2
    )


@pytest.mark.parametrize(("count", "processes"), [(30, 2), (31, 2), (31, 4)])
def test_clips_are_distributed_over_processes(count: int, processes: int) -> None:
    shares = [
        order(
            EpochSampler(clips_without_files(count), seed=0, num_replicas=processes, rank=rank), 1
        )
        for rank in range(processes)
    ]
    assert len({len(share) for share in shares}) == 1
    counts = Counter(position for share in shares for position in share)
    assert set(counts) == set(range(count))
    # as all processes have equally many, some clips are repeated
    assert sum(counts.values()) - count == -count % processes


def test_one_weighted_order_is_distributed_over_processes() -> None:
    weights = list(np.linspace(1, 5, 30))
    single_process_order = order(EpochSampler(clips_without_files(30), seed=0, weights=weights), 4)
    shares = [
        order(
            EpochSampler(
                clips_without_files(30), seed=0, weights=weights, num_replicas=2, rank=rank
            ),
            4,
        )
        for rank in (0, 1)
    ]
    assert [
        position for pair in zip(*shares, strict=True) for position in pair
    ] == single_process_order


@pytest.mark.parametrize(
    ("count", "batch_size", "num_batches"), [(5, 4, 1), (6, 4, 2), (1, 4, 1), (3, 1, 3), (4, 4, 1)]
)
def test_a_training_leaves_out_a_last_batch_of_one_clip(
    count: int, batch_size: int, num_batches: int
) -> None:
    clips = clips_without_files(count)
    sampler = EpochSampler(clips, seed=0)
    training = make_loader(clips, batch_size=batch_size, num_workers=0, sampler=sampler)
    assert len(training) == num_batches
    assert len(make_loader(clips, batch_size=batch_size, num_workers=0)) == -(-count // batch_size)


def test_clips_with_larger_weights_are_drawn_more_often() -> None:
    sampler = EpochSampler(clips_without_files(100), seed=0, weights=[1.0] * 50 + [3.0] * 50)
    counts = Counter(position >= 50 for epoch in range(50) for position in order(sampler, epoch))
    share = counts[True] / 5000
    assert abs(share - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 5000)  # four standard deviations


# Loader

PROGRAM = """
import time, torch
from emorec.data.dataset import make_loader

class Endless(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        time.sleep({seconds} * (index > 1))
        return dict(label=torch.tensor(index))

loader = make_loader(Endless(), batch_size=1, num_workers=2)
batches = iter(loader)
print(next(batches)["label"].item(), flush=True)
cycle = [batches]
cycle.append(cycle)  # a reference cycle, which Python does not collect at exit
raise SystemExit(7)
"""


@pytest.mark.nightly
@pytest.mark.parametrize(
    "seconds",
    [pytest.param(0, id="idle"), pytest.param(600, id="standing still")],
)
def test_a_program_exits_with_an_open_loader(seconds: int) -> None:
    program = PROGRAM.format(seconds=seconds)
    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (7, "0\n", "")
