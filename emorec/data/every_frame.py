"""Values of some frames of a video become values of every frame."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Smooth = Literal["none", "box", "gaussian"]
Values = npt.NDArray[np.float64]


def filled(num_frames: int, frames: npt.NDArray[np.int32], values: Values) -> Values:
    """Values of all frames, (num_frames, K): between known ones along a line, before and after them as the nearest.

    Args:
        num_frames: Of the video.
        frames: (N,) numbers, from 1, of the frames whose values are known, ascending, at least one.
        values: (N, K).

    >>> filled(5, np.array([2, 4], np.int32), np.array([[0.0], [1.0]])).ravel().tolist()
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    numbers = np.arange(1, num_frames + 1)
    return np.stack([np.interp(numbers, frames, column) for column in values.T], axis=1)


def smoothed(values: Values, how: Smooth, width: int) -> Values:
    """Weighted means over the frames around each, (N, K); at the ends over those that there are.

    Args:
        values: (N, K) of consecutive frames.
        how: "none", "box" (equal weights) or "gaussian" (standard deviation a quarter of the width).
        width: Frames of the window, odd, the frame itself in the middle.

    >>> smoothed(np.array([[0.0], [3.0], [0.0], [0.0]]), "box", 3).ravel().tolist()
    [1.5, 1.0, 1.0, 0.0]
    """
    if how == "none":
        return values
    away = np.arange(width) - width // 2
    weights = np.ones(width) if how == "box" else np.exp(-0.5 * (away / (width / 4)) ** 2)
    # not numpy's "same", which is as long as the longer of the two
    middle = slice(width // 2, width // 2 + len(values))
    share = np.convolve(np.ones(len(values)), weights)[middle]
    return np.stack([np.convolve(column, weights)[middle] / share for column in values.T], axis=1)
