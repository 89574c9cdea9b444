"""The videos of one `emorec predict`: predicted one after another, with progress bars and a table of results."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from emorec.data.video.reader import NO_PICTURES
from emorec.errors import UserError
from emorec.inference.options import Options
from emorec.inference.predictor import Predictor
from emorec.inference.results import Result, Step, predict_to_folder
from emorec.inference.sources import Source
from emorec.inference.timeline import Timeline, Window, format_gaps, format_means, format_time
from emorec.inference.video import Camera, Video, open_file

FAILED = 2
INTERRUPTED = 130

MAX_ROWS = 50
"""Of more videos, the table shows the first ones."""

FILE_WIDTH = 250
"""Characters in a line of the table where standard output is no terminal."""


class Batch:
    """Predicts videos one after another; an error of one does not stop the others.

    Args:
        out: Output folder.
        options: Of the predictions.
        annotate: Whether to write annotated videos.
        camera_seconds: How long to record from a camera; `None`: until Ctrl-C.
    """

    def __init__(
        self, out: Path, options: Options, *, annotate: bool, camera_seconds: float | None
    ) -> None:
        self.out = out
        self.options = options
        self.annotate = annotate
        self.camera_seconds = camera_seconds
        self.console = Console(stderr=True)
        self.num_errors = 0
        self.interrupted = False
        self.results: list[tuple[str, Result]] = []

    def note(self, line: str) -> None:
        """Print a line to standard error."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def error(self, line: str) -> None:
        """Print an error in one line, and count it."""
        self.num_errors += 1
        self.note(f"emorec predict: error: {' '.join(line.split())}")

    def predict(self, predictor: Predictor, sources: Sequence[Source]) -> None:
        """Predict all videos, or until Ctrl-C."""
        for number, source in enumerate(sources, 1):
            prefix = f"{number}/{len(sources)} " if len(sources) > 1 else ""
            try:
                self._predict(predictor, source, f"{prefix}{source.name}")
            except UserError as error:
                self.error(str(error))
            except KeyboardInterrupt:
                self.interrupted = True
            if self.interrupted:
                return

    def _predict(self, predictor: Predictor, source: Source, title: str) -> None:
        started = time.perf_counter()
        video: Video = (
            Camera(source.video, self.camera_seconds)
            if isinstance(source.video, int)
            else open_file(source.video, predictor.spec)
        )
        with PredictProgress(title, video, self.console) as progress:
            result = predict_to_folder(
                predictor,
                video,
                self.out / source.folder,
                self.options,
                started=started,
                progress=progress.update,
                on_window=print_window if video.live else None,
                annotate=self.annotate,
            )
        self.results.append((source.name, result))
        self.interrupted = result.interrupted and not video.live
        timeline = result.timeline
        if timeline.gaps and timeline.windows:
            self.note(f"{source.name}: damaged from {format_gaps(timeline)}; the rest is predicted")
        if predictor.spec.uses_sound and not video.live and not video.has_sound:
            self.note(f"{source.name}: it has no sound; only its frames are used")
        if result.not_annotated:
            line = f"{source.name}: no annotated video: {result.not_annotated}"
            # a sound file is complete without
            (self.note if result.not_annotated == NO_PICTURES else self.error)(line)
        if (reason := error_of(result)) is not None:
            self.error(f"{source.name}: {reason}")

    def finish(self) -> None:
        """Print the table of results.

        Raises:
            SystemExit: After an error or Ctrl-C.
        """
        if self.results:
            # unwrapped lines in files
            console = Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)
            console.print(results_table(self.results))
            folder = (
                f"{self.results[0][1].folder}"
                if len(self.results) == 1
                else f"{self.out}, a folder for each video"
            )
            for line in (
                speed_line([result for _, result in self.results]),
                f"written to {folder}",
            ):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        if self.interrupted:
            done = f"; finished results are in {self.out}" if self.results else ""
            self.note(f"stopped{done}")
            sys.exit(INTERRUPTED)
        if self.num_errors:
            sys.exit(FAILED)


def error_of(result: Result) -> str | None:
    """Return why a result counts as failed: no window, or no face."""
    timeline = result.timeline
    if not timeline.windows:
        if timeline.gaps:
            return f"damaged from {format_gaps(timeline)}: no window could be decoded"
        return None if result.interrupted else "it has no window"
    if not timeline.persons and not result.interrupted:
        return "no face found; --face none uses whole frames"
    return None


class PredictProgress:
    """Progress bar of a video, in a terminal; none for a camera.

    Args:
        title: Before the bar.
        video: That is predicted.
        console: For the bar.
    """

    def __init__(self, title: str, video: Video, console: Console) -> None:
        self._frames_per_second = video.frames_per_second
        self._started = time.perf_counter()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=video.live or not console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=video.seconds, speed="")

    def update(self, step: Step, seconds: float) -> None:
        """Show the position in the video, in seconds."""
        if step == "annotating":
            self._bar.update(self._task, completed=seconds, speed=step)
            return
        elapsed = time.perf_counter() - self._started
        frames_per_second = self._frames_per_second * seconds / elapsed if elapsed else 0
        speed = f"{frames_per_second:,.0f} frames/s" if frames_per_second else ""
        self._bar.update(self._task, completed=seconds, speed=speed)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def print_window(window: Window) -> None:
    """Print a predicted window as a line."""
    print(window_line(window), flush=True)


def window_line(window: Window) -> str:
    """Format a predicted window as a line.

    >>> window_line(Window(start=0, end=3.7, person=1, names=("sad", "happy"), values=(0.25, 0.75),
    ...     predicted="happy", confidence=0.75))
    '     0.0 s to      3.7 s  person 1  happy 75 %'
    """
    person = f"  person {window.person}" if window.person is not None else ""
    label = window.predicted
    if window.confidence is not None:
        label += f" {100 * window.confidence:.0f} %"
    elif not label:
        label = ", ".join(f"{name} {value:.2f}" for name, value in window.probabilities.items())
    return f"{window.start:8.1f} s to {window.end:8.1f} s{person}  {label}"


def results_table(results: Sequence[tuple[str, Result]]) -> Table:
    """Return a table with a row for each video."""
    numbers = any(result.timeline.task == "numbers" for _, result in results)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("video", overflow="fold")
    for column in ("length", "windows", "persons"):
        table.add_column(column, justify="right")
    table.add_column("mean" if numbers else "most frequent")
    table.add_column("face", justify="right")
    for name, result in results[:MAX_ROWS]:
        timeline = result.timeline
        coverage = result.summary["face_coverage"]
        table.add_row(
            Text(name),
            format_time(round(timeline.seconds, 1), timeline.seconds),
            f"{len(timeline.windows)}",
            f"{len(timeline.persons)}",
            Text(gist(timeline)),
            "" if coverage is None else f"{coverage:.0%}",
        )
    if len(results) > MAX_ROWS:
        table.add_row(f"and {len(results) - MAX_ROWS} more")
    return table


def gist(timeline: Timeline) -> str:
    """Return the most frequent label with its share of windows, or the mean of each number."""
    if timeline.task == "numbers":
        return format_means(timeline)
    label = timeline.most_frequent or ""
    num_predicted = sum(each.values is not None for each in timeline.windows)
    if not num_predicted:
        return label
    share = sum(each.predicted == label for each in timeline.windows) / num_predicted
    return label if share == 1 else f"{label} ({share:.0%})"


def speed_line(results: Sequence[Result]) -> str:
    """Format the speed of all videos, relative to the network and to decoding alone."""
    speeds = [result.summary["speed"] for result in results]
    seconds = sum(speed["seconds"] for speed in speeds)
    frames = sum((speed["frames_per_second"] or 0) * speed["seconds"] for speed in speeds)
    total = f"{seconds:.1f} s"
    if seconds and frames:
        total += f", {frames / seconds:,.0f} frames/s"
    elif seconds:  # an audio network
        video_seconds = sum(result.timeline.seconds for result in results)
        total += f", {video_seconds / seconds:,.1f} times real time"
    ratios = []
    for stage, name in (("network", "the network"), ("decode", "decoding")):
        spent = sum(speed["seconds_by_stage"][stage] for speed in speeds)
        if spent > 0.01:
            ratios.append(f"{seconds / spent:.1f} times {name} alone")
    return f"{total}: {', '.join(ratios)}" if ratios else total
