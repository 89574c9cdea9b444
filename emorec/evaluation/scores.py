"""Scores from sufficient statistics: confusion counts and confidence bins of classes, moments of numbers.

Leading axes are free: counts (..., K, K) give scores (...), so that ten thousand bootstrap resamples are one call.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64] | Floats

CALIBRATION_BINS = 15
"""Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 4."""

NO_VARIANCE = 1e-12
"""A variance below this share of the mean square is rounding."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, in the unit of its score.

    >>> interval = Interval(-0.5, 0.25)
    >>> interval.half_width, 0 in interval, 0.3 in interval
    (0.375, True, False)
    """

    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the width."""
        return (self.high - self.low) / 2

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Estimate:
    """A score with its interval.

    Attributes:
        value: The score of the clips at hand; the mean over seeds.
        interval: None where there can't be one: for a single actor, a score that is the same for every actor (as of a
            network that always predicts one class), or NaN.
    """

    value: float
    interval: Interval | None


def accuracy(confusion: Counts) -> Floats:
    """Share of clips classified correctly (WAR), counts (..., K, K) -> (...).

    >>> float(accuracy(np.array([[3, 1], [0, 4]])))
    0.875
    """
    return ratio(correct(confusion).sum(-1), confusion.sum((-2, -1)))


def uar(confusion: Counts) -> Floats:
    """Mean recall of the classes that occur in the truth, counts (..., K, K) -> (...).

    Source: Schuller et al. 2009, The INTERSPEECH 2009 Emotion Challenge, section 3.

    >>> float(uar(np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]])))
    0.875
    """
    support = confusion.sum(-1)
    return ratio(ratio(correct(confusion), support).sum(-1), (support > 0).sum(-1))


def macro_f1(confusion: Counts) -> Floats:
    """Mean F1 of the classes that occur in the truth or the predictions, counts (..., K, K) -> (...).

    >>> round(float(macro_f1(np.array([[3, 1], [0, 0]]))), 3)  # 6/7 and 0
    0.429
    """
    occurrences = confusion.sum(-1) + confusion.sum(-2)
    f1 = ratio(2 * correct(confusion), occurrences)
    return ratio(f1.sum(-1), (occurrences > 0).sum(-1))


def ece(bins: Counts) -> Floats:
    """Expected calibration error (l1) of bins (..., 15, 3) -> (...).

    Args:
        bins: For each bin of confidence the clips, the correct ones, and the sum of their confidences.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3.

    >>> float(ece(np.array([[4, 3, 2.0], [4, 4, 3.6]])))  # (|3 - 2.0| + |4 - 3.6|) / 8
    0.175
    """
    clips, right, confidence = np.moveaxis(bins, -1, 0)
    return ratio(np.abs(right - confidence).sum(-1), clips.sum(-1))


def correct(confusion: Counts) -> Floats:
    """Correctly classified clips of each class, counts (..., K, K) -> (..., K)."""
    return np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)


def moments(target: Floats, predicted: Floats) -> Floats:
    """What the scores of numbers need of each clip, (N, R) and (N, R) -> (N, R, 8); they add up over clips.

    Returns:
        1; truth t and prediction p, both less the mean truth of all N clips; t², p² and t p; (t - p)² of the error; and
        1 where the prediction has the sign of the truth (0 has a sign of its own).
    """
    # squares of values far from 0 would lose their digits
    t, p = target - target.mean(axis=0), predicted - target.mean(axis=0)  # (N, R)
    same_sign = np.sign(target) == np.sign(predicted)
    terms = [np.ones_like(t), t, p, t * t, p * p, t * p, (t - p) ** 2, same_sign]
    return np.stack(terms, axis=-1).astype(np.float64)  # (N, R, 8)


def number_scores(sums: Floats) -> dict[str, Floats]:
    """Scores of summed moments (..., 8) -> metric -> (...).

    - ccc: Lin's concordance correlation, -1 to 1. It divides by N as Lin and the challenges do; torchmetrics divides by
      N - 1. Two equal constants give 0: where nothing varies, nothing agrees.
    - pcc: Pearson's correlation, -1 to 1; 0 where the truth or the prediction is constant.
    - rmse: Root of the mean squared error.
    - sign_agreement: Share of clips whose prediction has the sign of the truth.

    Source: Lin 1989, A Concordance Correlation Coefficient to Evaluate Reproducibility, equation 4; sign agreement:
    Nicolaou et al. 2011, Continuous Prediction of Spontaneous Affect, section 5.

    >>> true = np.array([[0.0], [1.0], [2.0]])
    >>> sums = moments(true, true + 1).sum(axis=0)
    >>> {name: round(float(value[0]), 4) for name, value in number_scores(sums).items()}
    {'ccc': 0.5714, 'pcc': 1.0, 'rmse': 1.0, 'sign_agreement': 0.6667}
    """
    clips = np.maximum(sums[..., 0], 1)
    t, p, tt, pp, tp, squared_error, same_sign = np.moveaxis(
        sums[..., 1:] / clips[..., None], -1, 0
    )
    var_t, var_p, cov = _variance(tt, t), _variance(pp, p), tp - t * p
    cov = np.where((var_t == 0) | (var_p == 0), 0, cov)
    tiny = np.finfo(np.float64).tiny
    return {
        "ccc": 2 * cov / np.maximum(var_t + var_p + (t - p) ** 2, tiny),
        "pcc": np.clip(cov / np.maximum(np.sqrt(var_t * var_p), tiny), -1, 1),
        "rmse": np.sqrt(squared_error),
        "sign_agreement": same_sign,
    }


def _variance(mean_square: Floats, mean: Floats) -> Floats:
    variance = mean_square - mean * mean
    return np.where(variance <= NO_VARIANCE * mean_square, 0, variance)  # NaN stays NaN


def ratio(part: Counts, whole: Counts) -> Floats:
    """Element-wise quotient, 0 where the denominator is 0."""
    return np.asarray(part / np.where(whole == 0, 1, whole), np.float64)
