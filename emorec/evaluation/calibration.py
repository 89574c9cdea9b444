"""How sure a network may be: one temperature, fitted on the clips that chose its epoch, never on those of the test."""

import math
from dataclasses import dataclass
from typing import Self

from emorec.errors import UserError
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions

LOWEST, HIGHEST = 0.2, 100.0
"""What a temperature can be.

A network that errs on no validation clip would get 0 and then be certain of everything: a hundred clips can't justify
that. One that knows less than nothing gets the highest, which says that all classes are as likely.
"""

HALVINGS = 50
"""Of what lies between: as exact as a float64."""


def fit_temperature(predictions: Predictions) -> float:
    """The temperature T at which logits / T have the lowest mean negative log-likelihood.

    That loss is convex in 1/T, whose slope is the mean of what the network expects of its own logits less the true
    one's: where it changes its sign is found by halving.

    Args:
        predictions: Of N validation clips; their logits (N, K) are enough.

    Returns:
        From `LOWEST` to `HIGHEST`; above 1 for a network that is surer than it is right.

    Raises:
        ValueError: When there is no clip, or one of unknown truth.
        UserError: When a logit is not finite, as those of a training that diverged.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2.

    >>> import torch
    >>> always_sure = torch.tensor([[4.0, 0.0]] * 4)
    >>> right_in_three_of_four = Predictions(torch.arange(4), torch.tensor([0, 0, 0, 1]), always_sure)
    >>> round(fit_temperature(right_in_three_of_four), 4), round(4 / math.log(3), 4)
    (3.641, 3.641)
    """
    if len(predictions) == 0 or int(predictions.target.min()) < 0:
        raise ValueError("a temperature is fitted on clips whose truth is known, at least one")
    if not predictions.logits.isfinite().all():
        raise UserError("the network's output is not finite: no temperature can be fitted to it")
    logits = predictions.logits.double()
    logits = logits - logits.gather(1, predictions.target[:, None])  # (N, K), 0 for the truth

    def slope(sharpness: float) -> float:
        return float(((logits * sharpness).softmax(dim=1) * logits).sum(dim=1).mean())

    flat, sharp = math.log(1 / HIGHEST), math.log(1 / LOWEST)
    for _ in range(HALVINGS):
        middle = (flat + sharp) / 2
        flat, sharp = (middle, sharp) if slope(math.exp(middle)) <= 0 else (flat, middle)
    return min(HIGHEST, max(LOWEST, math.exp(-(flat + sharp) / 2)))


def calibrated(predictions: Predictions, temperature: float) -> Predictions:
    """The same predictions as sure as they may be: what is predicted never changes.

    Args:
        predictions: N predictions.
        temperature: What their logits are divided by, above 0.

    Returns:
        The same, with logits (N, K) in float64: in float32 near ones could become equal.

    >>> import torch
    >>> sure = Predictions(torch.arange(1), torch.tensor([0]), torch.tensor([[4.0, 0.0]]))
    >>> calibrated(sure, 4.0).probabilities
    tensor([[0.7311, 0.2689]], dtype=torch.float64)
    """
    logits = predictions.logits.double() / temperature
    return Predictions(predictions.index, predictions.target, logits)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What predictions become at a temperature that other clips decided.

    Attributes:
        temperature: What the logits are divided by.
        predictions: The calibrated ones.
        ece: Their expected calibration error.
    """

    temperature: float
    predictions: Predictions
    ece: float

    @classmethod
    def of(cls, predictions: Predictions, temperature: float) -> Self:
        """Predictions of known truth at a temperature.

        Raises:
            ValueError: When there is no clip, or one of unknown truth.
        """
        surer_or_less = calibrated(predictions, temperature)
        return cls(temperature, surer_or_less, summarize(surer_or_less).ece)
