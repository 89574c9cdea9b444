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

INPUT_SIZE, SIZE = (64, 96), (56, 84)


def distinct_frames(num_frames: int = 5) -> Frames:
    """Return distinct smooth frames, whose interpolation is exact to a grey level or two."""
    noise = np.random.default_rng(0).integers(0, 256, (num_frames, 5, 5, 3), dtype=np.uint8)
    return np.stack(
        [cv2.resize(frame, INPUT_SIZE[::-1], interpolation=cv2.INTER_CUBIC) for frame in noise]
    )


def equal_frames(num_frames: int = 5) -> Frames:
    """Return equal frames."""
    return np.repeat(distinct_frames(1), num_frames, axis=0)


def ramp() -> Frames:
    """Return a frame with a horizontal ramp in red and a vertical one in green."""
    rows, columns = np.meshgrid(*[np.linspace(0, 255, side) for side in INPUT_SIZE], indexing="ij")
    return np.stack([columns, rows, 0 * rows], -1).astype(np.uint8)[None]


def augment_by_albumentations(inputs: Frames, seed: int) -> Frames:
    """Apply the same augmentation in four steps of albumentations."""
    steps = A.Compose(
        [
            A.Rotate(limit=10, border_mode=cv2.BORDER_REFLECT_101, p=0.5),
            A.RandomCrop(*SIZE),
            A.HorizontalFlip(p=0.5),
            A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.8),
        ]
    )
    steps.set_random_state(np.random.default_rng(seed), random.Random(seed))
    # without `force_apply` it draws another random number
    output: dict[str, Any] = steps(images=inputs, force_apply=True)
    frames: Frames = output["images"]
    return frames


def is_rotated(transform: ClipTransform, seed: int) -> bool:
    return bool(transform.params(1, INPUT_SIZE, seed)[0].source[0, 1])


@pytest.mark.parametrize("augment", [False, True, "per_frame"])
def test_outputs_have_the_requested_size_and_inputs_are_not_changed(
    augment: Augment,
) -> None:
    inputs = distinct_frames()
    for seed in range(10):
        frames = ClipTransform(SIZE, augment)(inputs, seed)
        assert frames.shape == (5, *SIZE, 3)
        assert frames.dtype == np.uint8
        assert not np.shares_memory(frames, inputs)
    assert np.array_equal(inputs, distinct_frames())


def test_without_augmentation_the_output_is_the_centre_crop() -> None:
    transform = ClipTransform(SIZE)
    for seed in range(2):
        assert np.array_equal(transform(distinct_frames(), seed), distinct_frames()[:, 4:60, 6:90])


def test_one_warp_equals_four_steps_of_albumentations() -> None:
    transform, inputs = ClipTransform(SIZE, True), distinct_frames()
    num_rotated = 0
    for seed in range(60):
        expected = augment_by_albumentations(inputs, seed).astype(int)
        difference = np.abs(transform(inputs, seed) - expected)
        if is_rotated(transform, seed):
            num_rotated += 1
            assert difference.max() <= 2
            assert (difference > 1).mean() < 0.01
        else:
            assert difference.max() == 0
    assert 15 < num_rotated < 45


def test_all_frames_of_a_clip_are_augmented_alike() -> None:
    transform = ClipTransform(SIZE, True)
    for seed in range(20):
        frames = transform(equal_frames(), seed)
        assert (frames == frames[:1]).all()


def test_an_erased_rectangle_is_the_same_in_all_frames_and_has_the_mean_colour() -> None:
    plain, erasing = ClipTransform(SIZE, True), ClipTransform(SIZE, True, erasing=0.5)
    num_erased = 0
    for seed in range(40):
        before, after = (transform(distinct_frames(), seed) for transform in (plain, erasing))
        changed = (before != after).any(axis=(0, 3))
        if not changed.any():
            continue
        num_erased += 1
        rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
        hole = after[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert (hole == before.mean(axis=(0, 1, 2)).astype(np.uint8)).all()
        assert hole[0, :, :, 0].size < 0.34 * before[0, :, :, 0].size
    assert 8 < num_erased < 32


def test_per_frame_augmentation_only_crops_and_flips_each_frame() -> None:
    frames = ClipTransform(SIZE, "per_frame")(equal_frames(), seed=0)
    assert len({frame.tobytes() for frame in frames}) == 5
    image = equal_frames(1)[0]
    crops = {
        crop[:, ::step].tobytes()
        for top in range(9)
        for left in range(13)
        for crop in [image[top : top + 56, left : left + 84]]
        for step in (1, -1)
    }
    assert all(frame.tobytes() in crops for frame in frames)


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_augmentation_depends_on_the_seed_only(augment: Augment) -> None:
    first, second = ClipTransform(SIZE, augment), ClipTransform(SIZE, augment)
    second(equal_frames(), seed=99)  # earlier calls have no effect
    assert np.array_equal(first(equal_frames(), seed=7), second(equal_frames(), seed=7))
    outputs = {first(equal_frames(), seed).tobytes() for seed in range(30)}
    assert len(outputs) > 25


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_rotation_adds_no_border(augment: Augment) -> None:
    grey = np.full((1, *INPUT_SIZE, 3), 200, dtype=np.uint8)
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


def test_parameters_are_drawn_independently() -> None:
    transform = ClipTransform(SIZE, True)
    params = [transform.params(1, INPUT_SIZE, seed)[0] for seed in range(400)]
    unrotated = [param for param in params if param.source[0, 1] == 0 and param.contrast == 1.0]
    assert len(unrotated) > 20  # a tenth of all on average
    assert 0.25 < np.mean([param.source[0, 0] < 0 for param in unrotated]) < 0.75
    assert {param.source[1, 2] for param in unrotated} == set(range(64 - 56 + 1))


def test_parameters_cover_the_documented_ranges() -> None:
    transform = ClipTransform(SIZE, True)
    params = [transform.params(1, INPUT_SIZE, seed)[0] for seed in range(400)]
    degrees = [np.degrees(np.arcsin(param.source[1, 0])) for param in params if param.source[1, 0]]
    assert 150 < len(degrees) < 250
    assert 9 < max(degrees) < 10
    assert -10 < min(degrees) < -9
    with_contrast = [param for param in params if param.contrast != 1.0]
    assert 280 < len(with_contrast) < 360
    for values in (
        [param.contrast - 1 for param in with_contrast],
        [param.brightness / 255 for param in with_contrast],
    ):
        assert 0.18 < max(values) <= 0.2
        assert -0.2 <= min(values) < -0.18


# Augmentation of the seed study on Aff-Wild2, compared with SciPy

STUDY_SIZE, SQUARE = (48, 80), (96, 96)


def smooth_image() -> np.ndarray:
    noise = np.random.default_rng(0).integers(60, 200, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(noise, STUDY_SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def test_the_warp_equals_scipy_with_the_same_parameters() -> None:
    image = smooth_image()
    for seed in range(20):
        (frame,) = ClipTransform(STUDY_SIZE, "seed_affwild2")(image[None], seed)
        param = seed_study_params(np.random.default_rng(seed), STUDY_SIZE, STUDY_SIZE)
        (xx, xy, x0), (yx, yy, y0) = param.source
        matrix, offset = np.array([[yy, yx], [xy, xx]]), (y0, x0)  # SciPy has rows first
        planes = [
            affine_transform(image[..., k].astype(float), matrix, offset, order=1, mode="mirror")
            for k in range(3)
        ]
        expected = np.clip(np.stack(planes, -1) * param.contrast, 0, 255)
        errors = np.abs(frame - expected)
        assert np.percentile(errors, 99) < 4
        assert errors.mean() < 1


def test_parameters_cover_the_ranges_of_the_seed_study() -> None:
    draws = [seed_study_params(np.random.default_rng(seed), SQUARE, SQUARE) for seed in range(500)]
    heights, widths, shifts, contrasts = [], [], [], []
    for param in draws:
        matrix = param.source[:, :2]
        widths.append(np.linalg.norm(matrix[:, 0]))  # a column is the step of one pixel
        heights.append(np.linalg.norm(matrix[:, 1]))
        shifts.append(np.abs(param.source @ (47.5, 47.5, 1) - 47.5).max())
        contrasts.append(param.contrast)
    assert 0.9 <= min(widths) < 0.92
    assert 1.23 < max(widths) <= 1.25
    assert min(heights) + 1e-9 >= 0.9
    assert max(heights) <= 1.25 + 1e-9
    assert max(shifts) <= 9.6 * np.sqrt(2)
    assert 0.5 <= min(contrasts) < 0.53
    assert 1.47 < max(contrasts) <= 1.5
    flips = np.mean([np.linalg.det(param.source[:, :2]) < 0 for param in draws])
    assert flips == pytest.approx(0.5, abs=0.07)


def test_all_frames_of_a_window_are_augmented_alike_and_windows_differ() -> None:
    frames = np.repeat(smooth_image()[None], 3, axis=0)
    transform = ClipTransform(STUDY_SIZE, "seed_affwild2")
    first, second = transform(frames, 1), transform(frames, 2)
    assert (first == first[0]).all()
    assert (first != second).mean() > 0.5  # the code of the study augmented all images alike
    assert np.array_equal(first, transform(frames, 1))


def test_images_are_not_enlarged_without_a_crop() -> None:
    options = {"root": "x", "image_size": 96, "num_frames": 1}
    assert AffWild2DataModule(augment="seed_affwild2", **options).frame_spec.size == SQUARE
    assert AffWild2DataModule(augment=True, **options).frame_spec.size > SQUARE


# Test-time views

UNCROPPED, VIEW_SIZE = (32, 48), (28, 42)


def uncropped(num_clips: int = 2, num_frames: int = 3) -> Tensor:
    """Return (B, T, C, H, W) noise in the memory order of a batch."""
    rng = np.random.default_rng(0)
    shape = (num_clips, num_frames, *UNCROPPED, 3)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 1, 4, 2, 3)


def test_ten_views_are_the_centre_and_the_corners_and_their_mirror_images() -> None:
    clips = uncropped().numpy()
    crops = {
        "centre": clips[..., 2:30, 3:45],
        "top left": clips[..., :28, :42],
        "bottom right": clips[..., 4:, 6:],
        "top right": clips[..., :28, 6:],
        "bottom left": clips[..., 4:, :42],
    }
    expected = [view for crop in crops.values() for view in (crop, crop[..., ::-1])]
    views = crop_views(uncropped(), VIEW_SIZE, MAX_VIEWS)
    assert len(views) == len(expected) == 10
    for view, expected_view in zip(views, expected, strict=True):
        assert np.array_equal(view.numpy(), expected_view)


@pytest.mark.parametrize("number", [1, 2, 5, 9])
def test_fewer_views_are_the_first_ones(number: int) -> None:
    views = crop_views(uncropped(), VIEW_SIZE, number)
    assert len(views) == number
    for view, expected_view in zip(
        views, crop_views(uncropped(), VIEW_SIZE, MAX_VIEWS), strict=False
    ):
        assert torch.equal(view, expected_view)


def test_the_first_view_is_the_image_without_views() -> None:
    clip = uncropped(num_clips=1)[0].permute(0, 2, 3, 1).numpy()  # (T, H, W, C)
    (view,) = crop_views(uncropped(num_clips=1), VIEW_SIZE, 1)
    assert np.array_equal(view[0].permute(0, 2, 3, 1).numpy(), ClipTransform(VIEW_SIZE)(clip))


def test_inputs_are_not_changed() -> None:
    inputs = uncropped()
    for view in crop_views(inputs, VIEW_SIZE, MAX_VIEWS)[1::2]:  # mirrored views
        view.zero_()
    assert torch.equal(inputs, uncropped())


@pytest.mark.parametrize("number", [-1, 0, 11])
def test_invalid_numbers_of_views_are_refused(number: int) -> None:
    with pytest.raises(UserError, match=f"views is {number}: choose 1 to 10"):
        crop_views(uncropped(), VIEW_SIZE, number)
