"""The table in the terminal."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from emorec.comparison.comparison import Comparison
from emorec.comparison.score import Score
from emorec.comparison.table import CALIBRATED, Row, columns_of, rows_of
from emorec.comparison.words import verdict

MOST_SENTENCES = 10
"""More pairs than that are read in the report."""


def show(comparison: Comparison, console: Console) -> None:
    """Prints what the test tells, the table, and a sentence a pair."""

    def say(line: str, style: str = "") -> None:
        console.print(Text(f"{line}.", style=style), soft_wrap=not console.is_terminal)

    for line in verdict(comparison):
        style = "bold red" if line.startswith("LEAK") else ""
        say(line, style)
    console.print()
    table, narrow = table_for(comparison, console)
    console.print(table)
    console.print()
    pairs = comparison.pairs
    if len(pairs) > MOST_SENTENCES:
        best = comparison.results[0].name
        pairs = tuple(pair for pair in pairs if pair.better == best)[:MOST_SENTENCES]
    leaking = {result.name for result in comparison.results if result.leaks}
    for pair in pairs:
        style = "red" if leaking & {pair.better, pair.other} else ""
        say(pair.sentence, style)
    if narrow:
        say("The columns that are missing here are in the report, and in a wider terminal")
    if len(pairs) < len(comparison.pairs):
        say(f"The other {len(comparison.pairs) - len(pairs)} pairs are in the report")


def table_for(comparison: Comparison, console: Console) -> tuple[Table, bool]:
    """The table with as much as there is room for, and whether columns had to be left out."""
    rows = rows_of(comparison)
    score = comparison.score
    columns = columns_of(rows, score)
    merit = tuple(score.merit)
    choices = (tuple(columns), merit, merit[:2], merit[:1])
    tables = [_table(rows, {name: columns[name] for name in shown}, score) for shown in choices]
    anything = console.options.update(width=10_000)
    fitting = (
        table
        for table in tables
        if Measurement.get(console, anything, table).minimum <= console.width
    )
    chosen = next(fitting, tables[-1])
    return chosen, chosen is not tables[0]


def _table(rows: Sequence[Row], columns: Mapping[str, str], score: Score) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(
        ", ".join(filter(None, (score.unit, "95 % intervals"))), overflow="fold", min_width=14
    )
    for name, title in columns.items():
        heading = title.removesuffix(" (WAR)")
        cells = [_below(row.cell(name)) for row in rows]
        # an interval is never broken, other cells are where they have a space
        pieces = [
            piece
            for cell in cells
            for piece in (cell.split("\n" if name in {**score.merit, **CALIBRATED} else None))
        ]
        longest = max(map(len, [*heading.split(), *pieces]))
        table.add_column(heading, justify="right", min_width=longest)
    before = "model"
    for row in rows:
        if before == "model" and row.kind != "model":
            table.add_section()
        before = row.kind
        table.add_row(_name(row), *(escape(_below(row.cell(name))) for name in columns))
    return table


def _name(row: Row) -> Text:
    """The name, and below it what is wrong with it."""
    name = Text(row.name, style="bold red" if row.leaks else "bold" if row.kind == "model" else "")
    if row.leaks:
        name.append("\nLEAK, see above", style="bold red")
    return name


def _below(cell: str) -> str:
    r"""The interval or deviation below its figure.

    >>> _below("62.1 (53.0 to 70.5)")
    '62.1\n53.0 to 70.5'
    """
    return cell.replace(" (", "\n").replace(")", "").replace(", s.d.", "\ns.d.")
