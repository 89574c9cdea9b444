"""Frames as the network sees them."""

import numpy as np
import numpy.typing as npt
import pytest

from emorec.data.transform import Augment, ClipTransform, Resize

Frames = npt.NDArray[np.uint8]


def still(height: int = 72, width: int = 128, num_frames: int = 5) -> Frames:
    """The same noisy picture in every frame."""
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.repeat(picture[None], num_frames, axis=0)


def ramp(height: int, width: int) -> Frames:
    """A frame whose red is the column and whose green is the row, as shares of 255."""
    rows = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    columns = np.linspace(0, 255, width)[None].repeat(height, 0)
    return np.stack([columns, rows, 0 * rows], -1).astype(np.uint8)[None]


@pytest.mark.parametrize("augment", [False, True, "per_frame"])
@pytest.mark.parametrize("resize", ["shorter_side", "squash"])
@pytest.mark.parametrize("shape", [(72, 128), (128, 72), (50, 50)])
def test_every_clip_becomes_square_frames_of_the_wanted_size(
    augment: Augment, resize: Resize, shape: tuple[int, int]
) -> None:
    frames = ClipTransform(56, resize, augment)(still(*shape), seed=3)
    assert frames.shape == (5, 56, 56, 3)
    assert frames.dtype == np.uint8


def test_a_picture_of_the_resized_size_is_only_cropped_in_its_centre() -> None:
    frames = still(64, 96)
    assert np.array_equal(ClipTransform(56)(frames), frames[:, 4:60, 20:76])


def test_the_shorter_side_keeps_the_shape_and_squashing_keeps_the_width() -> None:
    wide = ramp(256, 512)
    kept = ClipTransform(224, "shorter_side")(wide)[0]
    squashed = ClipTransform(224, "squash")(wide)[0]
    # 224 of 512 columns are 7/16 of the red ramp, 224 of 256 columns are 7/8 of it
    assert np.ptp(kept[..., 0]) == pytest.approx(255 * 7 / 16, abs=3)
    assert np.ptp(squashed[..., 0]) == pytest.approx(255 * 7 / 8, abs=3)
    assert np.ptp(kept[..., 1]) == np.ptp(squashed[..., 1]) == pytest.approx(255 * 7 / 8, abs=3)


def test_without_augmentation_nothing_is_drawn() -> None:
    transform = ClipTransform(56)
    assert np.array_equal(transform(still(), seed=1), transform(still(), seed=2))


def test_one_draw_serves_every_frame_of_a_clip() -> None:
    transform = ClipTransform(56, augment=True)
    for seed in range(20):
        frames = transform(still(), seed)
        assert (frames == frames[:1]).all()


def test_per_frame_augmentation_draws_every_frame_anew() -> None:
    frames = ClipTransform(56, augment="per_frame")(still(), seed=0)
    assert len({frame.tobytes() for frame in frames}) == 5


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_what_is_drawn_depends_on_the_seed_alone(augment: Augment) -> None:
    first, second = ClipTransform(56, augment=augment), ClipTransform(56, augment=augment)
    second(still(), seed=99)  # what was drawn before leaves no trace
    assert np.array_equal(first(still(), seed=7), second(still(), seed=7))
    seen = {first(still(), seed).tobytes() for seed in range(30)}
    assert len(seen) > 25


@pytest.mark.parametrize("augment", [True, "per_frame"])
def test_no_crop_leaves_the_middle_where_the_face_is(augment: Augment) -> None:
    wide = np.zeros((1, 64, 128, 3), dtype=np.uint8)
    wide[:, :, 32:96] = (
        200  # the central square; rotation mirrors what it lacks, so no black may come in
    )
    wide[:, :, :20] = wide[:, :, -20:] = 0
    transform = ClipTransform(56, augment=augment)
    assert all((transform(wide, seed) > 50).all() for seed in range(50))


def test_augmentation_flips_about_half_of_the_clips() -> None:
    transform = ClipTransform(56, augment=True)
    flipped = sum(
        int(frame[:, 0, 0].mean() > frame[:, -1, 0].mean())
        for seed in range(200)
        for frame in transform(ramp(64, 64), seed)
    )
    assert 70 < flipped < 130


def test_what_is_drawn_for_one_change_says_nothing_of_the_others() -> None:
    transform, frames = ClipTransform(56, augment=True), ramp(64, 64)
    steps = 255 / 63
    tops, flips = set(), []
    for seed in range(400):
        red, green, _ = np.moveaxis(transform(frames, seed)[0].astype(int), -1, 0)
        turned_or_lit = (
            np.ptp(red, axis=0).any() or abs(abs(red[0, -1] - red[0, 0]) - 55 * steps) > 1
        )
        if not turned_or_lit:
            tops.add(round(green[0, 0] / steps))
            flips.append(red[0, 0] > red[0, -1])
    assert len(flips) > 20  # a tenth of all
    assert 0.25 < np.mean(flips) < 0.75
    assert tops >= {0, 1, 2, 3, 4, 5, 6, 7}
