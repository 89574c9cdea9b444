"""The sums that the figures of predicted numbers are made of, kept apart by actor.

As with classes (`counts`), a resample of actors is a weighted sum of small tables.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from emorec.errors import UserError
from emorec.evaluation.counts import Counts, Figures, weighted_sum
from emorec.evaluation.numbers_file import PredictedNumbers
from emorec.evaluation.regression import FIGURES

_ROUNDING = 1e-12
"""A variance below this share of the mean square is none."""


@dataclass(frozen=True, eq=False)
class ActorMoments:
    """What the clips of A actors add up to, R numbers.

    Attributes:
        actors: A people, sorted.
        target_names: R names.
        sums: (A, R, 8) float64: clips; the sums of the truth t, of the prediction p, of t², p² and tp, both less the
            mean truth of all clips; of (t - p)²; and the clips whose prediction has the sign of the truth.
    """

    RANKED_BY: ClassVar[str] = "ccc"

    actors: tuple[str, ...]
    target_names: tuple[str, ...]
    sums: NDArray[np.float64]

    @classmethod
    def of(cls, predicted: PredictedNumbers) -> Self:
        """The sums of predictions.

        Raises:
            UserError: When there is no clip, or one of unknown truth.
        """
        if not predicted.paths:
            raise UserError("predictions of 0 clips have no figures (was the run's test stopped?)")
        true = predicted.predictions.target.double().numpy()
        said = predicted.predictions.predicted.double().numpy()
        if np.isnan(true).any():
            path = predicted.paths[int(np.isnan(true).any(axis=1).argmax())]
            raise UserError(
                f"no figures without truth: {predicted.names[0]} of {path} is not known"
            )
        names, rows = np.unique(np.array(predicted.actors), return_inverse=True)
        # squares of what lies far from 0 would lose their digits
        t, p = true - true.mean(axis=0), said - true.mean(axis=0)
        same_sign = np.sign(true) == np.sign(said)
        terms = [np.ones_like(t), t, p, t * t, p * p, t * p, (t - p) ** 2, same_sign]
        sums = np.zeros((len(names), true.shape[1], len(terms)))
        np.add.at(sums, rows, np.stack(terms, axis=-1))
        return cls(tuple(names.tolist()), predicted.target_names, sums)

    @property
    def num_actors(self) -> int:
        """A."""
        return len(self.actors)

    def figures(self, weights: Counts | None = None) -> dict[str, Figures]:
        """CCC, PCC, RMSE and sign agreement, means over the R numbers, and the CCC of each.

        With weights of 1 those of `summarize_numbers`.

        Args:
            weights: (W, A), how often each actor is counted in each of W resamples; without them every actor is
                counted once and W is 1.

        Returns:
            Figure -> (W,).
        """
        weights = np.ones((1, self.num_actors)) if weights is None else weights
        each = _figures(weighted_sum(weights, self.sums))  # name -> (W, R)
        means = {name: each[name].mean(axis=1) for name in FIGURES}
        cccs = {f"ccc_{name}": each["ccc"][:, n] for n, name in enumerate(self.target_names)}
        return {"ccc": means["ccc"], **cccs, **means}

    def score(self, weights: Counts) -> Figures:
        """(W, A) weights -> (W,): the mean CCC."""
        return np.asarray(_figures(weighted_sum(weights, self.sums))["ccc"].mean(axis=1))

    def bounds(self, figure: str) -> tuple[float, float]:
        """The least and the most that a figure can be."""
        if figure in ("rmse", "sign_agreement"):
            return 0, float("inf") if figure == "rmse" else 1
        return -1, 1


def _figures(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """(..., 8) -> figure -> (...)."""
    clips = np.maximum(sums[..., 0], 1)
    t, p, tt, pp, tp, squares, signs = np.moveaxis(sums[..., 1:] / clips[..., None], -1, 0)
    var_t, var_p, cov = _variance(tt, t), _variance(pp, p), tp - t * p
    cov = np.where((var_t == 0) | (var_p == 0), 0, cov)
    tiny = np.finfo(np.float64).tiny
    return {
        "ccc": 2 * cov / np.maximum(var_t + var_p + (t - p) ** 2, tiny),
        "pcc": np.clip(cov / np.maximum(np.sqrt(var_t * var_p), tiny), -1, 1),
        "rmse": np.sqrt(squares),
        "sign_agreement": signs,
    }


def _variance(mean_square: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    variance = mean_square - mean * mean
    return np.where(variance > _ROUNDING * mean_square, variance, 0)
