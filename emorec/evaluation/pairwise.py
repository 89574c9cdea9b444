"""Is one model better than another? Paired comparisons that hold for other actors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from emorec.evaluation.intervals import (
    CONFIDENCE,
    RESAMPLES,
    ROUNDING,
    actor_sums,
    actor_weights,
    require_aligned,
    standard_error,
    t_interval,
)
from emorec.evaluation.scores import Counts, Floats, Interval
from emorec.evaluation.task import Classification, Task

SIGNIFICANT = 1 - CONFIDENCE

REALISTIC_ACTORS = 1000
"""No data set of acted emotions has as many: RAVDESS has 24, CREMA-D 91."""

FEWEST_ACTORS = 6
"""Fewer hardly show how much actors differ, let alone how many would be enough."""


@dataclass(frozen=True)
class Pair:
    """Model A against model B on the same clips.

    Attributes:
        difference: Score of A minus score of B: of UAR -1 to 1, of the mean CCC -2 to 2; for several seeds, of means.
        interval: 95 % interval of the difference, the same actors drawn for both models; None for a single actor, or
            where the difference is the same with every actor.
        actor_p: Two-sided p that the models are equally good with people at large, by the t test that belongs to the
            interval; NaN for one actor.
        mcnemar_p: Two-sided p of the exact McNemar test that they are correct equally often. It treats clips as
            independent, which those of one actor are not: it is too small where models suit actors differently. For
            several seeds, their mean probabilities are the prediction. NaN for numbers, which are not right or wrong.
        only_a_right: Clips that A classifies correctly and B does not, in the McNemar test.
        only_b_right: Clips that B classifies correctly and A does not.
        num_actors: Actors that were tested.
        actors_needed: About how many more actors would be needed; see `more_actors`.
    """

    difference: float
    interval: Interval | None
    actor_p: float
    mcnemar_p: float
    only_a_right: int
    only_b_right: int
    num_actors: int
    actors_needed: int | None


def compare_pair(
    task: Task,
    a: Sequence[pd.DataFrame],
    b: Sequence[pd.DataFrame],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Pair:
    """Compare model A with model B, each given by the predictions of one or more seeds for the same clips.

    Args:
        task: What is predicted.
        a: Predictions by seeds of A, aligned with those of B; of a cross-validation, all folds together.
        b: Predictions by seeds of B; they may be more or fewer.
        resamples: How often the actors are drawn.
        seed: Of the draws.

    Raises:
        ValueError: When a model has no predictions, or they are not aligned.
        UserError: When there is no clip, or one of unknown truth.
    """
    if not a or not b:
        raise ValueError("a model without predictions can't be compared")
    require_aligned([*a, *b])
    sums = [[actor_sums(task, table)[1] for table in seeds] for seeds in (a, b)]
    num_actors = len(sums[0][0])

    def difference(weights: Counts) -> Floats:
        """Return (W,) differences of the mean scores for weights (W, A) of the actors."""
        of_a, of_b = (
            np.mean([task.scores(weights.astype(np.float64) @ s)[task.score] for s in each], axis=0)
            for each in sums
        )
        return np.asarray(of_a - of_b)

    measured = float(difference(np.ones((1, num_actors)))[0])
    resampled = [difference(weights) for weights in actor_weights(num_actors, resamples, seed)]
    error = standard_error(np.concatenate(resampled), num_actors)
    low, high = task.bounds(task.score)
    interval = t_interval(measured, error, num_actors, bounds=(low - high, high - low))
    only_a, only_b, mcnemar_p = 0, 0, float("nan")
    if isinstance(task, Classification):
        right_a, right_b = _correct(task, a), _correct(task, b)
        only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
        mcnemar_p = exact_mcnemar(only_a, only_b)
    return Pair(
        difference=measured,
        interval=interval,
        actor_p=t_test(measured, error, num_actors),
        mcnemar_p=mcnemar_p,
        only_a_right=only_a,
        only_b_right=only_b,
        num_actors=num_actors,
        actors_needed=more_actors(measured, error, num_actors) if interval else None,
    )


def _correct(task: Classification, seeds: Sequence[pd.DataFrame]) -> NDArray[np.bool_]:
    """Return (N,) whether the mean probabilities of the seeds are highest for the true class."""
    probabilities = np.mean([task.values(task.output(table)) for table in seeds], axis=0)  # (N, K)
    return np.asarray(probabilities.argmax(axis=1) == task.target(seeds[0]))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for multiple comparisons, in the same order; NaN stays NaN and is not counted.

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


def exact_mcnemar(only_a_right: int, only_b_right: int) -> float:
    """Return the two-sided p of the exact McNemar test; 1 for models that are correct on the same clips.

    Source: McNemar 1947, Psychometrika 12(2):153-157; Dietterich 1998, Neural Computation 10(7):1895-1923.

    >>> exact_mcnemar(6, 0), exact_mcnemar(0, 0)
    (0.03125, 1.0)
    """
    discordant = only_a_right + only_b_right
    return float(stats.binomtest(only_a_right, discordant).pvalue) if discordant else 1.0


def t_test(difference: float, standard_error: float, num_actors: int) -> float:
    """Return the two-sided p that a difference is 0 for people at large; NaN for one actor.

    >>> round(t_test(0.05, 0.02, 24), 3)
    0.02
    >>> t_test(0.05, 0.0, 5), t_test(0.0, 0.0, 5)
    (0.0625, 1.0)
    """
    if num_actors < 2:
        return float("nan")
    if standard_error > ROUNDING:
        return float(2 * stats.t.sf(abs(difference) / standard_error, num_actors - 1))
    # The same difference with every actor has no standard error: a sign test. If the models were equally good, all A
    # differences would have the same sign in 2 of 2 ** A cases.
    return 0.5 ** (num_actors - 1) if abs(difference) > ROUNDING else 1.0


def more_actors(difference: float, standard_error: float, num_actors: int) -> int | None:
    """Estimate how many more actors the 95 % interval would need to exclude 0, if the difference stayed as it is.

    The standard error is assumed to shrink as 1 / sqrt(actors), and the quantile of t a little. Both are estimated from
    few actors, and with that many the odds of a clear answer are about even: read it as an order of magnitude.

    Args:
        difference: The measured difference.
        standard_error: Its standard error.
        num_actors: How many actors were tested.

    Returns:
        0 when it excludes 0 already; None when more than a thousand actors would be needed, or when fewer than six
        are at hand.

    >>> more_actors(0.02, 0.02, 24), more_actors(0.05, 0.02, 24), more_actors(0.0001, 0.02, 24)
    (71, 0, None)
    """
    if num_actors < FEWEST_ACTORS:
        return None
    totals = np.arange(num_actors, max(num_actors, REALISTIC_ACTORS) + 1)
    quantiles = stats.t.ppf((1 + CONFIDENCE) / 2, totals - 1)
    half_widths = quantiles * standard_error * np.sqrt(num_actors / totals)
    enough = np.flatnonzero(half_widths < abs(difference))
    return int(enough[0]) if len(enough) else None
