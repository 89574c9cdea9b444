"""Temperature scaling: one temperature, fitted on the validation clips, never on those of the test."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from emorec.errors import UserError
from emorec.evaluation.scores import Floats

LOWEST, HIGHEST = 0.2, 100.0
"""Range of a temperature.

A network without an error on the validation clips would get 0 and then be certain of everything: a hundred clips can't
justify that. One that is worse than chance gets the highest, which makes all classes about equally probable.
"""

BISECTIONS = 50
"""Of the range: as exact as a float64."""


def fit_temperature(target: ArrayLike, logits: ArrayLike) -> float:
    """Return the temperature T at which logits / T have the lowest mean cross-entropy.

    The loss is convex in 1/T; its derivative, the mean expected logit minus the true one, is bisected.

    Args:
        target: (N,) labels of validation clips.
        logits: (N, K).

    Returns:
        From `LOWEST` to `HIGHEST`; above 1 for an overconfident network.

    Raises:
        ValueError: When there is no clip, or one of unknown truth.
        UserError: When a logit is not finite, as after a diverged training.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2.

    >>> round(fit_temperature(target=[0, 0, 0, 1], logits=[[4, 0]] * 4), 4), round(4 / math.log(3), 4)
    (3.641, 3.641)
    """
    labels, scores = np.asarray(target, np.int64), np.asarray(logits, np.float64)
    if len(labels) == 0 or labels.min() < 0:
        raise ValueError("a temperature is fitted on clips of known truth, at least one")
    if not np.isfinite(scores).all():
        raise UserError("the network's output is not finite: no temperature can be fitted to it")
    margins = scores - scores[np.arange(len(labels)), labels][:, None]  # (N, K), 0 for the truth

    def slope(sharpness: float) -> float:
        return float((softmax(margins * sharpness, axis=1) * margins).sum(axis=1).mean())

    low, high = math.log(1 / HIGHEST), math.log(1 / LOWEST)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(math.exp(middle)) <= 0 else (low, middle)
    return min(HIGHEST, max(LOWEST, math.exp(-(low + high) / 2)))


def calibrate(logits: ArrayLike, temperature: float) -> Floats:
    """Return logits (N, K) divided by a temperature above 0, in float64; the predicted classes never change.

    In float32 logits that are close to each other could become equal.

    >>> softmax(calibrate([[4.0, 0.0]], 4.0), axis=1).round(4)
    array([[0.7311, 0.2689]])
    """
    return np.asarray(logits, np.float64) / temperature
