"""What came out of all videos of a call, for the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from emorec.inference.timeline import Timeline, means_in_words
from emorec.inference.timeline_picture import clock_time
from emorec.inference.video_report import VideoReport

MOST_ROWS = 50
"""Of more videos the first are shown."""


def table(reports: Sequence[tuple[str, VideoReport]]) -> Table:
    """A row a video: windows, persons, what was said most, and in how much of it there is a face."""
    numbers = any(report.timeline.says == "numbers" for _, report in reports)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("video", overflow="fold")
    shown.add_column("length", justify="right")
    shown.add_column("windows", justify="right")
    shown.add_column("persons", justify="right")
    shown.add_column("mean" if numbers else "most frequent")
    shown.add_column("face", justify="right")
    for name, report in reports[:MOST_ROWS]:
        timeline = report.timeline
        coverage = report.content["face_coverage"]
        shown.add_row(
            Text(name),
            clock_time(round(timeline.seconds, 1), timeline.seconds),
            f"{len(timeline.windows)}",
            f"{len(timeline.persons)}",
            Text(gist(timeline)),
            "" if coverage is None else f"{coverage:.0%}",
        )
    if len(reports) > MOST_ROWS:
        shown.add_row(f"and {len(reports) - MOST_ROWS} more")
    return shown


def gist(timeline: Timeline) -> str:
    """A timeline in a few words: the word said most and in what share of windows, or the mean of each number."""
    if timeline.says == "numbers":
        return means_in_words(timeline)
    values = [each.values for each in timeline.windows if each.values is not None]
    word = timeline.most_frequent
    if word is None or not values:
        return word or ""
    share = sum(each.predicted == word for each in timeline.windows) / len(values)
    return word if share == 1 else f"{word} ({share:.0%})"


def written_to(reports: Sequence[tuple[str, VideoReport]], out: Path) -> str:
    """Where it is all written."""
    return f"{reports[0][1].folder}" if len(reports) == 1 else f"{out}, a folder for each video"


def closing_line(reports: Sequence[tuple[str, VideoReport]]) -> str:
    """How fast all of it was, against the network alone and decoding alone."""
    each = [report.content["speed"] for _, report in reports]
    seconds = sum(speed["seconds"] for speed in each)
    frames = sum((speed["frames_per_second"] or 0) * speed["seconds"] for speed in each)
    spent = {
        stage: sum(speed["seconds_by_stage"][stage] for speed in each)
        for stage in ("network", "decode")
    }
    times = [
        f"{seconds / spent[stage]:.1f} times {what} alone"
        for stage, what in (("network", "the network"), ("decode", "decoding"))
        if spent[stage] > 0.01
    ]
    took = f"{seconds:.1f} s"
    if seconds and frames:
        took += f", {frames / seconds:,.0f} frames/s"
    elif seconds:  # nothing was looked at
        took += f", {sum(report.timeline.seconds for _, report in reports) / seconds:,.1f} times real time"
    return f"{took}: {', '.join(times)}" if times else took
