"""`summary.json`: what was asked of which network and video, what came out, and how fast."""

import json
from collections import Counter
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from emorec import __version__
from emorec.files import whole_file
from emorec.inference.facts import Facts
from emorec.inference.settings import Settings
from emorec.inference.stopwatch import Stopwatch
from emorec.inference.timeline import Timeline

FORMAT = 1
"""Of `summary.json`."""

PACKAGES = ("av", "numpy", "opencv-python-headless")
"""That decide about the frames."""


def summary(
    timeline: Timeline,
    facts: Facts,
    settings: Settings,
    *,
    video: dict[str, Any],
    runtime: str,
    detector: str | None,
    stopped: bool = False,
) -> dict[str, Any]:
    """All there is to say of a video, as plain values; the same for the same video, network and versions.

    Args:
        timeline: What the network said.
        facts: Of the network.
        settings: What was asked.
        video: Size, rate and so on of the video.
        runtime: What ran the network.
        detector: What found the faces; `None` where none were looked for.
        stopped: Whether somebody stopped it before the end.
    """
    words = Counter(each.predicted for each in timeline.windows if each.predicted)
    return {
        "format": FORMAT,
        "emorec": __version__,
        "video": {"path": str(timeline.path) if timeline.path else None, **video},
        "stopped": stopped,
        "windows": len(timeline.windows),
        "persons": len(timeline.persons),
        "predicted": {word: words[word] for word in sorted(words)},
        "most_frequent": timeline.most_frequent,
        "face_coverage": timeline.face_coverage if detector else None,
        "holes": [[hole.start, hole.end] for hole in timeline.holes],
        "settings": {
            "window_seconds": timeline.window_seconds,
            "hop_seconds": timeline.hop_seconds,
            "abstain_below": settings.abstain_below,
            "face": "crop" if detector else "none",
            "face_detector": detector,
            "batch_size": settings.batch_size,
        },
        "network": asdict(facts),
        "runtime": runtime,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def speed(
    clock: Stopwatch, whole_seconds: float, video_seconds: float, annotating_seconds: float = 0.0
) -> dict[str, Any]:
    """How fast it was: the whole against the video's own length, the network alone and decoding alone.

    Args:
        clock: That ran meanwhile.
        whole_seconds: From opening the video to the last file written, without the annotated video.
        video_seconds: How long the video is.
        annotating_seconds: What the annotated video took beside that.

    >>> clock = Stopwatch()
    >>> clock.seconds |= {"network": 2.0, "decode": 5.0}
    >>> clock.frames = 300
    >>> told = speed(clock, 10.0, 20.0)
    >>> told["frames_per_second"], told["times_network_alone"], told["times_decoding_alone"], told["times_real_time"]
    (30.0, 5.0, 2.0, 2.0)
    """
    return {
        "seconds": round(whole_seconds, 3),
        "frames_per_second": _ratio(clock.frames, whole_seconds),
        "times_real_time": _ratio(video_seconds, whole_seconds),
        "seconds_by_stage": {stage: round(spent, 3) for stage, spent in clock.seconds.items()},
        "times_network_alone": _ratio(whole_seconds, clock.seconds["network"]),
        "times_decoding_alone": _ratio(whole_seconds, clock.seconds["decode"]),
        "seconds_annotating": round(annotating_seconds, 3),
    }


def write_summary(path: Path, content: dict[str, Any]) -> None:
    """Writes JSON, whole or not at all.

    Raises:
        OSError: When the file can't be written.
    """
    with whole_file(path) as file:
        file.write(json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n")


def _ratio(one: float, other: float) -> float | None:
    return round(one / other, 3) if other > 0 else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
