"""How far figures of predicted numbers are to be trusted: the same bootstrap over actors as for classes.

A resample of actors is a weighted sum of a few sums an actor, see `counts.py`.
"""

import numpy as np
from numpy.typing import NDArray

from emorec.evaluation.counts import weighted_sum
from emorec.evaluation.intervals import (
    RESAMPLES,
    Estimate,
    actor_weights,
    standard_error,
    t_interval,
)
from emorec.evaluation.number_file import PredictedNumbers
from emorec.evaluation.regression import FIGURES

BOUNDS = {"ccc": (-1, 1), "pcc": (-1, 1), "rmse": (0, float("inf")), "sign_agreement": (0, 1)}
"""What each of `FIGURES` can be."""

MEAN = "mean"
"""The name under which the mean of the R numbers stands beside them."""

Sums = NDArray[np.float64]


def number_figures_with_intervals(
    predicted: PredictedNumbers, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, dict[str, Estimate]]:
    """CCC, PCC, RMSE and agreement in sign of each number and their mean, each with its interval.

    Args:
        predicted: N clips whose truth is known.
        resamples: How often as many actors as there are are drawn.
        seed: Of the draws; the same seed gives the same intervals.

    Returns:
        Name of a number, or "mean" -> `FIGURES` -> estimate.

    Source: see `intervals.figures_with_intervals`.
    """
    sums = sums_of(predicted)
    num_actors = len(sums)
    values = figures_of(sums.sum(axis=0, keepdims=True))
    drawn = [
        figures_of(weighted_sum(weights, sums))
        for weights in actor_weights(num_actors, resamples if num_actors > 1 else 1, seed)
    ]

    def estimate(figure: str, number: int) -> Estimate:
        value = float(values[figure][0, number])
        error = standard_error(np.concatenate([it[figure][:, number] for it in drawn]), num_actors)
        return Estimate(value, t_interval(value, error, num_actors, bounds=BOUNDS[figure]))

    return {
        name: {figure: estimate(figure, number) for figure in FIGURES}
        for number, name in enumerate([*predicted.target_names, MEAN])
    }


def sums_of(predicted: PredictedNumbers) -> Sums:
    """(A, R, 7): of each actor's clips how many, truth, prediction, their squares, their product, equal signs.

    Truth and prediction are both taken from the mean truth: nothing below depends on that, and squares stay exact.
    """
    true = predicted.predictions.target.double().numpy()
    said = predicted.predictions.predicted.double().numpy()
    agree = np.sign(true) == np.sign(said)
    true, said = true - true.mean(axis=0), said - true.mean(axis=0)
    one = np.ones_like(true)
    terms = np.stack([one, true, said, true**2, said**2, true * said, agree], axis=2)  # (N, R, 7)
    actors, rows = np.unique(np.array(predicted.actors), return_inverse=True)
    sums = np.zeros((len(actors), *terms.shape[1:]))
    np.add.at(sums, rows, terms)
    return sums


def figures_of(sums: Sums) -> dict[str, NDArray[np.float64]]:
    """(W, R, 7) sums -> `FIGURES` -> (W, R + 1); the last is the mean of the R.

    >>> sums = np.array([[[2.0, 0.0, 0.0, 2.0, 2.0, 2.0, 1.0]]])  # -1 and 1, predicted as they are
    >>> {name: figure.round(3).tolist() for name, figure in figures_of(sums).items()}["ccc"]
    [[1.0, 1.0]]
    """
    clips, *rest, agree = np.moveaxis(sums, -1, 0)
    true, said, true_square, said_square, product = (each / clips for each in rest)  # means
    true_var = np.maximum(true_square - true**2, 0)
    said_var = np.maximum(said_square - said**2, 0)
    covariance = product - true * said
    figures = {
        "ccc": _ratio(2 * covariance, true_var + said_var + (true - said) ** 2),
        "pcc": _ratio(covariance, np.sqrt(true_var * said_var)),
        "rmse": np.sqrt(np.maximum(true_square - 2 * product + said_square, 0)),
        "sign_agreement": agree / clips,
    }
    return {
        name: np.concatenate([each, each.mean(axis=1, keepdims=True)], axis=1)
        for name, each in figures.items()
    }


def _ratio(part: Sums, whole: Sums) -> Sums:
    """0 where the whole is 0: nothing varies, so nothing agrees."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
