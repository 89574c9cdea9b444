"""The sums that figures of merit are made of, kept apart by actor.

A resample of actors is then a weighted sum of a few small tables: ten thousand of them are one matrix product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from emorec.errors import UserError
from emorec.evaluation.metrics import CALIBRATION_BINS
from emorec.evaluation.predictions_file import PredictedClips
from emorec.evaluation.same_clips import in_one_order

Counts: TypeAlias = NDArray[np.int64] | NDArray[np.float64]
Figures: TypeAlias = NDArray[np.float64]

FIGURE_NAMES = ("accuracy", "uar", "macro_f1", "ece")
"""Accuracy is what the field also calls WAR; all lie in 0 to 1."""


@dataclass(frozen=True, eq=False)
class ActorCounts:
    """What the clips of A actors add up to, K classes.

    Attributes:
        actors: A people, sorted.
        confusion: (A, K, K) int64 clips; rows are the truth, columns the predictions.
        calibration: (A, 15, 3) float64; of each bin of confidence the clips, those that are right, and the sum of
            their confidences.

    >>> one = np.array([[3, 1], [0, 4]])
    >>> counts = ActorCounts(("a", "b"), np.stack([one, one.T]), np.zeros((2, 15, 3)))
    >>> uar(counts.confusion).round(3)
    array([0.875, 0.9  ])
    """

    RANKED_BY: ClassVar[str] = "uar"

    actors: tuple[str, ...]
    confusion: NDArray[np.int64]
    calibration: NDArray[np.float64]

    @classmethod
    def of(cls, predicted: PredictedClips, by: Literal["actor", "clip"] = "actor") -> Self:
        """The sums of predictions.

        Args:
            predicted: N clips.
            by: "clip" takes every clip for an actor of its own, in the order of the clips.

        Raises:
            UserError: When there is no clip, or one of unknown truth.
        """
        num_clips = len(predicted.paths)
        if not num_clips:
            raise UserError("predictions of 0 clips have no figures (was the run's test stopped?)")
        target = predicted.predictions.target.numpy()
        if target.min() < 0:
            path = predicted.paths[int(target.argmin())]
            raise UserError(f"no figures without truth: the emotion of {path} is not known")
        if by == "clip":
            actors, rows = predicted.paths, np.arange(num_clips)
        else:
            names, rows = np.unique(np.array(predicted.actors), return_inverse=True)
            actors = tuple(names.tolist())
        num_classes = len(predicted.class_names)
        said = predicted.predictions.predicted.numpy()
        confusion = np.zeros((len(actors), num_classes, num_classes), np.int64)
        np.add.at(confusion, (rows, target, said), 1)
        bins, right, confidence = _calibration(predicted)
        calibration = np.zeros((len(actors), CALIBRATION_BINS, 3))
        np.add.at(calibration, (rows, bins), np.stack([np.ones(num_clips), right, confidence], 1))
        return cls(actors, confusion, calibration)

    @property
    def num_actors(self) -> int:
        """A."""
        return len(self.actors)

    def figures(self, weights: Counts | None = None) -> dict[str, Figures]:
        """Accuracy (WAR), UAR, macro-F1 and ECE; with weights of 1 those of `summarize`.

        Args:
            weights: (R, A), how often each actor is counted in each of R resamples; without them every actor is
                counted once and R is 1.

        Returns:
            `FIGURE_NAMES` -> (R,).
        """
        weights = np.ones((1, self.num_actors)) if weights is None else weights
        confusion = weighted_sum(weights, self.confusion)  # (R, K, K)
        return {
            "accuracy": accuracy(confusion),
            "uar": uar(confusion),
            "macro_f1": macro_f1(confusion),
            "ece": ece(weighted_sum(weights, self.calibration)),  # of (R, 15, 3)
        }

    def score(self, weights: Counts) -> Figures:
        """(R, A) weights -> (R,): the UAR."""
        return uar(weighted_sum(weights, self.confusion))

    def bounds(self, figure: str) -> tuple[float, float]:  # noqa: ARG002 - they are the same for all
        """The least and the most that a figure can be."""
        return 0, 1


def weighted_sum(weights: Counts, tables: Counts) -> NDArray[np.float64]:
    """(R, A) weights of (A, M, L) tables -> (R, M, L).

    >>> weighted_sum(np.array([[2, 0], [1, 1]]), np.array([[[1.0, 2.0]], [[10.0, 20.0]]])).tolist()
    [[[2.0, 4.0]], [[11.0, 22.0]]]
    """
    flat = tables.reshape(len(tables), -1).astype(np.float64)
    summed = weights.astype(np.float64) @ flat
    return summed.reshape(len(weights), *tables.shape[1:])


def accuracy(confusion: Counts) -> Figures:
    """(..., K, K) -> (...): the share of clips that are right (WAR).

    >>> float(accuracy(np.array([[3, 1], [0, 4]])))
    0.875
    """
    return _ratio(_right(confusion).sum(-1), confusion.sum((-2, -1)))


def uar(confusion: Counts) -> Figures:
    """(..., K, K) -> (...): the mean recall of the classes that occur in the truth.

    Source: Schuller et al. 2009, The INTERSPEECH 2009 Emotion Challenge, section 3.

    >>> float(uar(np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]])))
    0.875
    """
    support = confusion.sum(-1)
    return _ratio(_ratio(_right(confusion), support).sum(-1), (support > 0).sum(-1))


def macro_f1(confusion: Counts) -> Figures:
    """(..., K, K) -> (...): the mean F1 of the classes that occur in the truth or the predictions.

    >>> round(float(macro_f1(np.array([[3, 1], [0, 0]]))), 3)  # 6/7 and 0
    0.429
    """
    appearances = confusion.sum(-1) + confusion.sum(-2)
    f1 = _ratio(2 * _right(confusion), appearances)
    return _ratio(f1.sum(-1), (appearances > 0).sum(-1))


def ece(calibration: Counts) -> Figures:
    """(..., 15, 3) -> (...): the expected calibration error, l1.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3.

    >>> float(ece(np.array([[4, 3, 2.0], [4, 4, 3.6]])))  # (|3 - 2.0| + |4 - 3.6|) / 8
    0.175
    """
    clips, right, confidence = np.moveaxis(calibration, -1, 0)
    return _ratio(np.abs(right - confidence).sum(-1), clips.sum(-1))


def counts_of_seeds(
    predicted: Sequence[PredictedClips], by: Literal["actor", "clip"] = "actor"
) -> list[ActorCounts]:
    """The sums of the same clips by several seeds of a model, actors in the same order.

    Raises:
        UserError: When the seeds predict other clips, or other classes; see `in_one_order`.
    """
    return [ActorCounts.of(clips, by) for clips in in_one_order(predicted)]


def _right(confusion: Counts) -> NDArray[np.float64]:
    return np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)


def _ratio(part: Counts, whole: Counts) -> Figures:
    """Their ratio, 0 where the whole is 0."""
    return np.asarray(part / np.where(whole == 0, 1, whole), np.float64)


def _calibration(
    predicted: PredictedClips,
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    """(N,) bin, whether it is right, confidence: just as `summarize` takes them."""
    below_one = 1 - torch.finfo(torch.float32).eps
    probabilities = predicted.predictions.probabilities.clamp(max=below_one)
    confidence, said = probabilities.max(dim=1)
    edges = torch.linspace(0, 1, CALIBRATION_BINS + 1, dtype=confidence.dtype)
    # A network that has diverged is sure of nothing: NaN is put in the last bin and stays NaN.
    bins = (torch.bucketize(confidence, edges, right=True) - 1).clamp(max=CALIBRATION_BINS - 1)
    right = said == predicted.predictions.target
    return bins.numpy(), right.numpy(), confidence.double().numpy()
