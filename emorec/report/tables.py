"""What a comparison shows, computed once, and its table for the terminal, Markdown, LaTeX and CSV."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import pandas as pd
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from emorec.console import print_line
from emorec.evaluation.task import Task
from emorec.report.comparison import COST, Comparison, ModelResult
from emorec.report.references import Kind, Reference
from emorec.report.sentences import (
    COST_NOTE,
    describe_method,
    describe_pair,
    summarize_comparison,
)
from emorec.report.templating import render
from emorec.text import UNKNOWN, byte_count, duration, parameter_count, significant

CALIBRATED = {"ece_calibrated": "ECE, calibrated"}
"""Of models that were tested with `--calibrate`."""

COST_FORMATS: dict[str, Callable[[float], str]] = {
    "num_parameters": parameter_count,
    "gflops_per_clip": significant,
    "train_seconds": duration,
    "epochs": significant,
    "train_clips_per_second": significant,
    "peak_memory_bytes": byte_count,
}

MAX_PAIRS_IN_TERMINAL = 10
"""With more pairs, only those of the best model are printed."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table.

    Attributes:
        name: Of the model, or of the reference.
        kind: Of a reference, else "model".
        cells: Column -> text; columns without a value are missing.
        leaks: A line for each two subsets with common actors.
        note: Source and conditions of a reference.
    """

    name: str
    kind: Kind | Literal["model"]
    cells: Mapping[str, str] = field(default_factory=dict)
    leaks: tuple[str, ...] = ()
    note: str = ""

    def cell(self, column: str) -> str:
        """The text of a column, a dash where it is unknown."""
        return self.cells.get(column, UNKNOWN)


@dataclass(frozen=True, eq=False, kw_only=True)
class Content:
    """What every renderer shows of a comparison.

    Attributes:
        comparison: The comparison.
        summary: Findings, the most important first.
        rows: Models, the best first, then references and trivial predictions, the highest accuracy first.
        scores: Column -> heading of the scores that any row has.
        spreads: Column -> heading of spreads over folds and seeds.
        costs: Column -> heading of costs.
        pairs: A sentence for each pair.
        method: How scores and intervals were computed.
        sources: Sources and conditions of the references, each once.
    """

    comparison: Comparison
    summary: Sequence[str]
    rows: Sequence[Row]
    scores: Mapping[str, str]
    spreads: Mapping[str, str]
    costs: Mapping[str, str]
    pairs: Sequence[str]
    method: str
    sources: Sequence[str]

    @property
    def columns(self) -> dict[str, str]:
        """Column -> heading of all columns."""
        return {**self.scores, **self.spreads, **self.costs}


def describe(comparison: Comparison) -> Content:
    """Return what to show of a comparison."""
    task = comparison.task
    rows = _rows(comparison)
    spreads = {over: f"{task.score_title} over {over}" for over in ("folds", "seeds")}

    def used(columns: Mapping[str, str]) -> dict[str, str]:
        present = {name for row in rows for name in row.cells}
        return {name: heading for name, heading in columns.items() if name in present}

    names_of_note: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            names_of_note.setdefault(row.note, []).append(row.name)
    return Content(
        comparison=comparison,
        summary=summarize_comparison(comparison),
        rows=rows,
        scores=used({**task.headings, **CALIBRATED}),
        spreads=used(spreads),
        costs=used(COST),
        pairs=[
            describe_pair(task, each.better, each.other, each.pair, each.actor_p_holm)
            for each in comparison.pairs
        ],
        method=describe_method(comparison),
        sources=[f"{', '.join(names)}: {note}" for note, names in names_of_note.items()],
    )


def _rows(comparison: Comparison) -> list[Row]:
    task = comparison.task
    others = [*comparison.references, trivial_reference(comparison)]
    others.sort(key=lambda each: -each.scores.get("accuracy", each.scores.get("uar", 0)))
    return [
        *(_model_row(result, task) for result in comparison.results),
        *(
            Row(
                name=each.name,
                kind=each.kind,
                cells={name: task.format(value) for name, value in each.scores.items()},
                note="; ".join(filter(None, (each.source, each.note))),
            )
            for each in others
        ),
    ]


def trivial_reference(comparison: Comparison) -> Reference:
    """Return the scores of trivial predictions as a reference."""
    task = comparison.task
    scores = {
        name: comparison.trivial[name] for name in task.headings if name in comparison.trivial
    }
    return Reference(kind="majority", name=task.trivial_baseline, scores=scores, source="", note="")


def _model_row(result: ModelResult, task: Task) -> Row:
    cells = {
        name: task.format_estimate(estimate)
        for name, estimate in result.scores.items()
        if name in task.headings or name in CALIBRATED
    }
    for over, spreads in (("folds", result.folds), ("seeds", result.seeds)):
        if spreads:
            spread = spreads[task.score]
            cells[over] = f"{task.format(spread.mean)}, s.d. {task.format(spread.sd)}"
    cells |= {
        name: COST_FORMATS[name](value) for name, value in result.cost.items() if value is not None
    }
    return Row(name=result.name, kind="model", cells=cells, leaks=result.leaks)


def markdown(content: Content) -> str:
    """Render findings, table, pairs and notes in Markdown, for a README or a pull request."""
    notes = (content.method, COST_NOTE, *content.sources)
    return render("table.md", content=content, notes=notes)


def latex(content: Content) -> str:
    """Render a `table*` environment with booktabs rules, scaled down to the page's width where it is too wide."""
    costs = [name for name in ("num_parameters", "gflops_per_clip") if name in content.costs]
    return render(
        "table.tex",
        content=content,
        columns=[*content.scores, *content.spreads, *costs],
        notes=[content.method, *content.sources],
    )


def spreadsheet(comparison: Comparison) -> str:
    """Render CSV with all digits: models, trivial predictions, references; shares are 0 to 1, unknown cells empty."""
    trivial = trivial_reference(comparison)
    if comparison.task.kind == "classes":
        trivial = replace(trivial, name="majority class")
    records = [
        *(_model_record(comparison, result) for result in comparison.results),
        *(
            {"name": each.name, "kind": each.kind, **each.scores}
            | ({"source": each.source, "note": each.note} if each.source else {})
            for each in (trivial, *comparison.references)
        ),
    ]
    text: str = pd.DataFrame(records, dtype=object).to_csv(index=False, lineterminator="\n")
    return text


def _model_record(comparison: Comparison, result: ModelResult) -> dict[str, object]:
    scores: dict[str, object] = {}
    for name, estimate in result.scores.items():
        scores[name] = estimate.value
        for by, estimates in (("actors", result.scores), ("clips", result.clip_scores)):
            if name in estimates:
                interval = estimates[name].interval
                scores[f"{name}_{by}_low"] = interval.low if interval else None
                scores[f"{name}_{by}_high"] = interval.high if interval else None
    for name in comparison.task.headings:
        for over, spreads in (("folds", result.folds), ("seeds", result.seeds)):
            scores[f"{name}_mean_of_{over}"] = spreads[name].mean if spreads else None
            scores[f"{name}_sd_of_{over}"] = spreads[name].sd if spreads else None
    return {
        "name": result.name,
        "kind": "model",
        "leak": "; ".join(result.leaks),
        "num_clips": len(comparison.clips),
        "num_actors": len(comparison.actors),
        "num_folds": len(result.model.folds) or 1,
        "num_seeds": len(result.model.seeds),
        **scores,
        **result.cost,
    }


def print_comparison(content: Content, console: Console) -> None:
    """Print findings, the table, and the pairs; a leak is red."""
    for line in content.summary:
        print_line(Text(f"{line}.", "bold red" if line.startswith("LEAK") else ""), console)
    console.print()
    rendered, complete = _fit_table(content, console)
    console.print(rendered)
    console.print()
    comparison = content.comparison
    leaking = {result.name for result in comparison.results if result.leaks}
    listed = list(zip(comparison.pairs, content.pairs, strict=True))
    if len(listed) > MAX_PAIRS_IN_TERMINAL:
        best = comparison.results[0].name
        listed = [each for each in listed if each[0].better == best][:MAX_PAIRS_IN_TERMINAL]
    for pair, sentence in listed:
        print_line(
            Text(f"{sentence}.", "red" if leaking & {pair.better, pair.other} else ""), console
        )
    if not complete:
        print_line("More columns are in the report, and in a wider terminal.", console)
    if len(listed) < len(content.pairs):
        print_line(
            f"The other {len(content.pairs) - len(listed)} pairs are in the report.", console
        )


def _fit_table(content: Content, console: Console) -> tuple[Table, bool]:
    """The table with as many columns as fit, and whether these are all."""
    scores = tuple(name for name in content.scores if name not in CALIBRATED)
    choices = (tuple(content.columns), scores, scores[:2], scores[:1])
    tables = [_rich_table(content, columns) for columns in choices]
    unlimited = console.options.update(width=10_000)
    fitting = (
        each
        for each in tables
        if Measurement.get(console, unlimited, each).minimum <= console.width
    )
    chosen = next(fitting, tables[-1])
    return chosen, chosen is tables[0]


def _rich_table(content: Content, columns: Sequence[str]) -> Table:
    rendered = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    unit = "per cent, " if content.comparison.task.percent else ""
    rendered.add_column(f"{unit}95 % intervals", overflow="fold", min_width=14)
    for name in columns:
        heading = content.columns[name].removesuffix(" (WAR)")
        # an interval is never broken, other cells are at spaces
        separator = "\n" if name in content.scores else None
        pieces = [
            part for row in content.rows for part in _two_lines(row.cell(name)).split(separator)
        ]
        longest = max(map(len, [*heading.split(), *pieces]))
        rendered.add_column(heading, justify="right", min_width=longest)
    for number, row in enumerate(content.rows):
        if number == len(content.comparison.results):
            rendered.add_section()
        style = "bold red" if row.leaks else "bold" if row.kind == "model" else ""
        title = Text(row.name, style=style)
        if row.leaks:
            title.append("\nLEAK, see above", style="bold red")
        rendered.add_row(title, *(Text(_two_lines(row.cell(column))) for column in columns))
    return rendered


def _two_lines(cell: str) -> str:
    r"""Put the interval or standard deviation below the value.

    >>> _two_lines("62.1 (53.0 to 70.5)")
    '62.1\n53.0 to 70.5'
    """
    return cell.replace(" (", "\n").replace(")", "").replace(", s.d.", "\ns.d.")
