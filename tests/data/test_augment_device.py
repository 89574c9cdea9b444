"""The device makes of pictures what the loader's processes make of them."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from emorec.data.augment_device import transform_on_device
from emorec.data.transform import Augment, ClipTransform, cv2

BEFORE, SIZE = (64, 96), (56, 84)


def smooth(seed: int, num_frames: int = 3) -> npt.NDArray[np.uint8]:
    """Frames (T, H, W, 3) without edges: what is between their pixels is known to a grey level or two."""
    noise = np.random.default_rng(seed).integers(0, 256, (num_frames, 5, 5, 3), dtype=np.uint8)
    return np.stack(
        [cv2.resize(each, BEFORE[::-1], interpolation=cv2.INTER_CUBIC) for each in noise]
    )


def batch(clips: list[npt.NDArray[np.uint8]]) -> Tensor:
    """(B, T, C, H, W), as a loader hands it over."""
    return torch.from_numpy(np.stack(clips)).permute(0, 1, 4, 2, 3)


def numbers(transform: ClipTransform, seeds: list[int], num_frames: int = 3) -> Tensor:
    """(B, T, 8)."""
    return torch.tensor(
        [[draw.numbers for draw in transform.draws(num_frames, BEFORE, seed)] for seed in seeds]
    )


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_the_same_draws_give_the_same_pictures_on_both(augment: Augment) -> None:
    transform, seeds = ClipTransform(SIZE, augment), list(range(40))
    clips = [smooth(seed) for seed in seeds]
    draws = numbers(transform, seeds)
    made = transform_on_device(batch(clips), SIZE, draws)
    expected = batch([transform(clip, seed) for clip, seed in zip(clips, seeds, strict=True)])
    difference = (made.int() - expected.int()).abs()
    assert made.dtype == torch.uint8
    assert difference.max() <= 2
    assert (difference > 1).float().mean() < 0.01
    as_it_is = (draws[..., 1] == 0) & (draws[..., 6] == 1)  # neither turned nor lit
    assert as_it_is.any()
    assert (difference[as_it_is] == 0).all()


def test_without_draws_the_centre_is_cut_out_as_the_processes_do() -> None:
    clips = [smooth(0), smooth(1)]
    expected = batch([ClipTransform(SIZE)(clip) for clip in clips])
    assert torch.equal(transform_on_device(batch(clips), SIZE), expected)


def test_what_becomes_of_a_clip_does_not_depend_on_its_place_in_the_batch() -> None:
    pictures = batch([smooth(0), smooth(1), smooth(2)])
    draws = numbers(ClipTransform(SIZE, True), [4, 5, 6])
    order = [2, 0, 1]
    made = transform_on_device(pictures, SIZE, draws)
    assert torch.equal(transform_on_device(pictures[order], SIZE, draws[order]), made[order])
    assert torch.equal(transform_on_device(pictures[1:2], SIZE, draws[1:2]), made[1:2])


def test_the_memory_has_the_channels_last_as_that_of_every_batch() -> None:
    draws = numbers(ClipTransform(SIZE, True), [0])
    made = transform_on_device(batch([smooth(0)]), SIZE, draws)
    assert made.shape == (1, 3, 3, *SIZE)
    assert made.permute(0, 1, 3, 4, 2).is_contiguous()


def test_light_stays_within_what_a_pixel_can_hold() -> None:
    grey = torch.tensor([10, 100, 250], dtype=torch.uint8)
    pictures = grey[None, :, None, None, None].expand(1, 3, 1, *BEFORE)
    bright, dark = [1.0, 0, 0, 0, 1, 0, 1.2, 20], [1.0, 0, 0, 0, 1, 0, 0.8, -30]
    draws = torch.tensor([[bright] * 3, [dark] * 3])
    made = transform_on_device(pictures.expand(2, -1, -1, -1, -1), SIZE, draws)
    assert made[0, :, 0, 0, 0].tolist() == [32, 140, 255]
    assert made[1, :, 0, 0, 0].tolist() == [0, 50, 170]
