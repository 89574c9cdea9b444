"""How long clips are, told without decoding any of them."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from emorec.data.clip import Clip

MOST_CLIPS = 32
"""So many are looked at, evenly spaced: the median of all lies near theirs."""


def median_seconds(clips: Sequence[Clip]) -> float | None:
    """The median length of clips; `None` where no file tells any.

    >>> from dataclasses import replace
    >>> clip = Clip(path=Path("a.avi"), label=0, actor=1, take="a", span_seconds=(1.0, 2.0))
    >>> median_seconds([clip, replace(clip, span_seconds=(0.0, 3.0)), replace(clip, span_seconds=(0.0, 2.0))])
    2.0
    """
    step = max(1, -(-len(clips) // MOST_CLIPS))
    lengths = [length(clips[place]) for place in range(0, len(clips), step)]
    known = [seconds for seconds in lengths if seconds is not None and seconds > 0]
    return round(median(known), 3) if known else None


def length(clip: Clip) -> float | None:
    """The seconds of a clip: those of its span, else of its file as its header says; `None` where that says nothing."""
    start, end = clip.span_seconds or (0.0, float("inf"))
    if end < float("inf"):
        return end - start
    whole = file_seconds(clip.path)
    return None if whole is None else whole - start


def file_seconds(path: Path) -> float | None:
    """How long a video file says it is; `None` where it can't be opened or does not say."""
    try:
        import av
    except ImportError:
        return None
    try:
        with av.open(str(path.absolute()), metadata_errors="ignore") as file:
            for stream in file.streams.video:
                if stream.duration and stream.time_base:
                    return float(stream.duration * stream.time_base)
            return file.duration / av.time_base if file.duration else None
    except (av.FFmpegError, UnicodeError):
        return None
