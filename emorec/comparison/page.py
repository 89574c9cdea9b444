"""The report as one HTML file, which holds its pictures and needs no network."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any, TypeVar

from jinja2 import Environment, FunctionLoader, StrictUndefined

from emorec.comparison.breakdown import Breakdown
from emorec.comparison.comparison import ComparedPair, Comparison
from emorec.comparison.number_breakdown import NumberBreakdown
from emorec.comparison.picture import Picture
from emorec.comparison.repeat import again, commands_of, settings_of, versions
from emorec.comparison.score import CLASSES
from emorec.comparison.table import CALIBRATED, COST, columns_of, notes_of, rows_of, spread_of
from emorec.comparison.wording import decimals, p_value, points, span
from emorec.comparison.words import actors_in_words, cost_note, method, verdict
from emorec.evaluation.breakdown import ACTOR
from emorec.evaluation.groups import GroupAccuracy

MODELS_BESIDE = 5
"""Models whose columns stand beside each other; those of further ones stand in a table below."""

Part = TypeVar("Part")


def page(
    comparison: Comparison,
    breakdowns: Sequence[Breakdown] | Sequence[NumberBreakdown],
    drawn: Sequence[tuple[Picture, bytes]],
    *,
    command: str,
    made: datetime,
) -> str:
    """The HTML of a report.

    Args:
        comparison: M models.
        breakdowns: Of the same M models.
        drawn: The pictures, each as SVG.
        command: The command line that made it.
        made: When.
    """
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "actors": actors_in_words,
        "decimals": decimals,
        "embedded": embedded,
        "p_value": p_value,
        "points": points,
        "span": span,
    }
    rows, score = rows_of(comparison), comparison.score
    columns = columns_of(rows, score)
    merit = {**score.merit, **CALIBRATED, **spread_of(score)}
    of_classes = [each for each in breakdowns if isinstance(each, Breakdown)]
    return environment.get_template("page.html").render(
        comparison=comparison,
        breakdowns=breakdowns,
        drawn=drawn,
        command=command,
        made=made,
        verdict=verdict(comparison),
        method=method(comparison),
        cost_note=cost_note(),
        notes=notes_of(rows),
        rows=rows,
        by_clip={result.name: result.by_clip for result in comparison.results},
        merit={name: columns[name] for name in columns if name in merit},
        merit_of_classes=score is CLASSES,
        cost={name: columns[name] for name in columns if name in COST},
        matrix=matrix(comparison),
        leaking=[result.name for result in comparison.results if result.leaks],
        side_by_side=chunks(range(len(comparison.results)), MODELS_BESIDE),
        by_kind={grouping: groups(of_classes, grouping) for grouping in kinds(of_classes)},
        by_person=groups(of_classes, ACTOR),
        again=again,
        commands_of=commands_of,
        settings_of=settings_of,
        versions=versions(),
    )


def _template(name: str) -> str:
    return files("emorec.comparison").joinpath(name).read_text(encoding="utf-8")


def embedded(svg: bytes) -> str:
    """A picture as the address of itself."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def matrix(comparison: Comparison) -> list[list[tuple[ComparedPair, float] | None]]:
    """(M, M): the pair, and the score of the row's model minus that of the column's; `None` on the diagonal."""
    names = [result.name for result in comparison.results]
    pairs = {(pair.better, pair.other): pair for pair in comparison.pairs}

    def cell(row: str, column: str) -> tuple[ComparedPair, float] | None:
        if (row, column) in pairs:
            return pairs[row, column], pairs[row, column].pair.difference
        if (column, row) in pairs:
            return pairs[column, row], -pairs[column, row].pair.difference
        return None

    return [[cell(row, column) for column in names] for row in names]


def kinds(breakdowns: Sequence[Breakdown]) -> list[str]:
    """What the clips can be grouped by, beside their actors."""
    return [grouping for each in breakdowns[:1] for grouping in each.groups if grouping != ACTOR]


def groups(breakdowns: Sequence[Breakdown], grouping: str) -> Mapping[str, Sequence[GroupAccuracy]]:
    """Group -> how each of M models does with its clips."""
    found: dict[str, list[GroupAccuracy]] = {}
    for breakdown in breakdowns:
        for each in breakdown.groups[grouping]:
            found.setdefault(each.group, []).append(each)
    return found


def chunks(values: Sequence[Part], most: int) -> list[list[Any]]:
    """Values in rows of nearly equal length.

    >>> chunks(range(6), 5), chunks([1], 5)
    ([[0, 1, 2], [3, 4, 5]], [[1]])
    """
    number = -(-len(values) // most)
    size = -(-len(values) // number)
    return [list(values[start : start + size]) for start in range(0, len(values), size)]
