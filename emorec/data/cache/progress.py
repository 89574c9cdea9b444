"""Progress bar of long work on clips."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from typing_extensions import override

from emorec.console import make_progress

QUIET_SECONDS = 2.0
"""Shorter work shows no progress bar."""

Item = TypeVar("Item")


class _SpeedColumn(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    @override
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f} {self._unit}/s")


def with_progress(
    items: Iterable[Item], total: int, description: str, *, unit: str = "clips", show: bool = True
) -> Iterator[Item]:
    """Yield the items, with a progress bar on the terminal once they take longer than two seconds."""
    progress = make_progress(
        TextColumn(description, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _SpeedColumn(unit),
        TimeRemainingColumn(),
        show=show,
    )
    task = progress.add_task("", total=total)
    began = time.monotonic()
    try:
        for item in items:
            progress.advance(task)
            if time.monotonic() - began > QUIET_SECONDS:
                progress.start()
            yield item
    finally:
        if progress.live.is_started:
            progress.stop()
