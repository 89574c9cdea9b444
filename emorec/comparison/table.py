"""The table's content, the same wherever it is shown: a row a model, then what to measure them by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from emorec.comparison.comparison import Comparison, MeanAndDeviation, Result
from emorec.comparison.published import Published
from emorec.comparison.score import Score
from emorec.comparison.wording import (
    UNKNOWN,
    amount,
    count,
    duration,
    memory,
)

Kind: TypeAlias = Literal["model", "majority", "people", "published"]

CALIBRATED = {"ece_calibrated": "ECE, calibrated"}
"""Of models that were tested with `--calibrate`."""

COST = {
    "num_parameters": "parameters",
    "gflops_per_clip": "GFLOPs a clip",
    "train_seconds": "training",
    "epochs": "epochs",
    "train_clips_per_second": "clips/s",
    "peak_memory_bytes": "memory",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table.

    Attributes:
        name: What was measured.
        kind: What kind of thing that is.
        cells: Column -> text; a column that is not there is not known.
        leaks: Who stands on two sides, if anybody does.
        note: On what it was measured and where that stands, for figures from elsewhere.
    """

    name: str
    kind: Kind
    cells: dict[str, str] = field(default_factory=dict)
    leaks: tuple[str, ...] = ()
    note: str = ""

    def cell(self, column: str) -> str:
        """The text of a column."""
        return self.cells.get(column, UNKNOWN)


def rows_of(comparison: Comparison) -> list[Row]:
    """Models, the best first, then people, published figures and a guess, best accuracy first."""
    score = comparison.score
    majority = Row(
        name=score.guess,
        kind="majority",
        cells={name: score.shown(value) for name, value in comparison.majority.items()},
    )
    elsewhere = [(_from_elsewhere(each, score), each.figures) for each in comparison.published]
    others = [*elsewhere, (majority, comparison.majority)]
    others.sort(key=lambda row: -row[1].get("accuracy", row[1].get("uar", 0)))
    return [_of_model(result, score) for result in comparison.results] + [row for row, _ in others]


def columns_of(rows: Sequence[Row], score: Score) -> dict[str, str]:
    """The columns in which something is known, with their headings."""
    columns = {**score.merit, **CALIBRATED, **spread_of(score), **COST}
    return {
        name: title for name, title in columns.items() if any(name in row.cells for row in rows)
    }


def spread_of(score: Score) -> dict[str, str]:
    """The columns of what scatters between runs, with their headings."""
    return {"folds": f"{score.title} over folds", "seeds": f"{score.title} over seeds"}


def notes_of(rows: Sequence[Row]) -> list[str]:
    """Where figures from elsewhere stand and what they were measured on, each note once."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            names.setdefault(row.note, []).append(row.name)
    return [f"{', '.join(rows)}: {note}" for note, rows in names.items()]


def _of_model(result: Result, score: Score) -> Row:
    cost = result.cost
    cells = {name: score.estimate(figure) for name, figure in result.by_actor.items()}
    if result.folds:
        cells["folds"] = _spread(result.folds[score.figure], score)
    if result.seeds:
        cells["seeds"] = _spread(result.seeds[score.figure], score)
    known = {
        "num_parameters": count(cost.num_parameters),
        "gflops_per_clip": amount(cost.gflops_per_clip),
        "train_seconds": duration(cost.train_seconds),
        "epochs": amount(cost.epochs),
        "train_clips_per_second": amount(cost.train_clips_per_second),
        "peak_memory_bytes": memory(cost.peak_memory_bytes),
    }
    cells |= {name: text for name, text in known.items() if text != UNKNOWN}
    return Row(name=result.name, kind="model", cells=cells, leaks=result.leaks)


def _spread(value: MeanAndDeviation, score: Score) -> str:
    return f"{score.shown(value.mean)}, s.d. {score.shown(value.deviation)}"


def _from_elsewhere(published: Published, score: Score) -> Row:
    return Row(
        name=published.name,
        kind=published.kind,
        cells={name: score.shown(value) for name, value in published.figures.items()},
        note="; ".join(filter(None, (published.source, published.note))),
    )
