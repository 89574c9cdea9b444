"""The table's content, the same wherever it is shown: a row a model, then what to measure them by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from emorec.comparison.comparison import Comparison, Result
from emorec.comparison.published import Published
from emorec.comparison.wording import (
    UNKNOWN,
    amount,
    count,
    duration,
    estimate,
    memory,
    points,
    spread,
)

Kind: TypeAlias = Literal["model", "majority", "people", "published"]

MERIT = {"uar": "UAR", "accuracy": "accuracy (WAR)", "macro_f1": "macro-F1", "ece": "ECE"}
"""Figures of merit in the order of the columns; UAR, which is sorted by, comes first."""

CALIBRATED = {"ece_calibrated": "ECE, calibrated"}
"""Of models that were tested with `--calibrate`."""

SPREAD = {"folds": "UAR over folds", "seeds": "UAR over seeds"}

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
    """Models, best UAR first, then people, published figures and the majority class, best accuracy first."""
    majority = Row(
        name="majority class of these clips",
        kind="majority",
        cells={name: points(value) for name, value in comparison.majority.items()},
    )
    elsewhere = [(_from_elsewhere(each), each.figures) for each in comparison.published]
    others = [*elsewhere, (majority, comparison.majority)]
    others.sort(key=lambda row: -row[1].get("accuracy", row[1].get("uar", 0)))
    return [_of_model(result) for result in comparison.results] + [row for row, _ in others]


def columns_of(rows: Sequence[Row]) -> dict[str, str]:
    """The columns in which something is known, with their headings."""
    columns = MERIT | CALIBRATED | SPREAD | COST
    return {
        name: title for name, title in columns.items() if any(name in row.cells for row in rows)
    }


def notes_of(rows: Sequence[Row]) -> list[str]:
    """Where figures from elsewhere stand and what they were measured on, each note once."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            names.setdefault(row.note, []).append(row.name)
    return [f"{', '.join(rows)}: {note}" for note, rows in names.items()]


def _of_model(result: Result) -> Row:
    cost = result.cost
    cells = {name: estimate(figure) for name, figure in result.by_actor.items()}
    if result.folds:
        cells["folds"] = spread(result.folds["uar"])
    if result.seeds:
        cells["seeds"] = spread(result.seeds["uar"])
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


def _from_elsewhere(published: Published) -> Row:
    return Row(
        name=published.name,
        kind=published.kind,
        cells={name: points(value) for name, value in published.figures.items()},
        note="; ".join(filter(None, (published.source, published.note))),
    )
