"""A clip's file becomes what the network sees."""

import numpy as np
import pytest
import torch

from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset, draw_seed
from emorec.data.loader import collate
from emorec.data.recipe import Recipe
from emorec.data.source import DecodedPictures
from emorec.data.transform import Augment, ClipTransform
from tests import videos

NUM_FRAMES = 5


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = videos.write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", 23)
    return Clip(path=path, label=6, actor=1, take="take")


def dataset(clip: Clip, augment: Augment = False, *, seed: int = 0) -> ClipDataset:
    source = DecodedPictures(Recipe(num_frames=NUM_FRAMES, size=(36, 36), resize="squash"))
    return ClipDataset([clip, clip], source, ClipTransform((32, 32), augment), seed)


def test_a_sample_holds_the_evenly_spaced_frames_of_the_file(clip: Clip) -> None:
    sample = dataset(clip)[1]
    frames = sample["frames"]
    assert frames.dtype == torch.uint8
    assert frames.shape == (NUM_FRAMES, 32, 32, 3)
    assert videos.shown_indices(frames.numpy()) == [0, 5, 11, 16, 22]
    assert (sample["label"], sample["index"]) == (6, 1)


def test_a_part_of_a_longer_video_is_a_clip(clip: Clip) -> None:
    part = Clip(
        path=clip.path, label=0, actor=1, take="part", span_seconds=(5 / 30, 10 / 30)
    )  # at 30 frames a second
    assert videos.shown_indices(dataset(part)[0]["frames"].numpy()) == [5, 6, 7, 8, 9]


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_every_epoch_seed_and_position_draws_anew_and_always_the_same(
    clip: Clip, augment: Augment
) -> None:
    def drawn(epoch: int, index: int, seed: int) -> bytes:
        return bytes(dataset(clip, augment, seed=seed)[epoch, index]["frames"].numpy())

    keys = [(epoch, index, seed) for epoch in range(3) for index in (0, 1) for seed in (0, 1)]
    assert len({drawn(*key) for key in keys}) == len(keys)
    assert drawn(2, 1, 1) == drawn(2, 1, 1)


def test_without_augmentation_every_epoch_is_alike(clip: Clip) -> None:
    clips = dataset(clip)
    assert torch.equal(clips[0, 0]["frames"], clips[7, 0]["frames"])


def test_no_two_of_many_draws_share_a_seed() -> None:
    seeds = {draw_seed(s, e, i) for s in range(3) for e in range(10) for i in range(100)}
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
