"""Undersampling of training frames with frequent labels."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from emorec.data.sets.affwild2.parser import Labels

Rule = Literal["seed", "histogram"]

NUM_BINS = 40
"""Along valence and along arousal. Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3."""


def label_bins(labels: Labels) -> npt.NDArray[np.int64]:
    """Return the bin of each frame, (N,): its class, or one of 40 x 40 equal bins of valence and arousal in -1 to 1.

    >>> label_bins(np.array([[-1, -1], [-1, -0.95], [1, 1]], np.float32)).tolist()
    [0, 1, 1599]
    """
    if labels.ndim == 1:
        return labels.astype(np.int64)
    # the tiny offset keeps 0.05, which is smaller in float32, in the bin that begins with it
    indices = np.floor((labels.astype(np.float64) + 1) * NUM_BINS / 2 + 1e-6).astype(np.int64)
    valence, arousal = indices.clip(0, NUM_BINS - 1).T
    bins: npt.NDArray[np.int64] = NUM_BINS * valence + arousal
    return bins


def keep_probabilities(labels: Labels, rule: Rule) -> npt.NDArray[np.float64]:
    """Return the probability of keeping each frame, (N,), from the number k of frames in its bin.

    "seed": 1 - k / K, where K is the mean of the mean and the maximum k over all bins, empty ones included. Bins with
    more than K frames vanish, and so do frames of exactly valence 0 and arousal 0.
    "histogram": K / k, at most 1, so that a bin with more than K frames is reduced to about K. K is the mean k of the
    non-empty bins; of classes, the k of the rarest.

    >>> classes = np.array([0] * 8 + [1] * 2)
    >>> keep_probabilities(classes, "histogram")[[0, 8]].tolist()
    [0.25, 1.0]

    Source: the seed's rule is that of the authors' code of arXiv 2006.11168, `get_partition`; its bins span the lowest
    to the highest valence instead of -1 to 1.
    """
    bins = label_bins(labels)
    counts = np.bincount(bins, minlength=NUM_BINS * NUM_BINS if labels.ndim == 2 else 0)
    if rule == "seed":
        limit = (counts.mean() + counts.max()) / 2
        probabilities: npt.NDArray[np.float64] = np.clip(1 - counts[bins] / limit, 0, None)
        if labels.ndim == 2:
            probabilities[(labels == 0).all(axis=1)] = 0
        return probabilities
    non_empty = counts[counts > 0]
    limit = non_empty.mean() if labels.ndim == 2 else non_empty.min()
    reduced: npt.NDArray[np.float64] = np.minimum(1.0, limit / counts[bins])
    return reduced


def undersample(labels: Labels, rule: Rule, seed: int) -> npt.NDArray[np.bool_]:
    """Return a mask of the frames to keep, (N,), drawn with `keep_probabilities`."""
    random = np.random.default_rng(seed).random(len(labels))
    mask: npt.NDArray[np.bool_] = random < keep_probabilities(labels, rule)
    return mask
