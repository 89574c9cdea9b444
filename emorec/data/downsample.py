"""Leaving out training frames where there are many alike."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.float32] | npt.NDArray[np.int64]
"""(N, 2) valence and arousal, or (N,) classes."""

Rule = Literal["seed", "histogram"]

BINS = 40
"""Along valence and along arousal. Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3."""


def bins_of(labels: Labels) -> npt.NDArray[np.int64]:
    """The bin of each frame, (N,): a class is its own, valence and arousal have 40 x 40 equal ones of -1 to 1.

    >>> bins_of(np.array([[-1, -1], [-1, -0.95], [1, 1]], np.float32)).tolist()
    [0, 1, 1599]
    """
    if labels.ndim == 1:
        return labels.astype(np.int64)
    # a little more than the label: 0.05 in float32 is below the border that it stands on
    places = np.floor((labels.astype(np.float64) + 1) * BINS / 2 + 1e-6).astype(np.int64)
    valence, arousal = places.clip(0, BINS - 1).T
    bins: npt.NDArray[np.int64] = BINS * valence + arousal
    return bins


def keep_probabilities(labels: Labels, rule: Rule) -> npt.NDArray[np.float64]:
    """How probably each frame is kept, (N,), by how many frames k its bin has.

    "seed": 1 - k / K with K the mean of the mean and the highest k of all bins, empty ones too. Bins with more than K
    frames vanish wholly, and so do frames of exactly valence 0 and arousal 0.
    "histogram": K / k at most 1, so that a bin with more than K frames is thinned to about K. K is the mean k of the
    bins that are not empty; of classes it is that of the rarest.

    >>> classes = np.array([0] * 8 + [1] * 2)
    >>> keep_probabilities(classes, "histogram")[[0, 8]].tolist()
    [0.25, 1.0]

    Source: the seed's rule is that of the authors' code of arXiv 2006.11168, `get_partition`; its bins reach from the
    lowest to the highest valence instead of from -1 to 1.
    """
    bins = bins_of(labels)
    counts = np.bincount(bins, minlength=BINS * BINS if labels.ndim == 2 else 0)
    own = counts[bins]
    if rule == "seed":
        probabilities: npt.NDArray[np.float64] = np.clip(
            1 - own / ((counts.mean() + counts.max()) / 2), 0, None
        )
        if labels.ndim == 2:
            probabilities[(labels == 0).all(axis=1)] = 0
        return probabilities
    there = counts[counts > 0]
    most = there.mean() if labels.ndim == 2 else there.min()
    thinned: npt.NDArray[np.float64] = np.minimum(1.0, most / own)
    return thinned


def kept(labels: Labels, rule: Rule, seed: int) -> npt.NDArray[np.bool_]:
    """Which frames are kept, (N,): drawn with `keep_probabilities`; the seed decides all."""
    drawn = np.random.default_rng(seed).random(len(labels))
    which: npt.NDArray[np.bool_] = drawn < keep_probabilities(labels, rule)
    return which
