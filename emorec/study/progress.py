"""The progress of a study: scores of its runs, and a table of them in a terminal, a line for each event elsewhere."""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from optuna.trial import FrozenTrial, TrialState
from rich.live import Live
from rich.table import Table
from rich.text import Text

from emorec.console import make_console
from emorec.io import VALIDATION_LOG
from emorec.study.locks import machine_id
from emorec.study.plan import PlannedRun
from emorec.study.queue import METRIC, Queue, current_trial, last_error
from emorec.text import duration

State = Literal["running", "failed", "done", "pruned", "waiting"]

ORDER: tuple[State, ...] = ("running", "failed", "done", "pruned", "waiting")
"""What is shown first where there is no room for all."""

STYLES: Mapping[State, str] = {
    "running": "cyan",
    "failed": "red",
    "done": "green",
    "pruned": "yellow",
    "waiting": "dim",
}

LINES_AROUND_ROWS = 8
"""Lines of a terminal that the table's frame, its caption and the prompt take."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A finished epoch.

    Attributes:
        number: From 1.
        max_epochs: `None` in a run without an end.
        metric: Such as "UAR", or "CCC" where numbers are predicted.
        score: On the validation clips.
        best: The best score so far.
    """

    number: int
    max_epochs: int | None
    metric: str
    score: float
    best: float


def read_epochs(folder: Path) -> list[Epoch]:
    """Return the finished epochs of a run in their order; one that was repeated after a kill counts as it was last.

    Args:
        folder: The run's folder.
    """
    try:
        lines = (folder / VALIDATION_LOG).read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    epochs = {}
    for line in lines:
        if line.endswith("\n"):  # the last one may be written at this moment
            entry = json.loads(line)
            metric = entry["metric"].rpartition("/")[2].upper()
            epochs[entry["epoch"]] = Epoch(
                entry["epoch"], entry["max_epochs"], metric, entry["value"], entry["best"]
            )
    return [epochs[number] for number in sorted(epochs)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A run in the table.

    Attributes:
        title: The run.
        state: Its state.
        epoch: How far it is, such as "3/20".
        score: Its best validation score so far.
        metric: Of the score.
        note: Why it failed, or where it runs.
        seconds: How long it took.
    """

    title: str
    state: State
    epoch: str = ""
    score: float | None = None
    metric: str = "UAR"
    note: str = ""
    seconds: float | None = None


def rows_of(
    runs: Mapping[str, PlannedRun], queue: Queue, beats: Mapping[str, Mapping[str, Any]] = {}
) -> dict[str, Row]:
    """Return all runs of a study as they are now.

    Args:
        runs: The planned runs by their keys.
        queue: Where their trials are.
        beats: Heartbeats of the runs of this process, which are newer than those in the storage.
    """
    return {
        key: row_of(runs[key], trials, beats.get(key)) for key, trials in queue.trials().items()
    }


def row_of(
    run: PlannedRun, trials: Sequence[FrozenTrial] = (), beat: Mapping[str, Any] | None = None
) -> Row:
    """Return a run as it is now.

    Args:
        run: The planned run.
        trials: Its trials, the first one first.
        beat: Its heartbeat when it runs in this process.
    """
    trial = current_trial(trials)
    if trial is None and (error := last_error(trials)) is not None:
        return Row(title=run.title, state="failed", note=error)
    if trial is None:
        return Row(title=run.title, state="waiting")
    title = (run.with_parameters(trial.params) if trial.params else run).title
    if trial.state is TrialState.WAITING:
        return Row(title=title, state="waiting")
    if trial.state is TrialState.RUNNING:
        machine, note = trial.user_attrs.get("machine", ""), ""
        if beat is None:
            beat = trial.user_attrs.get("beat", {})
            here = machine == machine_id()
            note = "in another process" if here else f"on {machine.partition(' ')[0]}"
        return Row(
            title=title,
            state="running",
            epoch=beat.get("epoch", ""),
            score=beat.get("score"),
            metric=beat.get(METRIC, "UAR"),
            note=note if machine else "",
        )
    return Row(
        title=title,
        state="pruned" if trial.state is TrialState.PRUNED else "done",
        score=trial.value,
        metric=trial.user_attrs.get(METRIC, "UAR"),
        seconds=trial.duration.total_seconds() if trial.duration else None,
    )


def heartbeat(epochs: Sequence[Epoch]) -> Mapping[str, Any]:
    """Return how far a run is and how good, as workers tell each other through the storage.

    >>> heartbeat([Epoch(1, 20, "UAR", 0.25, 0.25)])
    {'epoch': '1/20', 'score': 0.25, 'figure': 'UAR'}
    """
    if not epochs:
        return {}
    last = epochs[-1]
    end = "" if last.max_epochs is None else f"/{last.max_epochs}"
    return {"epoch": f"{last.number}{end}", "score": last.best, METRIC: last.metric}


class ProgressTable:
    """Shows the runs of a study: as a table in a terminal, by standard error, else as a line for each change.

    Args:
        name: The study's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._console = make_console(stderr=True)
        self._rows: Mapping[str, Row] = {}
        self._live = None
        if self._console.is_interactive:
            self._live = Live(
                console=self._console, auto_refresh=False, redirect_stdout=sys.stdout.isatty()
            )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, rows: Mapping[str, Row]) -> None:
        """Show how the runs are now."""
        before, self._rows = self._rows, rows
        if self._live:
            room = max(3, self._console.height - LINES_AROUND_ROWS)
            self._live.update(runs_table(self._name, list(rows.values()), room), refresh=True)
            if sys.stdout.isatty():
                return
        counts = summary(list(rows.values()))
        if not before:
            self.print(f"study {self._name}: {counts}")
        for key, row in rows.items():
            if row.state == "running" and (not before or before[key].state != "running"):
                self.print(event(row))
            elif before and row.state not in (before[key].state, "waiting"):
                self.print(f"{event(row)} ({counts})")

    def print(self, line: str) -> None:
        """Print a line above the table."""
        print(line, flush=True)


def event(row: Row) -> str:
    """Describe a run whose state has changed.

    >>> event(Row(title="CNN-LSTM, seed 0", state="done", score=0.5123))
    'done: CNN-LSTM, seed 0, validation UAR 0.512'
    """
    known = row.score is not None and row.state != "running"
    score = f", validation {row.metric} {row.score:.3f}" if known else ""
    return f"{row.state}: {row.title}{score}" + (f": {row.note}" if row.note else "")


def summary(rows: Sequence[Row]) -> str:
    """Count the runs by their states and estimate how long the rest will take.

    >>> summary([Row(title="a", state="done", seconds=90), Row(title="b", state="waiting")])
    '1 of 2 done, 1 waiting, about 1 min 30 s left'
    """
    counts = Counter(row.state for row in rows)
    parts = [f"{counts['done']} of {len(rows)} done"]
    parts += [f"{counts[state]} {state}" for state in ORDER if state != "done" and counts[state]]
    took = [row.seconds for row in rows if row.seconds is not None]
    if took and (left := counts["running"] + counts["waiting"]):
        seconds = left * sum(took) / len(took) / max(1, counts["running"])
        parts.append(f"about {duration(seconds)} left")
    return ", ".join(parts)


def runs_table(name: str, rows: Sequence[Row], room: int) -> Table:
    """Return a table of the runs, without the least important ones when there is no room for all.

    Args:
        name: The study's.
        rows: All its runs, in the order in which they start.
        room: The largest number of rows.
    """
    title = Text(f"study {name}", style="table.title")  # as text: names may hold square brackets
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column("run", overflow="fold")
    table.add_column("state")
    table.add_column("epoch", justify="right")
    metrics = dict.fromkeys(row.metric for row in rows if row.score is not None) or ("UAR",)
    table.add_column(f"val {'/'.join(metrics)}", justify="right")
    table.add_column("", overflow="ellipsis", no_wrap=True)
    ranked = sorted(range(len(rows)), key=lambda index: (ORDER.index(rows[index].state), index))
    for index in sorted(ranked[:room]):
        row = rows[index]
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
