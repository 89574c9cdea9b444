"""Models compared: scores with intervals, differences of pairs, spread over folds and seeds, and cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorec.evaluation.intervals import RESAMPLES, ROUNDING, scores_with_intervals, table_scores
from emorec.evaluation.pairwise import SIGNIFICANT, Pair, compare_pair, holm
from emorec.evaluation.scores import Estimate
from emorec.evaluation.task import Task
from emorec.report.models import Model, Predictions, align_models, group_runs
from emorec.report.references import Reference
from emorec.report.runs import Run, sort_actors

COST = {
    "num_parameters": "parameters",
    "gflops_per_clip": "GFLOPs a clip",
    "train_seconds": "training",
    "epochs": "epochs",
    "train_clips_per_second": "clips/s",
    "peak_memory_bytes": "memory",
}
"""Costs that runs record -> column headings."""

MAXIMUM_COST = ("num_parameters", "gflops_per_clip", "peak_memory_bytes")
"""Of these the maximum over a model's runs counts, of the others the mean."""


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation of a score over folds or seeds."""

    mean: float
    sd: float


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelResult:
    """A model's scores.

    Attributes:
        model: The model.
        tables: Its aligned predictions, one table a seed.
        scores: Metric -> value and interval by a bootstrap over actors; "ece_calibrated" where all runs have
            calibrated probabilities.
        clip_scores: Metric -> the same value and its interval by a bootstrap over clips; empty for numbers, since
            the frames of a video are too similar.
        folds: Metric -> spread over folds; empty with fewer than two.
        seeds: Metric -> spread over seeds; empty with fewer than two.
        cost: The keys of `COST` -> value; `None` where no run recorded it.
    """

    model: Model
    tables: tuple[pd.DataFrame, ...]
    scores: Mapping[str, Estimate]
    clip_scores: Mapping[str, Estimate]
    folds: Mapping[str, Spread]
    seeds: Mapping[str, Spread]
    cost: Mapping[str, float | None]

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def leaks(self) -> tuple[str, ...]:
        """A line for each two subsets with common actors."""
        return self.model.leaks


@dataclass(frozen=True, kw_only=True)
class PairResult:
    """Two models, the one with the higher score first.

    Attributes:
        better: Name of the first.
        other: Name of the second.
        pair: Their difference.
        actor_p_holm: p of the difference, Holm-corrected for the number of pairs. Pairs without a leak are corrected
            among themselves.
        mcnemar_p_holm: p of the exact McNemar test, corrected in the same way.
    """

    better: str
    other: str
    pair: Pair
    actor_p_holm: float
    mcnemar_p_holm: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0 and the corrected p is small enough."""
        interval, small = self.pair.interval, self.actor_p_holm <= SIGNIFICANT
        if interval is None:  # one actor, or the same difference with every actor
            return small and abs(self.pair.difference) > ROUNDING
        return small and 0 not in interval


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Models compared on the same clips.

    Attributes:
        task: What they predict.
        results: The models, the best one first.
        pairs: Each two of them, in that order.
        trivial: Scores of predicting the most frequent class, or the mean, of the test clips.
        references: Results from the literature.
        num_left_out: Clips that are not common to all models.
        num_elsewhere: Runs that were tested on other clips, and are compared elsewhere.
        untested: Run folders that were skipped because they have no test.
        resamples: Of the bootstrap.
    """

    task: Task
    results: tuple[ModelResult, ...]
    pairs: tuple[PairResult, ...]
    trivial: Mapping[str, float]
    references: tuple[Reference, ...]
    num_left_out: int
    num_elsewhere: int
    untested: tuple[Path, ...]
    resamples: int

    @property
    def clips(self) -> pd.DataFrame:
        """The test clips, with the predictions of the best model's first seed."""
        return self.results[0].tables[0]

    @property
    def actors(self) -> tuple[str, ...]:
        """The test actors, in order."""
        return tuple(map(str, sort_actors(set(self.clips["actor"]))))


def compare_runs(
    runs: Sequence[Run],
    *,
    untested: Sequence[Path] = (),
    num_elsewhere: int = 0,
    references: Sequence[Reference] = (),
    intersect: bool = False,
    resamples: int = RESAMPLES,
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Compare tested runs.

    Args:
        runs: At least one.
        untested: Run folders that were skipped.
        num_elsewhere: Runs that were tested on other clips, and are compared elsewhere.
        references: Results from the literature.
        intersect: Compare on the clips common to all, instead of refusing when they differ.
        resamples: Of the bootstrap.
        progress: Gets the name of each step.

    Raises:
        UserError: When the runs can't be compared.
    """
    models = group_runs(runs)
    aligned, num_left_out = align_models(models, intersect=intersect)
    task = runs[0].task
    results = []
    for model, predictions in zip(models, aligned, strict=True):
        progress(f"intervals of {model.name}")
        results.append(score_model(task, model, predictions, resamples))
    trivial = task.trivial_scores(task.target(results[0].tables[0]))
    results.sort(key=lambda result: _rank(result.scores[task.score].value))
    progress("pairs")
    return Comparison(
        task=task,
        results=tuple(results),
        pairs=compare_pairs(task, results, resamples),
        trivial=trivial,
        references=tuple(references),
        num_left_out=num_left_out,
        num_elsewhere=num_elsewhere,
        untested=tuple(untested),
        resamples=resamples,
    )


def score_model(task: Task, model: Model, predictions: Predictions, resamples: int) -> ModelResult:
    """Return the scores of a model."""
    by_seed = [table_scores(task, table) for table in predictions.pooled]
    by_fold = [
        _mean_scores([table_scores(task, table) for table in tables])
        for tables in predictions.by_fold.values()
    ]
    classes = task.kind == "classes"
    return ModelResult(
        model=model,
        tables=predictions.pooled,
        scores=_estimates(task, predictions.pooled, "actor", resamples),
        clip_scores=_estimates(task, predictions.pooled, "clip", resamples) if classes else {},
        folds=_spreads(by_fold),
        seeds=_spreads(by_seed),
        cost=cost_of(model.runs),
    )


def _estimates(
    task: Task, tables: Sequence[pd.DataFrame], by: Literal["actor", "clip"], resamples: int
) -> dict[str, Estimate]:
    estimates = scores_with_intervals(task, tables, by, resamples)
    calibrated = [each for table in tables if (each := task.calibrated(table)) is not None]
    if len(calibrated) == len(tables):
        estimates["ece_calibrated"] = scores_with_intervals(task, calibrated, by, resamples)["ece"]
    return estimates


def cost_of(runs: Sequence[Run]) -> dict[str, float | None]:
    """Return the cost of a model as its runs recorded it: the maximum or the mean, `None` where no run did.

    The forward pass of a clip counts once for each view whose predictions were averaged.
    """
    costs: dict[str, float | None] = {}
    for name in COST:
        values = [
            run.metrics[name] * (run.metrics.get("views", 1) if name == "gflops_per_clip" else 1)
            for run in runs
            if run.metrics.get(name) is not None
        ]
        combine = max if name in MAXIMUM_COST else fmean
        costs[name] = combine(values) if values else None
    return costs


def compare_pairs(
    task: Task, results: Sequence[ModelResult], resamples: int
) -> tuple[PairResult, ...]:
    """Compare each two models, with p-values corrected for the number of pairs."""
    models = list(combinations(results, 2))
    pairs = [compare_pair(task, a.tables, b.tables, resamples=resamples) for a, b in models]
    leak_free = np.array([not (a.leaks or b.leaks) for a, b in models], dtype=bool)
    actor_p = _corrected([pair.actor_p for pair in pairs], leak_free)
    mcnemar_p = _corrected([pair.mcnemar_p for pair in pairs], leak_free)
    return tuple(
        PairResult(
            better=a.name, other=b.name, pair=pair, actor_p_holm=actor, mcnemar_p_holm=mcnemar
        )
        for (a, b), pair, actor, mcnemar in zip(models, pairs, actor_p, mcnemar_p, strict=True)
    )


def _corrected(p_values: Sequence[float], leak_free: NDArray[np.bool_]) -> list[float]:
    """Holm's correction; pairs with a leaking model must not weaken the others."""
    corrected = np.array(holm(p_values), np.float64)
    corrected[leak_free] = holm(list(np.array(p_values)[leak_free]))
    return [float(p) for p in corrected]


def _spreads(scores: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    if len(scores) < 2:
        return {}
    values = {name: [each[name] for each in scores] for name in scores[0]}
    return {name: Spread(fmean(each), stdev(each)) for name, each in values.items()}


def _mean_scores(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: fmean(each[name] for each in scores) for name in scores[0]}


def _rank(score: float) -> float:
    """Sort key: the best first, NaN last."""
    return -score if score == score else 2.0  # noqa: PLR0124 - only NaN differs from itself
