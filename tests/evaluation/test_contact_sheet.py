"""A contact sheet shows the clips it is given, at any number of frames and pixels."""

import numpy as np
import pytest

from emorec.evaluation.figures import contact_sheet, figure_to_image


def grey_clips(num_clips: int, num_frames: int, height: int, width: int) -> np.ndarray:
    """(N, T, H, W, C): frame t of clip n is evenly grey, 100 n + 6 t."""
    level = 100 * np.arange(num_clips)[:, None] + 6 * np.arange(num_frames)
    grey = level[:, :, None, None, None] % 250
    return np.broadcast_to(grey, (num_clips, num_frames, height, width, 3)).astype(np.uint8)


def levels(image: np.ndarray) -> list[list[int]]:
    """The grey levels of a sheet's even areas, row by row, from left to right."""
    found: list[list[int]] = []
    for line in image[:, :, 0]:
        starts = np.flatnonzero(np.diff(line.astype(int), prepend=-1))
        runs = zip(starts, np.diff(starts, append=len(line)), strict=True)
        row = [int(line[start]) for start, length in runs if length > 25 and line[start] != 222]
        if row and row not in found:
            found.append(row)
    return found


@pytest.mark.parametrize("size", [(64, 64), (112, 112), (224, 224), (90, 160)])
@pytest.mark.parametrize("num_frames", [1, 6, 16])
def test_a_sheet_shows_a_row_per_clip_with_its_frames_in_order(
    size: tuple[int, int], num_frames: int
) -> None:
    image = figure_to_image(contact_sheet(grey_clips(2, num_frames, *size), ["one", "two"]))
    frames = 6 * np.arange(num_frames)
    assert levels(image) == [frames.tolist(), (100 + frames).tolist()]
    assert 640 <= image.shape[1] <= 2000


def test_a_sheet_of_many_frames_shows_sixteen_evenly_spaced_ones() -> None:
    image = figure_to_image(contact_sheet(grey_clips(1, 31, 224, 224), ["one"]))
    assert levels(image) == [list(range(0, 181, 12))]
    assert image.shape[1] == 2000


def test_a_sheet_shows_colours_as_red_green_blue() -> None:
    clip = np.zeros((1, 1, 96, 96, 3), np.uint8)
    clip[...] = (200, 100, 50)
    image = figure_to_image(contact_sheet(clip, ["one"]))
    assert (image == (200, 100, 50)).all(axis=2).sum() >= 90 * 90


def test_a_long_caption_is_wrapped_inside_the_sheet_and_above_its_frames() -> None:
    captions = ["$a_file^name " * 20, "02-01-06-01-02-01-22: fearful, taken for surprised (97%)"]
    figure = contact_sheet(grey_clips(2, 4, 64, 64), captions)
    figure_to_image(figure)
    found = [text.get_window_extent() for text in figure.axes[0].texts]
    strips = [image.get_window_extent() for image in figure.axes[0].images]
    for box, strip in zip(found, strips, strict=True):
        assert figure.bbox.contains(box.x0, box.y0)
        assert figure.bbox.contains(box.x1, box.y1)
        assert box.y0 >= strip.y1 - 1
    assert found[1].y1 <= strips[0].y0
    assert all(box.height >= 13 for box in found), "large enough to read"


@pytest.mark.parametrize(
    "clips",
    [
        np.zeros((2, 3, 8, 8, 3), np.float32),
        np.zeros((2, 3, 3, 8, 8), np.uint8),
        np.zeros((3, 8, 8, 3), np.uint8),
        np.zeros((0, 3, 8, 8, 3), np.uint8),
    ],
)
def test_other_than_clips_are_refused(clips: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(N, T, H, W, 3\)"):
        contact_sheet(clips, ["one"] * len(clips))


def test_a_missing_caption_is_refused() -> None:
    with pytest.raises(ValueError, match="1 captions for 2 clips"):
        contact_sheet(grey_clips(2, 1, 8, 8), ["one"])
