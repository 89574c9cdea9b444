"""Where models fail: by class or number, by actor or video, by kind of clip, by confidence."""

from collections.abc import Iterator, Mapping, Sequence
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
from emorec.text import decimal, percent


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


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A model's cell: a value, smaller lines below it, and whether it is the model's worst."""

    value: str
    below: tuple[str, ...] = ()
    worst: bool = False


@dataclass(frozen=True, kw_only=True)
class BreakdownTable:
    """A table with a column for each model.

    Attributes:
        title: Above the table.
        headings: Of the columns before the models'.
        sections: Rows that belong together: (texts of the first columns, cells of the models).
    """

    title: str
    headings: tuple[str, ...]
    sections: Sequence[Sequence[tuple[tuple[str, ...], Sequence[Cell]]]]


def breakdown_tables(task: Task, breakdowns: Sequence[Breakdown]) -> list[BreakdownTable]:
    """Return the tables that compare where models fail."""
    tables = _number_tables if task.kind == "numbers" else _class_tables
    return list(tables(breakdowns))


def _class_tables(breakdowns: Sequence[Breakdown]) -> Iterator[BreakdownTable]:
    first = breakdowns[0]
    yield BreakdownTable(
        title="Recall of each class, per cent; also called the accuracy of the class",
        headings=("class", "clips"),
        sections=[
            [
                (
                    (str(name), f"{first.per_name.support[name]:.0f}"),
                    [Cell(value=percent(each.per_name.recall[name])) for each in breakdowns],
                )
                for name in first.per_name.index
            ]
        ],
    )
    kinds = [grouping for grouping in first.groups if grouping != "actor"]
    if kinds:
        yield BreakdownTable(
            title="Accuracy by kind of clip, per cent, with intervals over actors",
            headings=("clips", "number"),
            sections=[
                [
                    (
                        (f"{grouping}{'' if str(group).isdecimal() else ':'} {group}", str(clips)),
                        [_accuracy_cell(each.groups[grouping].loc[group]) for each in breakdowns],
                    )
                    for group, clips in first.groups[grouping].clips.items()
                ]
                for grouping in kinds
            ],
        )
    yield BreakdownTable(
        title="Accuracy by actor, per cent; the worst of each model in bold",
        headings=("actor", "clips"),
        sections=[
            [
                (
                    (str(actor), str(clips)),
                    [
                        Cell(
                            value=percent(each.groups["actor"].accuracy[actor]),
                            worst=each.worst == str(actor),
                        )
                        for each in breakdowns
                    ],
                )
                for actor, clips in first.groups["actor"].clips.items()
            ]
        ],
    )


def _accuracy_cell(group: pd.Series) -> Cell:
    span = f"{percent(group.low)} to {percent(group.high)}"
    return Cell(value=percent(group.accuracy), below=() if np.isnan(group.low) else (span,))


def _number_tables(breakdowns: Sequence[Breakdown]) -> Iterator[BreakdownTable]:
    first = breakdowns[0]
    yield BreakdownTable(
        title="Each number over all clips: CCC, and below it PCC, RMSE and sign agreement",
        headings=("number",),
        sections=[
            [
                (
                    (str(name),),
                    [
                        Cell(
                            value=decimal(scores.ccc),
                            below=(
                                decimal(scores.pcc),
                                decimal(scores.rmse),
                                f"{percent(scores.sign_agreement)} %",
                            ),
                        )
                        for scores in (each.per_name.loc[name] for each in breakdowns)
                    ],
                )
                for name in first.per_name.index
            ]
        ],
    )
    yield BreakdownTable(
        title="CCC within each video; the worst of each model in bold. Labels vary less within a video than over all, "
        "so these are lower",
        headings=("video", "clips"),
        sections=[
            [
                (
                    (str(video), str(clips)),
                    [
                        Cell(
                            value=decimal(each.groups["video"].ccc[video]),
                            worst=each.worst == str(video),
                        )
                        for each in breakdowns
                    ],
                )
                for video, clips in first.groups["video"].clips.items()
            ]
        ],
    )
