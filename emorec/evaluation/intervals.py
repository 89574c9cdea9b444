"""How far a figure is to be trusted: 95 % intervals by bootstrap over actors.

Clips of one actor are alike, so 1,440 clips of 24 actors say less than 1,440 clips of as many people: what is drawn
again and again are actors, each with all clips. The interval answers how the networks at hand would do with other
actors. It does not hold what another training would change: that is what several seeds are for.

How far the intervals themselves are to be trusted, by 1,000 simulated experiments each, 60 clips an actor:

- Actors whose abilities scatter normally: with 24 actors the intervals hold the truth in 95 % of the experiments, with
  2 to 12 in 93 to 95 %, by being wide: on average +-44 points with 2 actors, +-25 with 4, +-17 with 6, +-7 with 24.
  The clip bootstrap holds it in 54 %, the percentiles of the resampled figures in 50 % (2 actors), 85 % (6), 94 % (24).
- A network that fails with every tenth actor: 70 % with 6 actors, 78 % with 12, 91 % with 24, since few actors seldom
  include those who matter. Much the same holds where nearly everything is right.
- ECE of few clips is too high whatever the method, by about 0.03 for 24 actors and a network that is calibrated; its
  interval tells how much the figure scatters, and seldom holds a truth that is near 0.

So an interval of fewer than about 20 actors is a rough one, which no method of interval mends.

Source: Cameron & Miller 2015, A Practitioner's Guide to Cluster-Robust Inference, Journal of Human Resources
50(2):317-372 (few clusters: fewer than 20 to 50).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emorec.evaluation.predicted import Predicted
from emorec.evaluation.same_clips import in_one_order
from emorec.evaluation.sums import Sums, sums_of

CONFIDENCE = 0.95
RESAMPLES = 10_000

ROUNDING = 1e-9
"""A difference or standard error below this is none."""

_WEIGHTS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, in the unit of its figure: shares, 0 to 1, or differences of shares, -1 to 1.

    >>> interval = Interval(-0.5, 0.25)
    >>> interval.half_width, 0 in interval, 0.3 in interval
    (0.375, True, False)
    """

    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the distance of its ends."""
        return (self.high - self.low) / 2

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Estimate:
    """A figure and how far it is to be trusted.

    Attributes:
        value: The figure of the clips at hand; the mean over seeds.
        interval: None where the actors can't give one: a single actor, a figure that is the same with every actor
            (as of a network that always says one class), or one that is no number.
    """

    value: float
    interval: Interval | None


def figures_with_intervals(
    predicted: Sequence[Predicted],
    by: Literal["actor", "clip"] = "actor",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """The figures of a model, each with its interval: of classes accuracy, UAR, macro-F1 and ECE.

    Args:
        predicted: The same clips as predicted by one or more seeds of the model; of a cross-validation, those of
            all folds together. A resample draws the same actors for every seed.
        by: What is drawn: "actor" for intervals that hold for other people; "clip" takes every clip for another
            person's and is there to show the difference.
        resamples: How often as many actors as there are are drawn.
        seed: Of the draws; the same seed gives the same intervals.

    Returns:
        Figure -> estimate.

    Raises:
        ValueError: When there are no predictions.
        UserError: When the seeds predict other clips, there is no clip, or a clip's truth is not known.

    Source: Field & Welsh 2007, Bootstrapping clustered data, J. R. Statist. Soc. B 69(3):369-390 (cluster bootstrap).
    """
    sums = [sums_of(clips, by) for clips in in_one_order(predicted)]
    return estimates(sums, resamples, seed)


def estimates(
    counts: Sequence[Sums], resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """The same from the sums of each seed, whose actors are the same and in the same order."""
    num_actors = counts[0].num_actors
    values = {name: float(each[0]) for name, each in _mean_of_seeds(counts).items()}
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in values}
    for weights in actor_weights(num_actors, resamples if num_actors > 1 else 1, seed):
        for name, part in _mean_of_seeds(counts, weights).items():
            drawn[name].append(part)
    errors = {
        name: standard_error(np.concatenate(parts), num_actors) for name, parts in drawn.items()
    }
    return {
        name: Estimate(
            value, t_interval(value, errors[name], num_actors, bounds=counts[0].bounds(name))
        )
        for name, value in values.items()
    }


def actor_weights(num_actors: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Resamples of A actors with replacement, some at a time: (R, A), how often each is drawn.

    >>> [weights] = actor_weights(num_actors=3, resamples=5, seed=0)
    >>> weights.shape, weights.sum(axis=1).tolist()
    ((5, 3), [3, 3, 3, 3, 3])
    """
    draw = np.random.default_rng(seed)
    at_once = max(1, _WEIGHTS_AT_ONCE // num_actors)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        drawn = draw.integers(num_actors, size=(size, num_actors))
        flat = (drawn + num_actors * np.arange(size)[:, None]).ravel()
        yield np.bincount(flat, minlength=size * num_actors).reshape(size, num_actors)


def standard_error(resampled: NDArray[np.float64], num_actors: int) -> float:
    """The standard deviation of R resampled figures, times sqrt(A / (A - 1)); NaN of one actor.

    Resampled means scatter too little by that factor, like a variance that is divided by A and not by A - 1.

    Source: Hesterberg 2015, What Teachers Should Know About the Bootstrap, The American Statistician 69(4):371-386
    (narrowness bias).

    >>> resampled = np.array([0.4, 0.5, 0.5, 0.6])  # all pairs of an actor of 0.4 and one of 0.6
    >>> round(standard_error(resampled, num_actors=2), 3)
    0.1
    """
    if num_actors < 2:
        return float("nan")
    return float(resampled.std()) * float(np.sqrt(num_actors / (num_actors - 1)))


def t_interval(
    value: float, standard_error: float, num_actors: int, *, bounds: tuple[float, float]
) -> Interval | None:
    """The value plus and minus t standard errors, A - 1 degrees of freedom, cut off at the bounds.

    Source: Hesterberg 2015, see `standard_error` (t interval with bootstrap standard error).

    >>> t_interval(0.5, 0.02, 24, bounds=(0, 1))
    Interval(low=0.4586..., high=0.5413...)
    >>> t_interval(0.5, 0.1, 2, bounds=(0, 1))  # two actors say nothing
    Interval(low=0, high=1)
    """
    if not standard_error > ROUNDING:
        return None
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, num_actors - 1)) * standard_error
    low, high = bounds
    return Interval(max(low, value - half), min(high, value + half))


def _mean_of_seeds(
    counts: Sequence[Sums], weights: NDArray[np.int64] | None = None
) -> dict[str, NDArray[np.float64]]:
    """(R, A) weights -> figure -> (R,)."""
    figures = [each.figures(weights) for each in counts]
    return {name: np.mean([each[name] for each in figures], axis=0) for name in figures[0]}
