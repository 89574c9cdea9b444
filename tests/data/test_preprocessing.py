"""Frames are sampled, cropped and resized to one size."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emorec.data.preprocessing import FrameSpec, Resize, resize_frames
from emorec.image_size import Size, size_before_crop

Frames = npt.NDArray[np.uint8]


def noise(height: int, width: int, num_frames: int = 2) -> Frames:
    shape = (num_frames, height, width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def ramp(height: int, width: int) -> Frames:
    """A frame whose red is the column and whose green is the row, as shares of 255."""
    rows = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    columns = np.linspace(0, 255, width)[None].repeat(height, 0)
    return np.stack([columns, rows, 0 * rows], -1).astype(np.uint8)[None]


@pytest.mark.parametrize("resize", ["shorter_side", "squash"])
@pytest.mark.parametrize("shape", [(72, 128), (128, 72), (50, 50), (9, 200)])
@pytest.mark.parametrize("size", [(64, 64), (60, 100), (100, 60)])
def test_every_frame_becomes_a_picture_of_the_wanted_size(
    resize: Resize, shape: Size, size: Size
) -> None:
    pictures = resize_frames(noise(*shape), size, resize)
    assert pictures.shape == (2, *size, 3)
    assert pictures.dtype == np.uint8
    assert not np.array_equal(pictures[0], pictures[1])


@pytest.mark.parametrize("resize", ["shorter_side", "squash"])
@pytest.mark.parametrize("size", [(64, 64), (60, 100)])
def test_what_is_of_that_size_stays_as_it_is(resize: Resize, size: Size) -> None:
    frames = noise(*size)
    assert np.array_equal(resize_frames(frames, size, resize), frames)


def test_the_shorter_side_is_kept_whole_and_of_the_longer_one_the_middle() -> None:
    wide, high = noise(64, 96), noise(96, 64)
    assert np.array_equal(resize_frames(wide, (64, 64)), wide[:, :, 16:80])
    assert np.array_equal(resize_frames(high, (64, 64)), high[:, 16:80])
    assert np.array_equal(resize_frames(high, (32, 64)), high[:, 32:64])
    assert np.array_equal(resize_frames(wide, (64, 48)), wide[:, :, 24:72])


def test_the_shorter_side_keeps_proportions_and_squashing_keeps_the_width() -> None:
    wide = ramp(256, 512)
    kept, squashed = (
        resize_frames(wide, (128, 128), resize)[0] for resize in ("shorter_side", "squash")
    )
    # 256 of 512 columns are half of the red ramp
    assert np.ptp(kept[..., 0]) == pytest.approx(255 / 2, abs=3)
    assert np.ptp(squashed[..., 0]) == pytest.approx(255, abs=3)
    assert np.ptp(kept[..., 1]) == np.ptp(squashed[..., 1]) == pytest.approx(255, abs=3)


def test_fine_texture_becomes_grey_and_no_false_pattern() -> None:
    checked = np.zeros((1, 128, 128, 3), dtype=np.uint8)
    checked[:, ::2, ::2] = checked[:, 1::2, 1::2] = 255
    assert np.ptp(resize_frames(checked, (32, 32))) == 0
    assert resize_frames(checked, (32, 32)).mean() == pytest.approx(127.5, abs=1)


def test_proportions_stay_as_near_as_pixels_allow() -> None:
    tilted = np.zeros((1, 480, 360, 3), dtype=np.uint8)
    cv2.circle(tilted[0], (180, 240), 90, (255, 255, 255), -1)
    (picture,) = resize_frames(tilted, (60, 100)) > 127
    rows, columns = picture[..., 0].any(axis=1).sum(), picture[..., 0].any(axis=0).sum()
    assert rows == pytest.approx(columns, abs=1) == 50


@pytest.mark.parametrize("side", [32, 56, 64, 100, 112, 224])
def test_a_picture_has_room_for_the_crop_to_move(side: int) -> None:
    larger, _ = size_before_crop((side, 50))
    assert side < larger < 1.2 * side


def test_specifications_of_different_sizes_have_different_names() -> None:
    sizes = [(8, 8), (8, 16), (16, 8), (16, 16)]
    names = [FrameSpec(num_frames=2, size=size).name for size in sizes]
    assert len(set(names)) == 4
    assert [name.partition("-")[0] for name in names] == ["2x8x8", "2x8x16", "2x16x8", "2x16x16"]
