"""What figures and their intervals are made from, for classes and for numbers alike."""

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

from emorec.evaluation.counts import ActorCounts, Counts, Figures
from emorec.evaluation.moments import ActorMoments
from emorec.evaluation.numbers_file import PredictedNumbers
from emorec.evaluation.predicted import Predicted
from emorec.evaluation.predictions_file import PredictedClips


class Sums(Protocol):
    """What the clips of A actors add up to."""

    RANKED_BY: ClassVar[str]
    """The figure by which models are ranked."""

    @property
    def num_actors(self) -> int:
        """A."""

    def figures(self, weights: Counts | None = None) -> dict[str, Figures]:
        """(R, A) weights -> figure -> (R,); without weights every actor is counted once."""

    def score(self, weights: Counts) -> Figures:
        """(R, A) weights -> (R,): the figure by which models are ranked."""

    def bounds(self, figure: str) -> tuple[float, float]:
        """The least and the most that a figure can be."""


def sums_of(predicted: Predicted, by: Literal["actor", "clip"] = "actor") -> Sums:
    """The sums of a model's predictions.

    Args:
        predicted: N clips.
        by: "clip" takes every clip for an actor of its own; of classes alone.

    Raises:
        UserError: When there is no clip, or one of unknown truth.
    """
    if isinstance(predicted, PredictedNumbers):
        return ActorMoments.of(predicted)
    return ActorCounts.of(classes([predicted])[0], by)


def classes(predicted: Sequence[Predicted]) -> tuple[PredictedClips, ...]:
    """The same, where it is known that they name classes.

    Raises:
        TypeError: When they don't.
    """
    named = tuple(each for each in predicted if isinstance(each, PredictedClips))
    if len(named) != len(predicted):
        raise TypeError("expected predicted classes")
    return named


def numbers(predicted: Sequence[Predicted]) -> tuple[PredictedNumbers, ...]:
    """The same, where it is known that they are numbers.

    Raises:
        TypeError: When they aren't.
    """
    own = tuple(each for each in predicted if isinstance(each, PredictedNumbers))
    if len(own) != len(predicted):
        raise TypeError("expected predicted numbers")
    return own
