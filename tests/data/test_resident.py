"""Clips are kept in memory where they fit."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from emorec.data import resident, shared_memory
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset
from emorec.data.loader import make_loader
from emorec.data.resident import FREE_SHARE, ResidentPictures, load_pictures, room_on
from emorec.data.resize import Frames
from emorec.data.transform import ClipTransform

CPU = torch.device("cpu")
SHAPE = (2, 16, 16, 3)
# more processes than cores
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

CLIPS = [Clip(path=Path(f"{take}.mp4"), label=0, actor=1, take=str(take)) for take in range(9)]


def squares(clip: Clip) -> Frames:
    """Noise that only this clip has."""
    return np.random.default_rng(int(clip.take)).integers(0, 256, SHAPE, dtype=np.uint8)


def loaded() -> ResidentPictures:
    kept = load_pictures(CLIPS, squares, CPU)
    assert kept is not None
    return kept


def test_each_clip_is_what_the_source_gave() -> None:
    kept = loaded()
    assert kept.pictures.shape == (9, *SHAPE)
    assert all(np.array_equal(kept(clip), squares(clip)) for clip in CLIPS)


def test_who_asks_may_change_what_it_is_given() -> None:
    kept = loaded()
    kept(CLIPS[2])[:] = 0
    assert np.array_equal(kept(CLIPS[2]), squares(CLIPS[2]))


def test_the_same_part_of_a_file_is_kept_once() -> None:
    asked: Counter[str] = Counter()

    def counted(clip: Clip) -> Frames:
        asked[clip.take] += 1
        return squares(clip)

    kept = load_pictures([*CLIPS, CLIPS[3]], counted, CPU)
    assert kept is not None
    assert len(kept.pictures) == 9
    assert max(asked.values()) <= 2  # the first tells the shape


def test_a_batch_is_taken_by_its_rows_and_has_the_channels_first() -> None:
    kept = loaded()
    wanted = [CLIPS[5], CLIPS[0], CLIPS[5]]
    taken = kept.take(torch.tensor([kept.row(clip) for clip in wanted]))
    assert taken.shape == (3, 2, 3, 16, 16)
    assert taken.permute(0, 1, 3, 4, 2).is_contiguous()  # (B, T, H, W, C)
    for clip, frames in zip(wanted, taken, strict=True):
        assert np.array_equal(frames.permute(0, 2, 3, 1), squares(clip))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_loader_processes_read_the_same_memory(num_workers: int) -> None:
    kept = loaded()
    assert kept.pictures.is_shared()
    dataset = ClipDataset(CLIPS, kept, ClipTransform((14, 14)))
    loader = make_loader(dataset, batch_size=9, num_workers=num_workers, shape=(2, 14, 14, 3))
    kept.pictures[0] = 7  # after the data set was made: a copy would not know
    (batch,) = loader
    assert (batch["frames"][0] == 7).all()
    assert np.array_equal(batch["frames"][3].permute(0, 2, 3, 1), squares(CLIPS[3])[:, 1:15, 1:15])


def test_what_does_not_fit_is_said_in_one_line_and_left_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resident, "room_on", lambda device: 9 * 2 * 16 * 16 * 3 - 1)
    with caplog.at_level(logging.WARNING):
        assert load_pictures(CLIPS, squares, CPU) is None
    (record,) = caplog.records
    assert record.getMessage() == (
        "clips stay in the cache: together they take 0.0 GB, and shared memory has room for 0.0 "
        "(30 % of it stay free)"
    )
    monkeypatch.setattr(resident, "room_on", lambda device: 9 * 2 * 16 * 16 * 3)
    assert load_pictures(CLIPS, squares, CPU) is not None


def test_a_part_of_the_memory_stays_free_and_a_containers_limit_is_heeded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(resident, "_main_memory", lambda: (80, 100))
    monkeypatch.setattr(shared_memory, "SHARED_MEMORY", tmp_path)
    assert room_on(CPU) == 80 - FREE_SHARE * 100
    monkeypatch.setattr(resident, "_main_memory", lambda: (80 * 10**15, 100 * 10**15))
    assert room_on(CPU) < 10**15  # what the disk under tmp_path has free
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (50, 100))
    assert room_on(torch.device("cuda", 0)) == 50 - FREE_SHARE * 100


def test_a_clip_that_cannot_be_read_is_raised() -> None:
    def broken(clip: Clip) -> Frames:
        if clip.take == "4":
            raise OSError("frames ends before slot 4")
        return squares(clip)

    with pytest.raises(OSError, match="slot 4"):
        load_pictures(CLIPS, broken, CPU)
