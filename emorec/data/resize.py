"""Frames as filmed become pictures of a given size, before anything is drawn at random."""

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from emorec.picture_size import Size

Frames = npt.NDArray[np.uint8]
Resize = Literal["shorter_side", "squash"]

CROP_SHARE = 7 / 8
"""The crop's sides as a share of those of the picture it is taken from: 224 of 256, 112 of 128."""


def size_to_crop(size: Size) -> Size:
    """The size of the pictures that crops of a size are taken from.

    >>> size_to_crop((224, 224)), size_to_crop((60, 100))
    ((256, 256), (69, 114))

    Source: Krizhevsky et al. 2012, section 4.1 (256 then 224).
    """
    height, width = size
    return round(height / CROP_SHARE), round(width / CROP_SHARE)


def resized(frames: Frames, size: Size, resize: Resize = "shorter_side") -> Frames:
    """(T, H, W, C) -> (T, height, width, C), uint8, memory of its own.

    Args:
        frames: (T, H, W, C) uint8.
        size: Of the result.
        resize: "shorter_side" keeps proportions and takes the central part; "squash" presses all of it into the size.
    """
    if resize == "shorter_side":
        frames = central(frames, largest_of_shape(size, frames.shape[1:3]))
    # INTER_AREA averages what it shrinks, so fine texture does not turn into false edges; what it enlarges it blurs
    height, width = size
    shrinks = frames.shape[1] >= height or frames.shape[2] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    pictures = np.empty((len(frames), height, width, frames.shape[3]), dtype=np.uint8)
    for frame, picture in zip(frames, pictures, strict=True):
        cv2.resize(frame, (width, height), dst=picture, interpolation=how)
    return pictures


def largest_of_shape(shape: Size, within: Size) -> Size:
    """The largest size with the proportions of another, to the nearest pixel, that is no larger than a third.

    >>> largest_of_shape((1, 1), (72, 128)), largest_of_shape((60, 100), (480, 360))
    ((72, 72), (216, 360))
    """
    (down, across), (height, width) = shape, within
    if width * down >= height * across:
        return height, max(1, round(height * across / down))
    return max(1, round(width * down / across)), width


def central(frames: Frames, size: Size) -> Frames:
    """(T, H, W, C) -> (T, height, width, C), a view: people are filmed in the middle, and no crop may cut them in half.

    >>> central(np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1), (1, 3)).ravel().tolist()
    [3, 4, 5]
    """
    height, width = size
    top, left = (frames.shape[1] - height) // 2, (frames.shape[2] - width) // 2
    return frames[:, top : top + height, left : left + width]
