"""Frames as filmed become squares of a given side, before anything is drawn at random."""

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
Resize = Literal["shorter_side", "squash"]

CROP_SHARE = 7 / 8
"""The crop's side as a share of the square it is taken from: 224 of 256, 112 of 128."""


def square_side(image_size: int) -> int:
    """The side of the squares that a crop of `image_size` pixels is taken from.

    >>> square_side(224), square_side(112)
    (256, 128)

    Source: Krizhevsky et al. 2012, section 4.1 (256 then 224).
    """
    return round(image_size / CROP_SHARE)


def to_squares(frames: Frames, side: int, resize: Resize = "shorter_side") -> Frames:
    """(T, H, W, C) -> (T, side, side, C), uint8.

    Args:
        frames: (T, H, W, C) uint8.
        side: In pixels.
        resize: "shorter_side" keeps proportions and takes the central square; "squash" makes all of it square.
    """
    if resize == "shorter_side":
        frames = central_square(frames)
    # INTER_AREA averages what it shrinks, so fine texture does not turn into false edges; what it enlarges it blurs
    how = cv2.INTER_AREA if max(frames.shape[1:3]) >= side else cv2.INTER_CUBIC
    squares = np.empty((len(frames), side, side, frames.shape[3]), dtype=np.uint8)
    for frame, square in zip(frames, squares, strict=True):
        cv2.resize(frame, (side, side), dst=square, interpolation=how)
    return squares


def central_square(frames: Frames, side: int | None = None) -> Frames:
    """(T, H, W, C) -> (T, S, S, C), a view: people are filmed in the middle, and no crop may cut them in half.

    Args:
        frames: (T, H, W, C) uint8.
        side: S, in pixels; `None` is the largest that there is.

    >>> central_square(np.zeros((1, 72, 128, 3), dtype=np.uint8)).shape
    (1, 72, 72, 3)
    >>> central_square(np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1), 1).item()
    4
    """
    _, height, width, _ = frames.shape
    side = side or min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return frames[:, top : top + side, left : left + side]
