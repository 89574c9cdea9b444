"""Batches come from a loader's processes as whole as if this process had made them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from emorec.data import hand_over
from emorec.data.clip import Batch, Clip
from emorec.data.dataset import ClipDataset
from emorec.data.hand_over import PREFETCH, Handed, SharedBatches, SharingLoader
from emorec.data.loader import make_loader
from emorec.data.resize import Frames
from emorec.data.transform import ClipTransform
from emorec.errors import UserError

# more processes than cores
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

SHAPE = (2, 14, 14, 3)


def squares(clip: Clip) -> Frames:
    """Noise that only this clip has."""
    rng = np.random.default_rng(int(clip.take))
    return rng.integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)


def dataset(count: int = 23, **changed: Any) -> ClipDataset:
    clips = [
        Clip(path=Path(f"{take}.mp4"), label=take % 8, actor=1, take=str(take))
        for take in range(count)
    ]
    return ClipDataset(
        clips, **({"source": squares, "transform": ClipTransform((14, 14))} | changed)
    )


def loader(num_workers: int = 1, **changed: Any) -> DataLoader[Any]:
    return make_loader(dataset(**changed), batch_size=4, num_workers=num_workers, shape=SHAPE)


def assert_alike(some: Sequence[Batch], others: Sequence[Batch]) -> None:
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def expected() -> list[Batch]:
    return list(loader(0))


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_processes_give_the_batches_that_this_process_makes_epoch_after_epoch(
    num_workers: int, expected: list[Batch]
) -> None:
    sharing = loader(num_workers)
    assert isinstance(sharing, SharingLoader)
    assert len(sharing) == len(expected) == 6
    for _ in range(3):
        assert_alike(
            list(sharing), expected
        )  # all are kept: none may be overwritten by a later one


def test_a_batch_has_the_channels_first_and_the_memory_of_the_frames() -> None:
    frames = next(iter(loader()))["frames"]
    assert frames.shape == (4, 2, 3, 14, 14)
    assert frames.permute(0, 1, 3, 4, 2).is_contiguous()  # (B, T, H, W, C)
    assert not frames.is_shared()


@pytest.mark.parametrize("num_workers", [1, 2])
def test_no_process_is_ever_so_far_ahead_that_it_writes_where_is_still_being_read(
    num_workers: int, expected: list[Batch]
) -> None:
    sharing = loader(num_workers)
    shared = sharing.collate_fn

    class Slow(SharedBatches):
        def received(self, handed: Handed) -> Batch:
            time.sleep(0.05)  # time enough for the processes to make all that they may make ahead
            return super().received(handed)

    assert isinstance(shared, SharedBatches)
    shared.__class__ = Slow
    assert_alike(list(sharing), expected)


def test_who_stops_early_can_begin_anew(expected: list[Batch]) -> None:
    sharing = loader(2)
    for stop in range(1, 5):
        batches = iter(sharing)
        assert_alike([next(batches) for _ in range(stop)], expected[:stop])
    assert_alike(list(sharing), expected)


def test_memory_is_taken_once_and_only_by_a_loader_that_is_used() -> None:
    sharing = loader()
    assert isinstance(sharing, SharingLoader)
    assert sharing.collate_fn._memory is None
    list(sharing)
    where = sharing.collate_fn.memory.data_ptr()
    list(sharing)
    assert sharing.collate_fn.memory.data_ptr() == where
    assert sharing.collate_fn.memory.shape == (1, PREFETCH + 1, 4, *SHAPE)


def test_an_error_in_a_process_is_raised_here() -> None:
    def broken(clip: Clip) -> Frames:
        raise UserError(f"{clip.path} is broken")

    with pytest.raises(UserError, match=r"0.mp4 is broken"):
        next(iter(loader(source=broken)))


def test_a_sample_of_another_shape_is_an_error_and_never_lands_in_its_neighbours_memory() -> None:
    with pytest.raises(RuntimeError, match=r"must match .* \(13\)"):
        next(iter(loader(transform=ClipTransform((13, 13)))))


def test_too_little_shared_memory_is_an_error_that_says_how_much_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hand_over, "shared_memory_free", lambda: 64_000_000)
    batches = make_loader(dataset(), batch_size=64, num_workers=2, shape=(10, 224, 224, 3))
    message = r"2 loader processes need 0.58 GB of shared memory, and 0.06 are free: choose fewer"
    with pytest.raises(UserError, match=message):
        iter(batches)


@pytest.mark.slow
def test_processes_that_are_not_forked_find_the_memory_too(expected: list[Batch]) -> None:
    forked = loader()
    assert isinstance(forked, SharingLoader)
    spawned = SharingLoader(
        forked.dataset,
        batch_size=4,
        num_workers=1,
        persistent_workers=True,
        prefetch_factor=PREFETCH,
        collate_fn=forked.collate_fn,
        multiprocessing_context="spawn",
    )
    assert_alike(list(spawned), expected)
