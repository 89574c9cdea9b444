"""The figures of all models and pairs, from which every table and picture of a report is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal, Self

from emorec.comparison.cost import Cost
from emorec.comparison.find import FoundRuns
from emorec.comparison.guess import figures_of, guess_of
from emorec.comparison.model import models_of
from emorec.comparison.published import Published
from emorec.comparison.same_test import ComparedModel, on_the_same_clips
from emorec.comparison.score import CLASSES, Score, score_of
from emorec.evaluation.intervals import RESAMPLES, ROUNDING, Estimate, figures_with_intervals
from emorec.evaluation.pairwise import SIGNIFICANT, Pair, compare_pair, holm
from emorec.app.answer import sentence
from emorec.evaluation.predicted import Predicted
from emorec.evaluation.predictions_file import PredictedClips


@dataclass(frozen=True)
class MeanAndDeviation:
    """Of figures of several folds or seeds; the standard deviation is that of a sample."""

    mean: float
    deviation: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """A model and its figures; those of classes are shares, 0 to 1.

    Attributes:
        tested: The model and its predictions.
        by_actor: Figure -> value and interval by bootstrap over actors; "ece_calibrated" where all runs tell it.
        by_clip: Figure -> the same value and the interval by bootstrap over clips; empty for numbers, since a film's
            frames are too much alike for it to mean anything.
        folds: Figure -> mean and deviation over folds; empty with fewer than two.
        seeds: Figure -> mean and deviation over seeds; empty with fewer than two.
        cost: What the model costs.
    """

    tested: ComparedModel
    by_actor: Mapping[str, Estimate]
    by_clip: Mapping[str, Estimate]
    folds: Mapping[str, MeanAndDeviation]
    seeds: Mapping[str, MeanAndDeviation]
    cost: Cost

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.tested.model.name

    @property
    def leaks(self) -> tuple[str, ...]:
        """Who stands on two sides, if anybody does."""
        return self.tested.model.leaks

    @property
    def pooled(self) -> tuple[Predicted, ...]:
        """For each seed the N clips."""
        return self.tested.pooled


@dataclass(frozen=True, kw_only=True)
class ComparedPair:
    """Two models, the better one first.

    Attributes:
        better: The name of the one with the higher UAR or CCC.
        other: The name of the other.
        pair: Their difference.
        actor_p_holm: p of the difference for other actors, Holm-corrected for the number of pairs. Pairs
            without a leak are corrected among themselves.
        mcnemar_p_holm: p of the exact McNemar test, Holm-corrected in the same way.
        sentence: What the test says, in words.
    """

    better: str
    other: str
    pair: Pair
    actor_p_holm: float
    mcnemar_p_holm: float
    sentence: str

    @property
    def told_apart(self) -> bool:
        """Whether the test tells them apart, as the sentence says."""
        interval, certain = self.pair.interval, self.actor_p_holm <= SIGNIFICANT
        if interval is None:  # one actor, or the same difference with every actor
            return certain and abs(self.pair.difference) > ROUNDING
        return certain and 0 not in interval


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Models side by side.

    Attributes:
        results: The models, the one with the highest UAR or CCC first.
        pairs: Each two of them, in that order.
        majority: The figures of saying the same every time, the most frequent class or the mean of the test clips.
        published: Figures from elsewhere.
        num_left_out: Clips that not all models share.
        untested: Run folders that were not tested and are left out.
        resamples: How often actors were drawn.
    """

    results: tuple[Result, ...]
    pairs: tuple[ComparedPair, ...]
    majority: Mapping[str, float]
    published: tuple[Published, ...]
    num_left_out: int
    untested: tuple[Path, ...]
    resamples: int

    @classmethod
    def of(
        cls,
        found: FoundRuns,
        *,
        published: Sequence[Published] = (),
        intersect: bool = False,
        resamples: int = RESAMPLES,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Compares runs.

        Args:
            found: At least one tested run.
            published: Figures from elsewhere.
            intersect: Compare the clips that all share, instead of refusing when they differ.
            resamples: How often actors are drawn.
            progress: Told what is done next.

        Raises:
            UserError: When the runs can't be compared.
        """
        tested, num_left_out = on_the_same_clips(models_of(found.runs), intersect=intersect)
        results = []
        for each in tested:
            progress(f"intervals of {each.model.name}")
            results.append(result_of(each, resamples))
        ranked_by = score_of(tested[0].pooled[0]).figure
        results.sort(key=lambda result: _rank(result.by_actor[ranked_by].value))
        progress("pairs")
        return cls(
            results=tuple(results),
            pairs=compare_pairs(results, resamples),
            majority=guess_of(tested[0].pooled[0]),
            published=tuple(published),
            num_left_out=num_left_out,
            untested=found.untested,
            resamples=resamples,
        )

    @property
    def score(self) -> Score:
        """What the models are measured by."""
        return score_of(self.test)

    @property
    def test(self) -> Predicted:
        """The clips of the comparison, as the best model's first seed predicted them."""
        return self.results[0].pooled[0]

    @property
    def actors(self) -> tuple[str, ...]:
        """Who was tested, in order."""
        return tuple(
            sorted(set(self.test.actors), key=lambda actor: (not actor.isdecimal(), actor.zfill(9)))
        )


def result_of(tested: ComparedModel, resamples: int) -> Result:
    """The figures of a model."""
    folds = [_mean([figures_of(clips) for clips in seeds]) for seeds in tested.by_fold.values()]
    named = score_of(tested.pooled[0]) is CLASSES
    return Result(
        tested=tested,
        by_actor=_estimates(tested.pooled, "actor", resamples),
        by_clip=_estimates(tested.pooled, "clip", resamples) if named else {},
        folds=_means(folds),
        seeds=_means([figures_of(clips) for clips in tested.pooled]),
        cost=Cost.of(tested.model.runs),
    )


def _estimates(
    pooled: Sequence[Predicted], by: Literal["actor", "clip"], resamples: int
) -> dict[str, Estimate]:
    estimates = figures_with_intervals(pooled, by, resamples)
    calibrated = [
        replace(clips, predictions=clips.calibrated)
        for clips in pooled
        if isinstance(clips, PredictedClips) and clips.calibrated is not None
    ]
    if len(calibrated) == len(pooled):
        estimates["ece_calibrated"] = figures_with_intervals(calibrated, by, resamples)["ece"]
    return estimates


def compare_pairs(results: Sequence[Result], resamples: int) -> tuple[ComparedPair, ...]:
    """Each two models, p-values corrected for the number of pairs."""
    both = list(combinations(results, 2))
    pairs = [compare_pair(a.pooled, b.pooled, resamples=resamples) for a, b in both]
    sound = [not (a.leaks or b.leaks) for a, b in both]
    actor_p = _corrected([pair.actor_p for pair in pairs], sound)
    mcnemar_p = _corrected([pair.mcnemar_p for pair in pairs], sound)
    return tuple(
        ComparedPair(
            better=a.name,
            other=b.name,
            pair=pair,
            actor_p_holm=actors,
            mcnemar_p_holm=mcnemar,
            sentence=_capital(sentence(a.name, b.name, pair, actors)),
        )
        for (a, b), pair, actors, mcnemar in zip(both, pairs, actor_p, mcnemar_p, strict=True)
    )


def _corrected(p_values: Sequence[float], sound: Sequence[bool]) -> list[float]:
    """Holm's correction: a model with a leak, which nothing is said about, must not make it harder for the others."""
    among_all = holm(p_values)
    among_sound = iter(holm([p for p, counts in zip(p_values, sound, strict=True) if counts]))
    return [
        next(among_sound) if counts else corrected
        for corrected, counts in zip(among_all, sound, strict=True)
    ]


def _capital(said: str) -> str:
    """A sentence that does not start with a model's name starts with a capital."""
    return f"T{said[1:]}" if said.startswith("the test ") else said


def _means(figures: Sequence[Mapping[str, float]]) -> dict[str, MeanAndDeviation]:
    if len(figures) < 2:
        return {}
    columns = {name: [each[name] for each in figures] for name in figures[0]}
    return {name: MeanAndDeviation(fmean(each), stdev(each)) for name, each in columns.items()}


def _mean(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: fmean(each[name] for each in figures) for name in figures[0]}


def _rank(score: float) -> float:
    """Best first, a figure that is no number last."""
    return -score if score == score else 2.0  # noqa: PLR0124 - NaN alone differs from itself
