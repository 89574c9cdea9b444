"""The files of a video: what a network says of it is written while it is read, and drawn when it is done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from emorec.errors import UserError
from emorec.inference.camera import Camera
from emorec.inference.output_files import ANNOTATED, PICTURE, SUMMARY, TIMELINE
from emorec.inference.prediction import WindowPrediction
from emorec.inference.predictor import Predictor
from emorec.inference.settings import Settings
from emorec.inference.stopwatch import Stopwatch
from emorec.inference.summary import speed, summary, write_summary
from emorec.inference.timeline import Timeline
from emorec.inference.timeline_file import TimelineFile
from emorec.inference.video_file import VideoFile
from emorec.inference.window import Hole


class Watcher(Protocol):
    """Is told how far a prediction is."""

    def at(self, seconds: float) -> None:
        """The video is read up to that moment."""

    def said(self, prediction: WindowPrediction) -> None:
        """The network said something."""

    def annotating(self, seconds: float) -> None:
        """The annotated video is written up to that moment."""


@dataclass(frozen=True, slots=True)
class VideoReport:
    """What became of a video.

    Attributes:
        timeline: What the network said.
        folder: Where it is written.
        content: Of `summary.json`.
        stopped: Whether somebody stopped it before the end.
    """

    timeline: Timeline
    folder: Path
    content: dict[str, Any]
    stopped: bool


def report_video(
    predictor: Predictor,
    video: VideoFile | Camera,
    folder: Path,
    settings: Settings,
    watcher: Watcher,
    *,
    annotated: bool = False,
    begun: float | None = None,
) -> VideoReport:
    """Predicts a video and writes `timeline.csv`, `summary.json`, `timeline.png` and, if asked for, `annotated.mp4`.

    Ctrl-C ends it early: what was said until then is written.

    Args:
        predictor: What says something of it.
        video: A file or a camera, open.
        folder: Where the files go; made when missing. Those of an earlier call are replaced.
        settings: How it is cut and what is said of it.
        watcher: Is told how far it is.
        annotated: Whether to write the video with what was said drawn on it.
        begun: When the video was about to be opened, by `time.perf_counter`.

    Raises:
        UserError: When the files can't be written, or the network can't take the video.
    """
    begun = time.perf_counter() if begun is None else begun
    clock = Stopwatch()
    pieces: list[WindowPrediction | Hole] = []
    stopped = False
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (SUMMARY, PICTURE, ANNOTATED):
            (folder / name).unlink(missing_ok=True)
        try:
            with TimelineFile(folder / TIMELINE, predictor.facts) as file:
                for piece in predictor.stream(video, settings, clock, watcher.at):
                    pieces.append(piece)
                    if isinstance(piece, WindowPrediction):
                        with clock.during("write"):
                            file.add(piece)
                        watcher.said(piece)
        except KeyboardInterrupt:
            stopped = True
        except UserError:
            _leave_nothing(folder, pieces)
            raise
        timeline = predictor.timeline(video, pieces, settings)
        predicted = time.perf_counter()
        if annotated and isinstance(video, VideoFile) and not stopped:
            stopped = not _annotated(folder, video, timeline, watcher)
        annotating = time.perf_counter() - predicted
        with clock.during("write"):
            from emorec.inference.timeline_picture import write_timeline_picture

            write_timeline_picture(folder / PICTURE, timeline)
        content = summary(
            timeline,
            predictor.facts,
            settings,
            video=_shape(video),
            runtime=predictor.runtime.description,
            detector=predictor.detector(settings),
            stopped=stopped,
        )
        seconds = time.perf_counter() - begun - annotating
        content["speed"] = speed(clock, seconds, timeline.seconds, annotating)
        write_summary(folder / SUMMARY, content)
    return VideoReport(timeline, folder, content, stopped)


def _annotated(folder: Path, video: VideoFile, timeline: Timeline, watcher: Watcher) -> bool:
    """Whether the annotated video is written, to its end."""
    from emorec.inference.annotate import annotate  # late: PyAV, Pillow

    try:
        annotate(folder / ANNOTATED, video, timeline, watcher.annotating)
    except KeyboardInterrupt:
        return False
    return True


def _shape(video: VideoFile | Camera) -> dict[str, Any]:
    """What there is to say of a video itself."""
    if isinstance(video, Camera):
        return {"camera": video.index}
    return {
        "seconds": round(video.seconds, 6),
        "frames": video.frames_in_file,
        "frames_per_second": round(video.frames_per_second, 6),
        "width": video.width,
        "height": video.height,
        "has_sound": video.has_sound,
    }


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """What the operating system has against writing, in a line."""
    try:
        yield
    except OSError as error:
        what = error.filename or folder
        raise UserError(
            f"can't write {what}: {error.strerror or error}; make room or choose another --out"
        ) from error


def _leave_nothing(folder: Path, pieces: list[WindowPrediction | Hole]) -> None:
    """Takes away what was made for a video of which nothing could be said."""
    if not pieces:
        (folder / TIMELINE).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
