"""How a study is shown: one table that lives in a terminal, a line for each event elsewhere."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

State = Literal["running", "failed", "done", "given up", "waiting"]

ORDER: tuple[State, ...] = ("running", "failed", "done", "given up", "waiting")
"""What is shown first where there is not room for all."""

STYLES: Mapping[State, str] = {
    "running": "cyan",
    "failed": "red",
    "done": "green",
    "given up": "yellow",
    "waiting": "dim",
}

BESIDE_ROWS = 8
"""Lines of a terminal that the table's frame, its caption and the prompt take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What there is to say of a run.

    Attributes:
        title: The run.
        state: How it is with it.
        epoch: How far it is, such as "3/20".
        score: Its best validation figure so far.
        figure: Which figure that is.
        note: Why it failed, or where it runs.
        seconds: How long it took.
    """

    title: str
    state: State
    epoch: str = ""
    score: float | None = None
    figure: str = "UAR"
    note: str = ""
    seconds: float | None = None


class Board:
    """Shows the runs of a study while they go on.

    Args:
        name: The study's.
        console: Where it is shown; without a terminal there are lines.
    """

    def __init__(self, name: str, console: Console) -> None:
        self._name = name
        self._console = console
        self._rows: Mapping[str, Row] = {}
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, rows: Mapping[str, Row]) -> None:
        """Shows how the runs are now."""
        before, self._rows = self._rows, rows
        if self._live:
            room = max(3, self._console.height - BESIDE_ROWS)
            self._live.update(runs_table(self._name, list(rows.values()), room), refresh=True)
            return
        said = summary(list(rows.values()))
        if not before:
            self.say(f"study {self._name}: {said}")
        for key, row in rows.items():
            if row.state == "running" and (not before or before[key].state != "running"):
                self.say(event(row))
            elif before and row.state not in (before[key].state, "waiting"):
                self.say(f"{event(row)} ({said})")

    def say(self, line: str) -> None:
        """A line above the table."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def event(row: Row) -> str:
    """A change in words.

    >>> event(Row(title="CNN-LSTM, seed 0", state="done", score=0.5123))
    'done: CNN-LSTM, seed 0, validation UAR 0.512'
    """
    known = row.score is not None and row.state != "running"
    score = f", validation {row.figure} {row.score:.3f}" if known else ""
    return f"{row.state}: {row.title}{score}" + (f": {row.note}" if row.note else "")


def summary(rows: Sequence[Row]) -> str:
    """How many runs are where, and how long the rest will take.

    >>> summary([Row(title="a", state="done", seconds=90), Row(title="b", state="waiting")])
    '1 of 2 done, 1 waiting, about 2 min left'
    """
    counts = Counter(row.state for row in rows)
    said = [f"{counts['done']} of {len(rows)} done"]
    said += [f"{counts[state]} {state}" for state in ORDER if state != "done" and counts[state]]
    took = [row.seconds for row in rows if row.seconds is not None]
    if took and (left := counts["running"] + counts["waiting"]):
        seconds = left * sum(took) / len(took) / max(1, counts["running"])
        said.append(f"about {duration(seconds)} left")
    return ", ".join(said)


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> duration(42), duration(90), duration(7000), duration(300_000)
    ('42 s', '2 min', '1.9 h', '3.5 d')
    """
    for unit, length, digits in (("d", 86_400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= length * (1.5 if unit != "h" else 1):
            return f"{seconds / length:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def runs_table(name: str, rows: Sequence[Row], room: int) -> Table:
    """The runs, those that matter most when there is not room for all of them.

    Args:
        name: The study's.
        rows: All its runs, in the order of their turn.
        room: How many rows there may be.
    """
    # no markup: a line that is said above the table is printed without, and the table with it
    title = Text(f"study {name}", style="table.title")
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column("run", overflow="fold")
    table.add_column("state")
    table.add_column("epoch", justify="right")
    figures = dict.fromkeys(row.figure for row in rows if row.score is not None) or ("UAR",)
    table.add_column(f"val {'/'.join(figures)}", justify="right")
    table.add_column("", overflow="ellipsis", no_wrap=True)
    ranked = sorted(range(len(rows)), key=lambda at: (ORDER.index(rows[at].state), at))
    for at in sorted(ranked[:room]):
        row = rows[at]
        table.add_row(
            Text(row.title),
            Text(row.state, style=STYLES[row.state]),
            row.epoch,
            "" if row.score is None else f"{row.score:.3f}",
            Text(row.note),
        )
    more = f"; {len(rows) - room} more" if len(rows) > room else ""
    table.caption = summary(rows) + more
    return table
