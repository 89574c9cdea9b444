"""The features of frames become those of a clip."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def mean_and_sd(frames: Floats) -> Floats:
    """(T, D) -> (2D,): the mean of each feature over the frames, then its standard deviation (of T, not of T - 1).

    Frames of which nothing is known are rows of NaN and are left out; a clip of such frames alone is NaN.

    >>> mean_and_sd(np.array([[1, 0], [3, 0], [np.nan, np.nan]], np.float32))
    array([2., 0., 1., 0.], dtype=float32)
    """
    known = frames[~np.isnan(frames).any(axis=1)].astype(np.float64)
    if not len(known):
        return np.full(2 * frames.shape[1], np.nan, np.float32)
    return np.concatenate([known.mean(axis=0), known.std(axis=0)]).astype(np.float32)
