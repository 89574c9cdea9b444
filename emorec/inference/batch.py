"""Batches of videos: one prediction each, in this process or in workers; earlier results that need no second one.

The command line imports this file: what takes long to import is imported late.
"""

import csv
import json
import logging
import os
import re
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Self, cast

from typing_extensions import override

from emorec.errors import UserError
from emorec.inference.options import Options
from emorec.inference.timeline import (
    Gap,
    Timeline,
    Window,
    format_gaps,
    format_means,
    format_unfamiliar,
)
from emorec.io import file_identity

if TYPE_CHECKING:
    from emorec.inference.predictor import Item, Playing, Predictor
    from emorec.inference.results import Result, Step
    from emorec.inference.spec import ModelSpec
    from emorec.inference.video import Video


NUM_TURNED_FRAMES = 5
"""Frames of a video without a face that are turned to look for one."""

TURNED_SECONDS = 10
"""They are from this much of its beginning: a film is not decoded a second time."""

TURNS = {"transpose=cclock": 1, "transpose=clock": 3}
"""Filter of FFmpeg -> quarter turns counter-clockwise that it makes."""

STOPPED = "stopped before its end"
"""Error of a video in a table of windows when Ctrl-C stopped it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Video, sound file or picture to predict.

    Attributes:
        video: Path of a file, or index of a camera.
        folder: For its results, relative to the output folder.
    """

    video: Path | int
    folder: Path

    @property
    def name(self) -> str:
        """Name in messages and tables."""
        return f"camera {self.video}" if isinstance(self.video, int) else self.video.name

    @property
    def path(self) -> str:
        """Path of the file, or name of the camera, in a table of windows."""
        return self.name if isinstance(self.video, int) else str(self.video)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How each video of a batch is predicted, and where its results are written.

    Attributes:
        network: Path of the network; `None` for the built-in one.
        device: Such as "cuda"; `None` for the fastest available.
        options: Of the predictions.
        out: Output folder; each video gets a folder in it.
        annotate: Whether to write annotated videos.
        camera_seconds: How long to record from a camera; `None`: until Ctrl-C.
    """

    network: Path | None = None
    device: str | None = None
    options: Options
    out: Path
    annotate: bool = False
    camera_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A predicted video in a few numbers, for tables.

    Attributes:
        seconds: Length of the video, and of one that was stopped early of what is predicted.
        num_windows: Windows.
        num_persons: Persons.
        gist: The most frequent label with its share of windows, or the mean of each number.
        is_mean: Whether the gist is means.
        face_coverage: Share of windows with a face; `None` for whole frames and sound.
        adapted_by: See `Timeline`.
        speed: See `emorec.inference.results.speed`.
    """

    seconds: float
    num_windows: int
    num_persons: int
    gist: str
    is_mean: bool
    face_coverage: float | None
    adapted_by: str
    speed: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a video: small, so that those of 10,000 videos fit into memory.

    Attributes:
        outline: Of its predictions; `None` without any.
        failure: Why it counts as failed, in one line.
        other_errors: What else failed, such as the annotated video.
        notes: Lines on how it was predicted.
        interrupted: Whether Ctrl-C stopped it early.
    """

    outline: Outline | None = None
    failure: str | None = None
    other_errors: Sequence[str] = ()
    notes: Sequence[str] = ()
    interrupted: bool = False

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse what `to_json` wrote."""
        values = json.loads(text)
        outline = values.pop("outline")
        return cls(outline=None if outline is None else Outline(**outline), **values)


if TYPE_CHECKING:
    ShowStep = Callable[[Step, float], None]


def predict_sources(
    predictor: "Predictor",
    sources: Iterable[Source],
    batch: Batch,
    *,
    on_window: Callable[[Window], None] | None = None,
    show_progress: "Callable[[Source, Video], AbstractContextManager[ShowStep]] | None" = None,
) -> Iterator[tuple[Source, Outcome]]:
    """Predict videos in turn, write their files and yield what became of each; no user's mistake is raised.

    It ends early after Ctrl-C, which is not raised either.

    Args:
        predictor: Of the network.
        sources: The videos.
        batch: How they are predicted.
        on_window: Called with each window of a camera.
        show_progress: Opens a progress bar of a video.
    """
    # in a home that can't be written to it says twice that its cache lies elsewhere
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    waiting = deque(sources)
    while waiting:
        videos = [partial(_open, source, batch, predictor.spec) for source in waiting]
        with closing(predictor.stream_in_turn(videos, batch.options)) as stream:
            opened = _Videos(stream)
            # where one failed in its middle, the next ones are opened anew
            while waiting and opened.are_at_an_end:
                source = waiting.popleft()
                outcome = _predict_next(
                    predictor,
                    opened,
                    source,
                    batch,
                    on_window=on_window,
                    show_progress=show_progress,
                )
                yield source, outcome
                if outcome.interrupted:
                    return


class _Videos:
    """Videos of `Predictor.stream_in_turn`, each with its windows.

    Args:
        items: What it yields.

    Attributes:
        are_at_an_end: Whether the last video has ended, or there was none.
    """

    def __init__(self, items: "Iterator[Item]") -> None:
        self._items = items
        self.are_at_an_end = True

    def next(self) -> "Playing":
        """Return the next video.

        Raises:
            UserError: When it can't be read.
        """
        self.are_at_an_end = False
        item = next(self._items)
        self._end_with(item)
        return cast("Playing", item)

    def windows(self) -> "Iterator[Window | Gap]":
        """Yield the windows of that video.

        Raises:
            UserError: When it can't be read any further.
        """
        for item in self._items:
            self._end_with(item)
            if self.are_at_an_end:
                return
            yield cast("Window | Gap", item)

    def _end_with(self, item: "Item") -> None:
        from emorec.inference.predictor import End

        self.are_at_an_end = isinstance(item, End)
        if isinstance(item, End) and item.error:
            raise item.error


def _open(source: Source, batch: Batch, spec: "ModelSpec") -> "Playing":
    """Open a video.

    Raises:
        UserError: When it can't be read.
    """
    from emorec.inference.predictor import Playing
    from emorec.inference.video import Camera, open_file

    if isinstance(source.video, int):
        return Playing(Camera(source.video, batch.camera_seconds))
    return Playing(open_file(source.video, spec))


def _predict_next(
    predictor: "Predictor",
    videos: _Videos,
    source: Source,
    batch: Batch,
    *,
    on_window: Callable[[Window], None] | None,
    show_progress: "Callable[[Source, Video], AbstractContextManager[ShowStep]] | None",
) -> Outcome:
    """Write the files of the next video of a stream, and return what became of it."""
    import time

    from emorec.inference.results import predict_to_folder

    started = time.perf_counter()
    try:
        playing = videos.next()
        bar = show_progress(source, playing.video) if show_progress else nullcontext(_no_progress)
        with bar as progress:
            playing.progress = partial(progress, "predicting")
            result = predict_to_folder(
                predictor,
                playing.video,
                batch.out / source.folder,
                batch.options,
                started=started,
                progress=progress,
                on_window=on_window if playing.video.live else None,
                annotate=batch.annotate,
                pieces=videos.windows(),
                stopwatch=playing.stopwatch,
            )
        return _outcome(source.name, playing.video, result, batch.options, predictor)
    except UserError as error:
        return Outcome(failure=" ".join(str(error).split()))
    except KeyboardInterrupt:
        return Outcome(interrupted=True)


def _no_progress(step: "Step", seconds: float) -> None:
    del step, seconds


def _outcome(
    name: str, video: "Video", result: "Result", options: Options, predictor: "Predictor"
) -> Outcome:
    from emorec.data.video.reader import NO_PICTURES

    timeline, spec = result.timeline, predictor.spec
    notes: list[str] = []
    other_errors: list[str] = []
    if timeline.gaps and timeline.windows:
        notes.append(f"{name}: damaged from {format_gaps(timeline)}; the rest is predicted")
    if options.enrol and len(timeline.persons) > 1:
        notes.append(f"{name}: {len(timeline.persons)} persons are adapted by the enrolled one")
    if what_is_used := format_use(video, spec):
        notes.append(f"{name}: {what_is_used}")
    if unfamiliar := format_unfamiliar(timeline):
        notes.append(f"{name}: {unfamiliar}")
    if result.not_annotated:
        line = f"{name}: no annotated video: {result.not_annotated}"
        # a sound file is complete without
        (notes if result.not_annotated == NO_PICTURES else other_errors).append(line)
    failure = failure_of(result)
    if failure and (advice := advice_to_turn(video, timeline, predictor, options)):
        failure += f"; {advice}"
    return Outcome(
        outline=outline(result),
        failure=None if failure is None else f"{name}: {failure}",
        other_errors=other_errors,
        notes=notes,
        interrupted=result.interrupted and not video.live,
    )


def format_use(video: "Video", spec: "ModelSpec") -> str:
    """Format what of a file a network uses, where it is not all that the network takes; else empty."""
    from emorec.inference.video import AudioFile, VideoFile

    if isinstance(video, AudioFile) and spec.uses_video:
        return "no pictures; only its sound is used"
    if isinstance(video, VideoFile) and video.num_frames == 1:
        return "a picture, not a video: one window of one frame, without sound"
    if spec.uses_sound and not video.live and not video.has_sound:
        return "it has no sound; only its frames are used"
    return ""


def advice_to_turn(
    video: "Video", timeline: Timeline, predictor: "Predictor", options: Options
) -> str:
    """Advise how to turn a video without a face whose pictures show one when they are turned; else empty."""
    import numpy as np

    from emorec.inference.video import VideoFile

    if not isinstance(video, VideoFile) or not timeline.windows or timeline.persons:
        return ""
    if (detector := predictor.detector(options)) is None:
        return ""
    num_frames = min(video.num_frames, max(1, round(TURNED_SECONDS * video.frames_per_second)))
    needed = np.linspace(0, num_frames - 1, NUM_TURNED_FRAMES).astype(int).tolist()
    frames = [frame for _, _, frame in video.frames(needed)]
    found: dict[str, list[float]] = {}
    for how, quarters in TURNS.items():
        turned = [detector.detect(np.rot90(frame, quarters).copy()) for frame in frames]
        found[how] = [max(face.score for face in faces) for faces in turned if faces]
    how = max(found, key=lambda how: sum(found[how]))  # a face upside down has a lower score
    if len(found[how]) <= len(frames) / 2:
        return ""
    output = "turned.png" if video.num_frames == 1 else "turned.mp4"
    return f"turned, its pictures show one: ffmpeg -i {quote(video.path.name)} -vf {how} {output}"


def failure_of(result: "Result") -> str | None:
    """Return why a result counts as failed: no window, or no face."""
    timeline = result.timeline
    if not timeline.windows:
        if timeline.gaps:
            return f"damaged from {format_gaps(timeline)}: no window could be decoded"
        return None if result.interrupted else "it has no window"
    if not timeline.persons and not result.interrupted:
        inputs, video = result.summary["network"]["inputs"], result.summary["video"]
        if "landmarks" not in inputs:
            return "no face found; --face none uses whole frames"
        if "heard" in inputs and video["has_sound"]:
            return "no face found; a file of its sound alone is predicted by the voice"
        return "no face found"
    return None


def outline(result: "Result") -> Outline:
    """Return a result in a few numbers."""
    timeline = result.timeline
    ends = [each.end for each in timeline.windows] + [gap.end for gap in timeline.gaps]
    return Outline(
        seconds=max(ends, default=0.0) if result.interrupted else timeline.seconds,
        num_windows=len(timeline.windows),
        num_persons=len(timeline.persons),
        gist=gist(timeline),
        is_mean=timeline.task == "numbers",
        face_coverage=result.summary["face_coverage"],
        adapted_by=timeline.adapted_by,
        speed=result.summary["speed"],
    )


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


def earlier_outcome(source: Source, batch: Batch, predictor: "Predictor") -> Outcome | None:
    """Return the outcome of an earlier, complete prediction with the same input and settings; `None` without one.

    It is complete and was made of the same file (by path, size and time of modification), by the same network, emorec
    and settings, and after the enrolled videos.
    """
    if isinstance(source.video, int):
        return None
    from emorec.inference.results import ANNOTATED_MP4, SUMMARY_JSON

    folder = batch.out / source.folder
    try:
        summary = json.loads((folder / SUMMARY_JSON).read_text(encoding="utf-8"))
        written = (folder / SUMMARY_JSON).stat().st_mtime
        enrolled = [Path(path).expanduser().stat().st_mtime for path in batch.options.enrol]
        if summary["stopped"] or any(modified >= written for modified in enrolled):
            return None
        if not _is_made_of(summary, source.video, batch.options, predictor):
            return None
        if batch.annotate and has_pictures(summary) and not (folder / ANNOTATED_MP4).is_file():
            return None
        result = read_result(folder, summary, source.video)
    except (OSError, ValueError, KeyError, TypeError):  # missing, damaged, or of another version
        return None
    failure = failure_of(result)
    unfamiliar = format_unfamiliar(result.timeline)
    return Outcome(
        outline=outline(result),
        failure=None if failure is None else f"{source.name}: {failure}",
        notes=[f"{source.name}: {unfamiliar}"] if unfamiliar else [],
    )


def other_video(source: Source, out: Path) -> str | None:
    """Return the path of another video whose results an earlier call has put into the folder of a video."""
    from emorec.inference.results import SUMMARY_JSON

    if isinstance(source.video, int):
        return None
    try:
        video = json.loads((out / source.folder / SUMMARY_JSON).read_text(encoding="utf-8"))[
            "video"
        ]
        same_path = os.path.abspath(video["path"]) == os.path.abspath(source.video)  # noqa: PTH100 - keeps symlinks
        if same_path or all(video[key] == it for key, it in file_identity(source.video).items()):
            return None
        return str(video["path"])
    except (OSError, ValueError, KeyError, TypeError):  # missing, damaged, or of another version
        return None


def has_pictures(summary: dict[str, Any]) -> bool:
    """Whether the file of a summary has pictures; else it is its sound alone."""
    return "width" in summary["video"]


def _is_made_of(
    summary: dict[str, Any], path: Path, options: Options, predictor: "Predictor"
) -> bool:
    """Whether a summary is the one that predicting a file would write now, but for the predictions."""
    from emorec.inference.results import summary as make_summary

    window_seconds, hop_seconds = options.window_and_hop(predictor.spec)
    detector = predictor.detector(options) if has_pictures(summary) else None
    expected = make_summary(
        Timeline(
            path=path,
            task=predictor.spec.task,
            names=predictor.spec.names,
            windows=(),
            gaps=(),
            seconds=0.0,
            window_seconds=window_seconds,
            hop_seconds=hop_seconds,
        ),
        predictor.spec,
        options,
        video=file_identity(path),
        runtime="",
        detector=None if detector is None else detector.version,
    )
    expected = json.loads(json.dumps(expected))
    return (
        os.path.abspath(summary["video"]["path"]) == os.path.abspath(path)  # noqa: PTH100 - keeps symlinks
        and all(summary["video"][key] == value for key, value in file_identity(path).items())
        and all(
            summary[key] == expected[key] for key in ("format", "emorec", "settings", "network")
        )
    )


def read_result(folder: Path, summary: dict[str, Any], path: Path) -> "Result":
    """Read the result of a file from `timeline.csv` and its summary, without the boxes of faces.

    Raises:
        OSError: When the file is missing.
        ValueError: When it is damaged.
        KeyError: When it lacks a column.
    """
    from emorec.inference.results import TIMELINE_CSV, Result

    network, settings = summary["network"], summary["settings"]
    names = tuple(network["names"])
    with (folder / TIMELINE_CSV).open(encoding="utf-8", newline="") as file:
        windows = tuple(_read_window(row, names) for row in csv.DictReader(file))
    if len(windows) != summary["windows"]:
        raise ValueError(f"{folder / TIMELINE_CSV} has lost windows")
    timeline = Timeline(
        path=path,
        task=network["says"],
        names=names,
        windows=windows,
        gaps=tuple(Gap(start, end) for start, end in summary["holes"]),
        seconds=summary["video"]["seconds"],
        window_seconds=settings["window_seconds"],
        hop_seconds=settings["hop_seconds"],
        adapted_by=summary["adapted_by"] or "",
    )
    return Result(timeline, folder, summary, interrupted=summary["stopped"])


def _read_window(row: dict[str, str], names: tuple[str, ...]) -> Window:
    values = tuple(float(row[name]) for name in names if row[name])
    return Window(
        start=float(row["start"]),
        end=float(row["end"]),
        person=int(row["person"]) if row["person"] else None,
        names=names,
        values=values or None,
        predicted=row.get("predicted", ""),
        unfamiliar=tuple(row["unfamiliar"].split()) if "unfamiliar" in row else None,
        confidence=float(row["confidence"]) if row.get("confidence") else None,
    )


def predict_in_worker(batch: Batch, source: Source) -> Outcome:
    """Predict a video in a worker process; no exception but Ctrl-C leaves it, and warnings become notes."""
    with collected_warnings() as warnings:
        try:
            predictor = opened_predictor(batch.network, batch.device, batch.options)
            ((_, outcome),) = predict_sources(predictor, [source], batch)
        except UserError as error:
            outcome = Outcome(failure=f"{source.name}: {error}")
        except Exception as error:  # a bug, or a limit of the machine: the other videos go on
            where = traceback.extract_tb(error.__traceback__)[-1]
            outcome = Outcome(
                failure=f"{source.path}: {type(error).__name__}: {' '.join(str(error).split())} "
                f"({Path(where.filename).name}, line {where.lineno})"
            )
    return replace(outcome, notes=(*outcome.notes, *warnings))


def open_predictor(network: Path | None, device: str | None, options: Options) -> "Predictor":
    """Open the network, in a process that predicts videos and does nothing else.

    Raises:
        UserError: When it can't be opened.
    """
    import cv2

    from emorec.inference.predictor import load
    from emorec.inference.results import limit_free_memory

    cv2.setNumThreads(1)  # decoding, sound and faces have a thread each
    limit_free_memory()
    return load(network, device, options)


opened_predictor = cache(open_predictor)
"""The predictor of a worker process, opened once."""


@contextmanager
def collected_warnings(name: str = "emorec") -> Iterator[list[str]]:
    """Collect the warnings that a logger gets in the block, each once, in place of printing them."""
    lines: list[str] = []

    class Collect(logging.Handler):
        @override
        def emit(self, record: logging.LogRecord) -> None:
            if (line := record.getMessage()) not in lines:
                lines.append(line)

    handler, logger = Collect(logging.WARNING), logging.getLogger(name)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def shard_of(sources: Sequence[Source], shard: str) -> list[Source]:
    """Return every N-th of the sorted videos, from the I-th on, in the order of the arguments.

    Args:
        sources: All of them.
        shard: "I/N", from 1/N to N/N.

    Raises:
        UserError: When it is something else.

    >>> videos = [Source(Path(name), Path(name)) for name in ("c", "a", "b")]
    >>> [source.name for source in shard_of(videos, "1/2")], [source.name for source in shard_of(videos, "2/2")]
    (['c', 'a'], ['b'])
    """
    parts = re.fullmatch(r"(\d+)/(\d+)", shard)
    number, count = map(int, parts.groups()) if parts else (0, 0)
    if not 1 <= number <= count:
        raise UserError(f"shard is {shard}: choose I/N from 1/N to N/N, such as 1/3, 2/3 and 3/3")
    ordered = sorted(sources, key=lambda source: os.path.abspath(source.path))  # noqa: PTH100
    chosen = set(ordered[number - 1 :: count])
    return [source for source in sources if source in chosen]
