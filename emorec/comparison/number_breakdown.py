"""Where a model that predicts numbers is near the truth and where it is not: by number, by video, by epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from emorec.comparison.comparison import Result
from emorec.comparison.curves import Curve, read_curves
from emorec.comparison.published import FIGURES
from emorec.evaluation.regression import TargetScores, by_group, summarize_numbers
from emorec.evaluation.sums import numbers


@dataclass(frozen=True)
class VideoScores:
    """How near the numbers of a video come to the truth.

    Attributes:
        num_clips: Its frames.
        ccc: Their CCC, the mean over numbers and seeds.
    """

    num_clips: int
    ccc: float


@dataclass(frozen=True, eq=False, kw_only=True)
class NumberBreakdown:
    """A model looked at closely.

    Attributes:
        targets: Name of a number -> its scores over all clips, means over seeds.
        videos: Video -> its scores, in the order of their names.
        curves: Of each of its runs, in their order; empty where a run kept none.
    """

    targets: Mapping[str, TargetScores]
    videos: Mapping[str, VideoScores]
    curves: tuple[Mapping[str, Curve], ...]

    @property
    def worst_video(self) -> str:
        """The one of the lowest CCC; of equal ones the first."""
        return min(self.videos, key=lambda video: self.videos[video].ccc)


def number_breakdown_of(result: Result) -> NumberBreakdown:
    """Looks closely at a model."""
    seeds = numbers(result.pooled)
    names = seeds[0].target_names
    summaries = [summarize_numbers(each.predictions, names) for each in seeds]
    groups = [by_group(each.predictions, each.videos, names) for each in seeds]
    return NumberBreakdown(
        targets={
            name: TargetScores(
                *(
                    fmean(getattr(each.per_target[name], figure) for each in summaries)
                    for figure in FIGURES
                )
            )
            for name in names
        },
        videos={
            video: VideoScores(
                groups[0][video].num_clips, fmean(each[video].score for each in groups)
            )
            for video in sorted(groups[0])
        },
        curves=tuple(read_curves(run.folder) for run in result.tested.model.runs),
    )
