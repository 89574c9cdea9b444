"""95 % confidence intervals of scores, by bootstrap over actors.

Clips of one actor are alike, so 1,440 clips of 24 actors carry less information than 1,440 clips of as many people:
resampled are actors, each with all clips. The interval answers how the networks at hand would do with other actors. It
does not include what another training run would change: that is what several seeds are for.

Measured coverage, by 1,000 simulated experiments each, 60 clips an actor:

- Actors whose abilities scatter normally: with 24 actors the intervals contain the truth in 95 % of the experiments,
  with 2 to 12 in 93 to 95 %, by being wide: on average +-44 points with 2 actors, +-25 with 4, +-17 with 6, +-7 with
  24. The clip bootstrap contains it in 54 %, the percentile bootstrap over actors in 50 % (2 actors), 85 % (6), 94 %
  (24).
- A network that fails with every tenth actor: 70 % with 6 actors, 78 % with 12, 91 % with 24, since few actors seldom
  include those who matter. Much the same holds where nearly everything is correct.
- ECE of few clips is too high whatever the method, by about 0.03 for 24 actors and a network that is calibrated; its
  interval shows how much the estimate scatters, and seldom contains a truth that is near 0.

So an interval of fewer than about 20 actors is a rough one, which no kind of interval remedies.

Source: Cameron & Miller 2015, A Practitioner's Guide to Cluster-Robust Inference, Journal of Human Resources
50(2):317-372 (few clusters: fewer than 20 to 50).
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from emorec.errors import UserError
from emorec.evaluation.scores import Estimate, Floats, Interval
from emorec.evaluation.task import Task, unknown

CONFIDENCE = 0.95
RESAMPLES = 10_000

ROUNDING = 1e-9
"""A difference or standard error below this is none."""

_WEIGHTS_AT_ONCE = 4_000_000


def scores_with_intervals(
    task: Task,
    tables: Sequence[pd.DataFrame],
    by: Literal["actor", "clip"] = "actor",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return the scores of a model, each with its interval.

    Args:
        task: What is predicted.
        tables: Aligned predictions of one or more seeds of the model; of a cross-validation, those of all folds
            together. A resample draws the same actors for every seed.
        by: What is drawn: "actor" for intervals that hold for other people; "clip" treats every clip as another
            person's and is there to show the difference.
        resamples: How often as many actors as there are are drawn.
        seed: Of the draws; the same seed gives the same intervals.

    Returns:
        Metric -> estimate.

    Raises:
        ValueError: When there is no table, or they are not aligned.
        UserError: When there is no clip, or one of unknown truth.

    Source: Field & Welsh 2007, Bootstrapping clustered data, J. R. Statist. Soc. B 69(3):369-390 (cluster bootstrap).
    """
    require_aligned(tables)
    return estimates(task, [actor_sums(task, table, by)[1] for table in tables], resamples, seed)


def require_aligned(tables: Sequence[pd.DataFrame]) -> None:
    """Refuse predictions of different clips, or of the same clips in different order.

    Raises:
        ValueError: When there is no table, or their indexes differ.
    """
    if not tables:
        raise ValueError("no predictions to score")
    if not all(table.index.equals(tables[0].index) for table in tables[1:]):
        raise ValueError("predictions of different clips or in different order: align them first")


def actor_sums(
    task: Task, table: pd.DataFrame, by: Literal["actor", "clip"] = "actor"
) -> tuple[list[str], Floats]:
    """Return the A actors of a predictions table, sorted, and their sufficient statistics (A, S).

    Args:
        task: What is predicted.
        table: N clips.
        by: "clip" treats every clip as an actor of its own, in the order of the clips.

    Raises:
        UserError: When there is no clip, or one of unknown truth.
    """
    if not len(table):
        raise UserError("predictions of 0 clips have no scores (was the test interrupted?)")
    target = task.target(table)
    if (missing := unknown(target)).any():
        raise UserError(
            f"{table['path'].iloc[int(missing.argmax())]} has no true {task.truth_columns[0]}: clips without truth "
            "can't be scored"
        )
    if by == "clip":
        group, actors = np.arange(len(table)), table["path"]
    else:
        group, actors = pd.factorize(table["actor"], sort=True)
    return list(actors), task.sums(target, task.output(table), group)


def table_scores(task: Task, table: pd.DataFrame) -> dict[str, float]:
    """Return the scores of a predictions table.

    Raises:
        UserError: When there is no clip, or one of unknown truth.
    """
    _, sums = actor_sums(task, table)
    return {name: float(value) for name, value in task.scores(sums.sum(axis=0)).items()}


def estimates(
    task: Task, sums: Sequence[Floats], resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """Return metric -> mean over seeds and interval, of each seed's statistics (A, S) of the same actors."""
    num_actors = len(sums[0])
    values = {name: float(each[0]) for name, each in _mean_scores(task, sums).items()}
    resampled: dict[str, list[Floats]] = {name: [] for name in values}
    for weights in actor_weights(num_actors, resamples if num_actors > 1 else 1, seed):
        for name, part in _mean_scores(task, sums, weights).items():
            resampled[name].append(part)
    errors = {
        name: standard_error(np.concatenate(parts), num_actors) for name, parts in resampled.items()
    }
    return {
        name: Estimate(value, t_interval(value, errors[name], num_actors, bounds=task.bounds(name)))
        for name, value in values.items()
    }


def _mean_scores(
    task: Task, sums: Sequence[Floats], weights: NDArray[np.int64] | None = None
) -> dict[str, Floats]:
    """Return metric -> (W,), the means over seeds, for weights (W, A) of actors; by default each counts once."""
    weights = np.ones((1, len(sums[0])), np.int64) if weights is None else weights
    seeds = [task.scores(weights.astype(np.float64) @ each) for each in sums]
    return {name: np.mean([each[name] for each in seeds], axis=0) for name in seeds[0]}


def actor_weights(num_actors: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield resamples of A actors with replacement in chunks (W, A): how often each actor is drawn.

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
    """Return the standard deviation of W resampled scores, times sqrt(A / (A - 1)); NaN for one actor.

    Resampled means scatter too little by that factor, like a variance divided by A and not by A - 1.

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
    """Return the value plus and minus t standard errors, A - 1 degrees of freedom, clipped to the bounds.

    Source: Hesterberg 2015, see `standard_error` (t interval with bootstrap standard error).

    >>> t_interval(0.5, 0.02, 24, bounds=(0, 1))
    Interval(low=0.4586..., high=0.5413...)
    >>> t_interval(0.5, 0.1, 2, bounds=(0, 1))  # two actors show nothing
    Interval(low=0, high=1)
    """
    if not standard_error > ROUNDING:
        return None
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, num_actors - 1)) * standard_error
    low, high = bounds
    return Interval(max(low, value - half), min(high, value + half))
