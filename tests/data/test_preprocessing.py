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
    """Return a frame with a horizontal ramp in red and a vertical one in green."""
    rows = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    columns = np.linspace(0, 255, width)[None].repeat(height, 0)
    return np.stack([columns, rows, 0 * rows], -1).astype(np.uint8)[None]


@pytest.mark.parametrize("resize", ["shorter_side", "squash"])
@pytest.mark.parametrize("shape", [(72, 128), (128, 72), (50, 50), (9, 200)])
@pytest.mark.parametrize("size", [(64, 64), (60, 100), (100, 60)])
def test_frames_are_resized_to_the_requested_size(resize: Resize, shape: Size, size: Size) -> None:
    resized = resize_frames(noise(*shape), size, resize)
    assert resized.shape == (2, *size, 3)
    assert resized.dtype == np.uint8
    assert not np.array_equal(resized[0], resized[1])


@pytest.mark.parametrize("resize", ["shorter_side", "squash"])
@pytest.mark.parametrize("size", [(64, 64), (60, 100)])
def test_frames_of_the_requested_size_are_not_changed(resize: Resize, size: Size) -> None:
    frames = noise(*size)
    assert np.array_equal(resize_frames(frames, size, resize), frames)


def test_the_longer_side_is_centre_cropped() -> None:
    wide, tall = noise(64, 96), noise(96, 64)
    assert np.array_equal(resize_frames(wide, (64, 64)), wide[:, :, 16:80])
    assert np.array_equal(resize_frames(tall, (64, 64)), tall[:, 16:80])
    assert np.array_equal(resize_frames(tall, (32, 64)), tall[:, 32:64])
    assert np.array_equal(resize_frames(wide, (64, 48)), wide[:, :, 24:72])


def test_shorter_side_crops_the_width_and_squash_keeps_it() -> None:
    wide = ramp(256, 512)
    cropped, squashed = (
        resize_frames(wide, (128, 128), resize)[0] for resize in ("shorter_side", "squash")
    )
    # 256 of the 512 columns are half of the red ramp
    assert np.ptp(cropped[..., 0]) == pytest.approx(255 / 2, abs=3)
    assert np.ptp(squashed[..., 0]) == pytest.approx(255, abs=3)
    assert np.ptp(cropped[..., 1]) == np.ptp(squashed[..., 1]) == pytest.approx(255, abs=3)


def test_downscaling_does_not_alias() -> None:
    checkerboard = np.zeros((1, 128, 128, 3), dtype=np.uint8)
    checkerboard[:, ::2, ::2] = checkerboard[:, 1::2, 1::2] = 255
    assert np.ptp(resize_frames(checkerboard, (32, 32))) == 0
    assert resize_frames(checkerboard, (32, 32)).mean() == pytest.approx(127.5, abs=1)


def test_the_aspect_ratio_is_kept_to_a_pixel() -> None:
    circle = np.zeros((1, 480, 360, 3), dtype=np.uint8)
    cv2.circle(circle[0], (180, 240), 90, (255, 255, 255), -1)
    (resized,) = resize_frames(circle, (60, 100)) > 127
    rows, columns = resized[..., 0].any(axis=1).sum(), resized[..., 0].any(axis=0).sum()
    assert rows == pytest.approx(columns, abs=1) == 50


@pytest.mark.parametrize("side", [32, 56, 64, 100, 112, 224])
def test_the_size_before_the_crop_is_larger(side: int) -> None:
    larger, _ = size_before_crop((side, 50))
    assert side < larger < 1.2 * side


def test_specifications_of_different_sizes_have_different_names() -> None:
    sizes = [(8, 8), (8, 16), (16, 8), (16, 16)]
    names = [FrameSpec(num_frames=2, size=size).name for size in sizes]
    assert len(set(names)) == 4
    assert [name.partition("-")[0] for name in names] == ["2x8x8", "2x8x16", "2x16x8", "2x16x16"]
