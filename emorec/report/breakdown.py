"""Where models fail: by class or number, by actor or video, by kind of clip, by confidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PureWindowsPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorec.data.sets.ravdess.parser import RavdessName
from emorec.evaluation.breakdown import (
    accuracy_by_group,
    confusion_matrix,
    most_confused,
    reliability,
    scores_per_name,
    scores_per_video,
)
from emorec.evaluation.task import Classification, Regression, Task
from emorec.report.comparison import ModelResult
from emorec.report.runs import read_curves


@dataclass(frozen=True, eq=False, kw_only=True)
class Breakdown:
    """A model's scores in detail, means over seeds.

    Attributes:
        per_name: Class or number -> its scores.
        groups: Grouping -> group -> scores. Of classes: "actor", then groups from the file names; accuracy with its
            interval. Of numbers: "video"; all metrics.
        confusion: (K, K) clips, rows are the truth, summed over seeds; `None` for numbers.
        confused: The most frequent confusions; empty for numbers.
        reliability: Bins of confidence; empty for numbers.
        curves: For each run loss and score by epoch; empty where a run has none.
    """

    per_name: pd.DataFrame
    groups: Mapping[str, pd.DataFrame]
    confusion: NDArray[np.int64] | None = None
    confused: pd.DataFrame = field(default_factory=pd.DataFrame)
    reliability: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: Sequence[pd.DataFrame] = ()

    @property
    def worst(self) -> str:
        """The actor or video with the lowest accuracy or CCC; the first of equal ones."""
        groups = next(iter(self.groups.values()))
        metric = "ccc" if self.confusion is None else "accuracy"
        return str(groups[metric].idxmin())


def break_down(task: Task, result: ModelResult, resamples: int) -> Breakdown:
    """Return a model's scores in detail."""
    tables = result.tables
    curves = [read_curves(run.folder) for run in result.model.runs]
    if isinstance(task, Regression):
        return Breakdown(
            per_name=scores_per_name(task, tables),
            groups={"video": scores_per_video(task, tables)},
            curves=curves,
        )
    assert isinstance(task, Classification)
    groups = ravdess_groups(tables[0]["path"])
    return Breakdown(
        per_name=scores_per_name(task, tables),
        groups=accuracy_by_group(task, tables, groups, resamples=resamples),
        confusion=confusion_matrix(task, tables),
        confused=most_confused(task, tables),
        reliability=reliability(task, tables),
        curves=curves,
    )


def ravdess_groups(paths: Sequence[str] | pd.Series) -> dict[str, dict[str, str | int]]:
    """Return sex, intensity, statement and repetition of RAVDESS's clips from their names; nothing for other clips.

    >>> ravdess_groups(["clips/01-01-03-02-01-02-07.mp4", "clips/other.mp4"])
    {'clips/01-01-03-02-01-02-07.mp4': {'sex': 'male', 'intensity': 'strong', 'statement': 1, 'repetition': 2}}
    """
    groups: dict[str, dict[str, str | int]] = {}
    for path in paths:
        try:
            name = RavdessName.parse(PureWindowsPath(path).stem)  # which splits at / and \
        except ValueError:
            continue
        groups[path] = {
            "sex": name.sex,
            "intensity": name.intensity,
            "statement": name.statement,
            "repetition": name.repetition,
        }
    return groups
