"""Is one model better than another? Answers that hold for other actors, in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from emorec.evaluation.counts import Counts
from emorec.evaluation.intervals import (
    CONFIDENCE,
    RESAMPLES,
    ROUNDING,
    Interval,
    actor_weights,
    standard_error,
    t_interval,
)
from emorec.evaluation.predicted import Predicted
from emorec.evaluation.predictions_file import PredictedClips
from emorec.evaluation.same_clips import in_one_order
from emorec.evaluation.significance import FEWEST_ACTORS, exact_mcnemar, more_actors, t_test
from emorec.evaluation.sums import Sums, classes, sums_of

SIGNIFICANT = 1 - CONFIDENCE


@dataclass(frozen=True)
class Pair:
    """Model A against model B on the same clips.

    Attributes:
        difference: UAR of A minus UAR of B, -1 to 1, or their mean CCC, -2 to 2; of several seeds, of their means.
        interval: 95 % interval of the difference, the same actors drawn for both models; None where there is one
            actor, or where the difference is the same with every actor.
        actor_p: Two-sided p that the models are equally good with people at large, by the t test that belongs to the
            interval; NaN of one actor.
        mcnemar_p: Two-sided p of the exact McNemar test that they are right equally often. It takes clips for
            independent of each other, which those of one actor are not: it is too small where models suit actors
            differently. Of several seeds, the mean of their probabilities decides what a model says. NaN of numbers,
            which are not right or wrong.
        only_a_right: Clips that A has right and B wrong, in the McNemar test.
        only_b_right: Clips that B has right and A wrong.
        num_actors: Actors that were tested.
        actors_needed: About how many more actors would be needed; see `more_actors`.
        figure: What they differ in.
    """

    difference: float
    interval: Interval | None
    actor_p: float
    mcnemar_p: float
    only_a_right: int
    only_b_right: int
    num_actors: int
    actors_needed: int | None
    figure: Literal["UAR", "CCC"] = "UAR"


def compare_pair(
    a: Sequence[Predicted],
    b: Sequence[Predicted],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Pair:
    """Model A against model B, each given by what one or more of its seeds predict for the same clips.

    Args:
        a: Seeds of A; of a cross-validation, all folds together.
        b: Seeds of B; they may be more or fewer.
        resamples: How often the actors are drawn.
        seed: Of the draws.

    Raises:
        ValueError: When a model has no predictions.
        UserError: When the clips or the classes are not the same, or a clip's truth is not known.
    """
    if not a or not b:
        raise ValueError("a model without predictions can't be compared")
    clips = in_one_order([*a, *b])
    counts = [sums_of(each) for each in clips]
    num_actors = counts[0].num_actors
    difference = float(_differences(counts, len(a), np.ones((1, num_actors)))[0])
    drawn = actor_weights(num_actors, resamples, seed)
    resampled = [_differences(counts, len(a), weights) for weights in drawn]
    error = standard_error(np.concatenate(resampled), num_actors)
    low, high = counts[0].bounds(counts[0].RANKED_BY)
    interval = t_interval(difference, error, num_actors, bounds=(low - high, high - low))
    named = isinstance(clips[0], PredictedClips)
    only_a, only_b = _only_right(clips[: len(a)], clips[len(a) :]) if named else (0, 0)
    return Pair(
        difference=difference,
        interval=interval,
        actor_p=t_test(difference, error, num_actors),
        mcnemar_p=exact_mcnemar(only_a, only_b) if named else float("nan"),
        only_a_right=only_a,
        only_b_right=only_b,
        num_actors=num_actors,
        actors_needed=more_actors(difference, error, num_actors) if interval else None,
        figure="UAR" if named else "CCC",
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for how many they are, in the same order; a NaN stays one and counts for none.

    Source: Holm 1979, Scandinavian Journal of Statistics 6(2):65-70.

    >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    corrected = np.array(p_values, np.float64)
    known = np.flatnonzero(~np.isnan(corrected))
    ascending = known[corrected[known].argsort(kind="stable")]
    multiples = corrected[ascending] * np.arange(len(ascending), 0, -1)
    corrected[ascending] = np.minimum(np.maximum.accumulate(multiples), 1)
    return [float(p) for p in corrected]


def sentence(name_a: str, name_b: str, pair: Pair, p_holm: float) -> str:
    """Which of two models is better, or that the test can't tell; without a full stop.

    A model is called better when the interval of the difference leaves 0 out and the corrected p is at most 0.05.

    Args:
        name_a: What the reader knows model A as.
        name_b: The same of model B.
        pair: The comparison of A and B.
        p_holm: `pair.actor_p` or `pair.mcnemar_p`, corrected by `holm` over all pairs that are shown.

    >>> pair = Pair(0.041, Interval(0.012, 0.07), 0.008, 0.01, 90, 50, 24, 0)
    >>> sentence("A", "B", pair, p_holm=0.02)
    'A is better than B: +4.1 points, 1.2 to 7.0'
    >>> sentence("A", "B", pair, p_holm=0.06)
    'A may be better than B (+4.1 points, 1.2 to 7.0), but the test does not show it: corrected p 0.060'
    """
    better, worse, sign = (name_a, name_b, 1) if pair.difference >= 0 else (name_b, name_a, -1)
    gain = _gain(pair, sign)
    if pair.interval is None:
        return _without_interval(
            name_a, name_b, pair, p_holm, f"{better} is better than {worse}: {gain}"
        )
    low, high = sorted((sign * pair.interval.low, sign * pair.interval.high))
    ends = f"{_shown(pair, low)} to {_shown(pair, high)}"
    if 0 in pair.interval:
        ends = f", {_shown(pair, pair.interval.low)} to {_shown(pair, pair.interval.high)}"
        return f"{_cannot_tell(name_a, name_b, pair, ends)}; {_wanted(pair)}"
    if not p_holm <= SIGNIFICANT:
        return (
            f"{better} may be better than {worse} ({gain}, {ends}), "
            f"but the test does not show it: corrected p {p_holm:.3f}"
        )
    return f"{better} is better than {worse}: {gain}, {ends}"


def _differences(counts: Sequence[Sums], seeds_of_a: int, weights: Counts) -> Counts:
    """(R, A) weights -> (R,): mean score of the first counts minus that of the others."""
    figures = np.stack([each.score(weights) for each in counts])
    return np.asarray(
        figures[:seeds_of_a].mean(axis=0) - figures[seeds_of_a:].mean(axis=0), np.float64
    )


def _only_right(a: Sequence[Predicted], b: Sequence[Predicted]) -> tuple[int, int]:
    """How many clips A alone has right, and B alone."""
    right_a, right_b = _right(classes(a)), _right(classes(b))
    return int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())


def _right(seeds: Sequence[PredictedClips]) -> NDArray[np.bool_]:
    """(N,) whether the mean probabilities of the seeds give the truth."""
    if len(seeds) == 1:
        said = seeds[0].predictions.predicted
    else:
        said = torch.stack([each.predictions.probabilities for each in seeds]).mean(0).argmax(1)
    return np.asarray((said == seeds[0].predictions.target).numpy(), np.bool_)


def _without_interval(name_a: str, name_b: str, pair: Pair, p_holm: float, claim: str) -> str:
    if pair.num_actors == 1:
        return f"{_cannot_tell(name_a, name_b, pair)}: it has one actor only"
    always = f"with each of {pair.num_actors} actors"
    if abs(pair.difference) > ROUNDING and p_holm <= SIGNIFICANT:
        return f"{claim} {always}"
    return _cannot_tell(name_a, name_b, pair, f" {always}")


def _cannot_tell(name_a: str, name_b: str, pair: Pair, more: str = "") -> str:
    difference = f"difference {_gain(pair)}"
    return f"the test cannot tell {name_a} and {name_b} apart ({difference}{more})"


def _gain(pair: Pair, sign: int = 1) -> str:
    unit = "points" if pair.figure == "UAR" else pair.figure
    return f"{_shown(pair, sign * pair.difference, signed=True)} {unit}"


def _shown(pair: Pair, value: float, *, signed: bool = False) -> str:
    if pair.figure == "UAR":
        return _points(value, signed=signed)
    rounded = round(value, 3) + 0.0  # never -0.000
    return f"{rounded:+.3f}" if signed else f"{rounded:.3f}"


def _wanted(pair: Pair) -> str:
    if pair.num_actors < FEWEST_ACTORS:
        return f"{pair.num_actors} actors are too few to say how many would be needed"
    if pair.actors_needed is None:
        return "no realistic number of actors would show so small a difference"
    actors = "actor" if pair.actors_needed == 1 else "actors"
    return f"about {pair.actors_needed} more {actors} would be needed"


def _points(share: float, *, signed: bool = False) -> str:
    """A share in percentage points; never -0.0.

    >>> _points(0.0412), _points(0.0412, signed=True), _points(-0.0001)
    ('4.1', '+4.1', '0.0')
    """
    points = round(100 * share, 1) + 0.0
    return f"{points:+.1f}" if signed else f"{points:.1f}"
