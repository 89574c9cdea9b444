"""Frames as filmed become squares."""

import numpy as np
import numpy.typing as npt
import pytest

from emorec.data.resize import Resize, central_square, square_side, to_squares

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
def test_every_frame_becomes_a_square_of_the_wanted_side(
    resize: Resize, shape: tuple[int, int]
) -> None:
    squares = to_squares(noise(*shape), 64, resize)
    assert squares.shape == (2, 64, 64, 3)
    assert squares.dtype == np.uint8
    assert not np.array_equal(squares[0], squares[1])


def test_what_is_a_square_of_that_side_stays_as_it_is() -> None:
    frames = noise(64, 64)
    assert np.array_equal(to_squares(frames, 64), frames)


def test_the_shorter_side_is_kept_whole_and_of_the_longer_one_the_middle() -> None:
    frames = noise(64, 96)
    assert np.array_equal(to_squares(frames, 64), frames[:, :, 16:80])
    assert np.array_equal(central_square(noise(96, 64)), noise(96, 64)[:, 16:80])


def test_the_shorter_side_keeps_proportions_and_squashing_keeps_the_width() -> None:
    wide = ramp(256, 512)
    kept, squashed = (to_squares(wide, 128, resize)[0] for resize in ("shorter_side", "squash"))
    # 256 of 512 columns are half of the red ramp
    assert np.ptp(kept[..., 0]) == pytest.approx(255 / 2, abs=3)
    assert np.ptp(squashed[..., 0]) == pytest.approx(255, abs=3)
    assert np.ptp(kept[..., 1]) == np.ptp(squashed[..., 1]) == pytest.approx(255, abs=3)


def test_fine_texture_becomes_grey_and_no_false_pattern() -> None:
    checked = np.zeros((1, 128, 128, 3), dtype=np.uint8)
    checked[:, ::2, ::2] = checked[:, 1::2, 1::2] = 255
    assert np.ptp(to_squares(checked, 32)) == 0
    assert to_squares(checked, 32).mean() == pytest.approx(127.5, abs=1)


@pytest.mark.parametrize("image_size", [32, 56, 64, 112, 224])
def test_a_square_has_room_for_the_crop_to_move(image_size: int) -> None:
    assert image_size < square_side(image_size) < 1.2 * image_size
