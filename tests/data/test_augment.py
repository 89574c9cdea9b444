"""Augmentation is the same for all frames of a clip; test-time views are crops and mirror images."""

import random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.ndimage import affine_transform
from torch import Tensor

from emorec.data import AffWild2DataModule
from emorec.data.augment import (
    MAX_VIEWS,
    A,
    Augment,
    ClipTransform,
    crop_views,
    cv2,
    seed_study_params,
)
from emorec.errors import UserError

Frames = npt.NDArray[np.uint8]

BEFORE, SIZE = (64, 96), (56, 84)


def moving(num_frames: int = 5) -> Frames:
    """Smooth pictures, each another one: what is between their pixels is known to a grey level or two."""
    noise = np.random.default_rng(0).integers(0, 256, (num_frames, 5, 5, 3), dtype=np.uint8)
    return np.stack(
        [cv2.resize(each, BEFORE[::-1], interpolation=cv2.INTER_CUBIC) for each in noise]
    )


def still(num_frames: int = 5) -> Frames:
    """The same picture in every frame."""
    return np.repeat(moving(1), num_frames, axis=0)


def ramp() -> Frames:
    """A frame whose red is the column and whose green is the row, as shares of 255."""
    rows, columns = np.meshgrid(*[np.linspace(0, 255, side) for side in BEFORE], indexing="ij")
    return np.stack([columns, rows, 0 * rows], -1).astype(np.uint8)[None]


def by_albumentations(pictures: Frames, seed: int) -> Frames:
    """The same augmentation, done by albumentations alone, one step after another."""
    steps = A.Compose(
        [
            A.Rotate(limit=10, border_mode=cv2.BORDER_REFLECT_101, p=0.5),
            A.RandomCrop(*SIZE),
            A.HorizontalFlip(p=0.5),
            A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.8),
        ]
    )
    steps.set_random_state(np.random.default_rng(seed), random.Random(seed))
    done: dict[str, Any] = steps(images=pictures, force_apply=True)  # or it draws once more
    frames: Frames = done["images"]
    return frames


def is_turned(transform: ClipTransform, seed: int) -> bool:
    return bool(transform.params(1, BEFORE, seed)[0].source[0, 1])


@pytest.mark.parametrize("augment", [False, True, "per_frame"])
def test_every_clip_becomes_frames_of_the_wanted_size_and_its_pictures_stay_as_they_are(
    augment: Augment,
) -> None:
    pictures = moving()
    for seed in range(10):
        frames = ClipTransform(SIZE, augment)(pictures, seed)
        assert frames.shape == (5, *SIZE, 3)
        assert frames.dtype == np.uint8
        assert not np.shares_memory(frames, pictures)
    assert np.array_equal(pictures, moving())


def test_without_augmentation_the_centre_is_cut_out_whatever_the_seed() -> None:
    transform = ClipTransform(SIZE)
    for seed in range(2):
        assert np.array_equal(transform(moving(), seed), moving()[:, 4:60, 6:90])


def test_one_pass_gives_what_albumentations_gives_in_four() -> None:
    transform, pictures = ClipTransform(SIZE, True), moving()
    turned = 0
    for seed in range(60):
        expected = by_albumentations(pictures, seed).astype(int)
        difference = np.abs(transform(pictures, seed) - expected)
        if is_turned(transform, seed):
            turned += 1
            assert difference.max() <= 2
            assert (difference > 1).mean() < 0.01
        else:
            assert difference.max() == 0
    assert 15 < turned < 45


def test_one_draw_serves_every_frame_of_a_clip() -> None:
    transform = ClipTransform(SIZE, True)
    for seed in range(20):
        frames = transform(still(), seed)
        assert (frames == frames[:1]).all()


def test_per_frame_augmentation_crops_and_flips_every_frame_anew_and_does_no_more() -> None:
    frames = ClipTransform(SIZE, "per_frame")(still(), seed=0)
    assert len({frame.tobytes() for frame in frames}) == 5
    picture = still(1)[0]
    crops = {
        crop[:, ::step].tobytes()
        for top in range(9)
        for left in range(13)
        for crop in [picture[top : top + 56, left : left + 84]]
        for step in (1, -1)
    }
    assert all(frame.tobytes() in crops for frame in frames)


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_what_is_drawn_depends_on_the_seed_alone(augment: Augment) -> None:
    first, second = ClipTransform(SIZE, augment), ClipTransform(SIZE, augment)
    second(still(), seed=99)  # what was drawn before leaves no trace
    assert np.array_equal(first(still(), seed=7), second(still(), seed=7))
    seen = {first(still(), seed).tobytes() for seed in range(30)}
    assert len(seen) > 25


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_no_border_comes_in_where_a_turned_picture_ends(augment: Augment) -> None:
    grey = np.full((1, *BEFORE, 3), 200, dtype=np.uint8)
    transform = ClipTransform(SIZE, augment)
    assert all(np.ptp(transform(grey, seed)) == 0 for seed in range(50))


def test_augmentation_flips_about_half_of_the_clips() -> None:
    transform = ClipTransform(SIZE, True)
    flipped = sum(
        int(frame[:, 0, 0].mean() > frame[:, -1, 0].mean())
        for seed in range(200)
        for frame in transform(ramp(), seed)
    )
    assert 70 < flipped < 130


def test_what_is_drawn_for_one_change_says_nothing_of_the_others() -> None:
    transform = ClipTransform(SIZE, True)
    drawn = [transform.params(1, BEFORE, seed)[0] for seed in range(400)]
    plain = [draw for draw in drawn if draw.source[0, 1] == 0 and draw.contrast == 1.0]
    assert len(plain) > 20  # a tenth of all
    assert 0.25 < np.mean([draw.source[0, 0] < 0 for draw in plain]) < 0.75
    assert {draw.source[1, 2] for draw in plain} == set(range(64 - 56 + 1))


def test_the_ranges_are_those_that_are_promised() -> None:
    transform = ClipTransform(SIZE, True)
    drawn = [transform.params(1, BEFORE, seed)[0] for seed in range(400)]
    degrees = [np.degrees(np.arcsin(draw.source[1, 0])) for draw in drawn if draw.source[1, 0]]
    assert 150 < len(degrees) < 250
    assert 9 < max(degrees) < 10
    assert -10 < min(degrees) < -9
    lit = [draw for draw in drawn if draw.contrast != 1.0]
    assert 280 < len(lit) < 360
    for values in ([draw.contrast - 1 for draw in lit], [draw.brightness / 255 for draw in lit]):
        assert 0.18 < max(values) <= 0.2
        assert -0.2 <= min(values) < -0.18


# the augmentation of the seed study of Aff-Wild2, compared with SciPy

STUDY_SIZE, SQUARE = (48, 80), (96, 96)


def smooth_picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(60, 200, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(noise, STUDY_SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def test_a_picture_is_what_scipy_makes_of_the_same_draw() -> None:
    picture = smooth_picture()
    for seed in range(20):
        (frame,) = ClipTransform(STUDY_SIZE, "seed_affwild2")(picture[None], seed)
        draw = seed_study_params(np.random.default_rng(seed), STUDY_SIZE, STUDY_SIZE)
        (xx, xy, x0), (yx, yy, y0) = draw.source
        matrix, offset = np.array([[yy, yx], [xy, xx]]), (y0, x0)  # scipy has rows first
        planes = [
            affine_transform(picture[..., k].astype(float), matrix, offset, order=1, mode="mirror")
            for k in range(3)
        ]
        expected = np.clip(np.stack(planes, -1) * draw.contrast, 0, 255)
        away = np.abs(frame - expected)
        assert np.percentile(away, 99) < 4
        assert away.mean() < 1


def test_draws_keep_to_the_study_s_limits_and_reach_them() -> None:
    draws = [seed_study_params(np.random.default_rng(seed), SQUARE, SQUARE) for seed in range(500)]
    high, wide, middle, light = [], [], [], []
    for draw in draws:
        matrix = draw.source[:, :2]
        wide.append(np.linalg.norm(matrix[:, 0]))  # a column is how far one goes for a pixel
        high.append(np.linalg.norm(matrix[:, 1]))
        middle.append(np.abs(draw.source @ (47.5, 47.5, 1) - 47.5).max())
        light.append(draw.contrast)
    assert 0.9 <= min(wide) < 0.92
    assert 1.23 < max(wide) <= 1.25
    assert min(high) + 1e-9 >= 0.9
    assert max(high) <= 1.25 + 1e-9
    assert max(middle) <= 9.6 * np.sqrt(2)
    assert 0.5 <= min(light) < 0.53
    assert 1.47 < max(light) <= 1.5
    flips = np.mean([np.linalg.det(draw.source[:, :2]) < 0 for draw in draws])
    assert flips == pytest.approx(0.5, abs=0.07)


def test_all_frames_of_a_window_are_varied_alike_and_every_window_in_its_own_way() -> None:
    frames = np.repeat(smooth_picture()[None], 3, axis=0)
    transform = ClipTransform(STUDY_SIZE, "seed_affwild2")
    one, other = transform(frames, 1), transform(frames, 2)
    assert (one == one[0]).all()
    assert (one != other).mean() > 0.5  # the study's program gave all pictures the same draw
    assert np.array_equal(one, transform(frames, 1))


def test_nothing_is_cut_away_from_faces_that_are_not_cropped() -> None:
    how = {"root": "x", "image_size": 96, "num_frames": 1}
    assert AffWild2DataModule(augment="seed_affwild2", **how).frame_spec.size == SQUARE
    assert AffWild2DataModule(augment=True, **how).frame_spec.size > SQUARE


# test-time views

UNCROPPED, VIEW_SIZE = (32, 48), (28, 42)


def uncropped(num_clips: int = 2, num_frames: int = 3) -> Tensor:
    """(B, T, C, H, W) of noise, in the memory order of a batch."""
    rng = np.random.default_rng(0)
    shape = (num_clips, num_frames, *UNCROPPED, 3)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 1, 4, 2, 3)


def test_ten_views_are_the_centre_and_the_corners_and_their_mirror_images() -> None:
    whole = uncropped().numpy()
    crops = {
        "centre": whole[..., 2:30, 3:45],
        "top left": whole[..., :28, :42],
        "bottom right": whole[..., 4:, 6:],
        "top right": whole[..., :28, 6:],
        "bottom left": whole[..., 4:, :42],
    }
    expected = [view for crop in crops.values() for view in (crop, crop[..., ::-1])]
    views = crop_views(uncropped(), VIEW_SIZE, MAX_VIEWS)
    assert len(views) == len(expected) == 10
    for view, wanted in zip(views, expected, strict=True):
        assert np.array_equal(view.numpy(), wanted)


@pytest.mark.parametrize("number", [1, 2, 5, 9])
def test_fewer_views_are_the_first_ones(number: int) -> None:
    views = crop_views(uncropped(), VIEW_SIZE, number)
    assert len(views) == number
    for view, wanted in zip(views, crop_views(uncropped(), VIEW_SIZE, MAX_VIEWS), strict=False):
        assert torch.equal(view, wanted)


def test_the_first_view_is_what_is_measured_without_views() -> None:
    clip = uncropped(num_clips=1)[0].permute(0, 2, 3, 1).numpy()  # (T, H, W, C)
    (view,) = crop_views(uncropped(num_clips=1), VIEW_SIZE, 1)
    assert np.array_equal(view[0].permute(0, 2, 3, 1).numpy(), ClipTransform(VIEW_SIZE)(clip))


def test_the_pictures_stay_as_they_are() -> None:
    given = uncropped()
    for view in crop_views(given, VIEW_SIZE, MAX_VIEWS)[1::2]:  # the mirrored ones
        view.zero_()
    assert torch.equal(given, uncropped())


@pytest.mark.parametrize("number", [-1, 0, 11])
def test_other_numbers_are_refused(number: int) -> None:
    with pytest.raises(UserError, match=f"views is {number}: choose 1 to 10"):
        crop_views(uncropped(), VIEW_SIZE, number)
