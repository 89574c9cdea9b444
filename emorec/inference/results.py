"""Result files of a predicted video: tables of windows and frames, a summary, a picture and an annotated video."""

import csv
import ctypes
import io
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Self

from emorec import __version__
from emorec.data.datasheets import datasheet
from emorec.data.video.reader import ClipError
from emorec.errors import UserError
from emorec.inference.options import Options
from emorec.inference.predictor import Predictor
from emorec.inference.spec import ModelSpec
from emorec.inference.timeline import Contours, Gap, Timeline, Window, count_unfamiliar
from emorec.inference.video import AudioFile, Camera, Stopwatch, Video, VideoFile
from emorec.io import disk_errors, file_identity, write_json

TIMELINE_CSV = "timeline.csv"
FRAMES_CSV = "frames.csv"
SUMMARY_JSON = "summary.json"
TIMELINE_PNG = "timeline.png"
ANNOTATED_MP4 = "annotated.mp4"

POSE = ("yaw", "pitch", "roll")
"""Columns of the head pose, in degrees; see `emorec.data.landmarks.head_pose`."""

SUMMARY_FORMAT = 1

MAX_PLOTTED_FACES = 100
"""Of a person: several times as many as fit into a plot."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt. Source: malloc.h of glibc."""

PIECES_PER_TRIM = 16
"""Windows after which freed memory is returned: about a second of work."""

PACKAGES = ("av", "numpy", "opencv-python-headless")
"""Packages whose versions may change frames."""


Step = Literal["predicting", "annotating"]


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a video.

    Attributes:
        timeline: Its windows with their predictions.
        folder: Where its files are.
        summary: Content of `summary.json`.
        interrupted: Whether Ctrl-C stopped it early.
        not_annotated: Why there is no annotated video although one was wanted.
    """

    timeline: Timeline
    folder: Path
    summary: dict[str, Any]
    interrupted: bool
    not_annotated: str | None = None


def predict_to_folder(
    predictor: Predictor,
    video: Video,
    folder: Path,
    options: Options,
    *,
    started: float,
    progress: Callable[[Step, float], None],
    on_window: Callable[[Window], None] | None = None,
    annotate: bool = False,
    pieces: Iterable[Window | Gap] | None = None,
    stopwatch: Stopwatch | None = None,
) -> Result:
    """Predict a video and write its result files; Ctrl-C stops early and keeps what is predicted.

    Args:
        predictor: Of the network.
        video: An opened file or camera.
        folder: For the files, created when missing; files of an earlier call are replaced.
        options: Of the prediction.
        started: When opening the video began, by `time.perf_counter`.
        progress: Called with the step and its position in the video, in seconds.
        on_window: Called with each predicted window.
        annotate: Whether to write the annotated video of a file; where FFmpeg can't, the result says why.
        pieces: The predicted windows and gaps of the video; by default those of `Predictor.stream`.
        stopwatch: That measures them.

    Raises:
        UserError: When the files can't be written, or the network does not take such a video.
    """
    stopwatch = stopwatch or Stopwatch()
    pieces = pieces or predictor.stream(video, options, stopwatch, partial(progress, "predicting"))
    kept = _Kept(video, for_annotation=annotate)
    interrupted = False
    with disk_errors(folder):
        identity = {} if video.path is None else file_identity(video.path)
        folder.mkdir(parents=True, exist_ok=True)
        for name in (SUMMARY_JSON, TIMELINE_PNG, ANNOTATED_MP4, FRAMES_CSV):
            (folder / name).unlink(missing_ok=True)
        try:
            adapted_by = predictor.adapted_by(options, live=video.live)
            marked = predictor.familiarity is not None
            with TableWriter(
                folder, predictor.spec, options, adapted_by, unfamiliar=marked
            ) as writer:
                for piece in pieces:
                    kept.add(piece)
                    if isinstance(piece, Window):
                        with stopwatch.measure("write"):
                            writer.write(piece)
                        if on_window:
                            on_window(piece)
        except KeyboardInterrupt:
            interrupted = True
        except UserError:
            if not kept.pieces:
                (folder / TIMELINE_CSV).unlink(missing_ok=True)
                with suppress(OSError):
                    folder.rmdir()
            raise
        timeline = predictor.timeline(video, kept.pieces, options)
        predicted = time.perf_counter()
        not_annotated = None
        if annotate and not interrupted:
            try:
                annotated = partial(progress, "annotating")
                not_annotated = _annotate(folder, video, timeline, annotated)
            except KeyboardInterrupt:
                interrupted = True
        annotate_seconds = time.perf_counter() - predicted
        with stopwatch.measure("write"):
            from emorec.inference.plot import plot_timeline  # imports Matplotlib

            return_free_memory()
            plot_timeline(folder / TIMELINE_PNG, timeline)
        detector = None if isinstance(video, AudioFile) else predictor.detector(options)
        content = summary(
            timeline,
            predictor.spec,
            options,
            video={**identity, **video.describe()},
            runtime=predictor.runtime.description,
            detector=None if detector is None else detector.version,
            interrupted=interrupted,
        )
        total_seconds = time.perf_counter() - started - annotate_seconds
        content["speed"] = speed(stopwatch, total_seconds, timeline.seconds, annotate_seconds)
        write_json(content, folder / SUMMARY_JSON, ensure_ascii=False)
    return Result(timeline, folder, content, interrupted, not_annotated)


class _Kept:
    """Windows and gaps of a video, with what its plot or its annotated video shows of them: all else is memory.

    Args:
        video: The video.
        for_annotation: Whether they are annotated, which takes the lines and boxes of all faces.

    Attributes:
        pieces: Those so far.
    """

    def __init__(self, video: Video, *, for_annotation: bool) -> None:
        self.pieces: list[Window | Gap] = []
        self._for_annotation = for_annotation
        seconds = 0.0 if isinstance(video, Camera) else video.seconds
        self._seconds_apart = seconds / MAX_PLOTTED_FACES
        self._next_plotted: dict[int | None, float] = {}

    def add(self, piece: Window | Gap) -> None:
        """Keep the next piece, and return the memory that others have left."""
        if isinstance(piece, Window):
            piece = replace(piece, face=None, seconds=())
            if not self._for_annotation:
                piece = replace(piece, box=None, boxes=(), contours=self._plotted(piece))
        self.pieces.append(piece)
        if len(self.pieces) % PIECES_PER_TRIM == 0:
            return_free_memory()

    def _plotted(self, window: Window) -> Contours:
        """Return the lines of one face, and of a long video those of some windows."""
        contours = window.contours
        if not contours or window.start < self._next_plotted.get(window.person, -math.inf):
            return ()
        self._next_plotted[window.person] = window.start + self._seconds_apart
        return (contours[len(contours) // 2],)


def limit_free_memory() -> None:
    """Let glibc keep 4 MiB of free memory at the end of a heap, from now on; by itself it soon keeps up to 64 MiB.

    Blocks of up to 32 MiB, such as frames, are taken from heaps, as glibc itself does once such a block was freed. With
    other C libraries nothing happens.
    """
    _call_glibc("mallopt", M_MMAP_THRESHOLD, 1 << 25)
    _call_glibc("mallopt", M_TRIM_THRESHOLD, 1 << 22)


def return_free_memory() -> None:
    """Return free memory to the system, which glibc keeps for each thread: one decodes frames, another drops them."""
    _call_glibc("malloc_trim", 0)


def _call_glibc(name: str, *arguments: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no such function
            getattr(ctypes.CDLL(None), name)(*arguments)


def _annotate(
    folder: Path, video: Video, timeline: Timeline, progress: Callable[[float], None]
) -> str | None:
    """Write the annotated video of a file, even for a network that only hears it; or return why it can't be written."""
    if isinstance(video, Camera):
        return None
    from emorec.inference.annotate import annotate_video  # imports PyAV and Pillow

    try:
        pictures = video if isinstance(video, VideoFile) else VideoFile(video.path)
        annotate_video(folder / ANNOTATED_MP4, pictures, timeline, progress)
    except ClipError as error:
        return error.reason
    return None


def is_result_file(path: Path) -> bool:
    """Return whether a video or a picture was written by an earlier prediction."""
    return path.name in (ANNOTATED_MP4, TIMELINE_PNG) and path.with_name(TIMELINE_CSV).is_file()


def csv_columns(spec: ModelSpec, adapted_by: str = "", *, unfamiliar: bool = False) -> list[str]:
    """Return the header of `timeline.csv`; the last columns are of marked and of adapted predictions only."""
    label = ["predicted", "confidence"] if spec.task == "classes" else []
    pose = POSE if spec.uses_landmarks else ()
    last = [*(["unfamiliar"] if unfamiliar else []), *(["adapted_by"] if adapted_by else [])]
    return ["start", "end", "person", *label, *spec.names, *pose, *last]


class CsvWriter:
    """Writes a CSV file row by row; after any failure, all its lines are whole.

    Args:
        path: The file, replaced.
        columns: Its header.

    Raises:
        OSError: When it can't be written.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = path.open("wb", buffering=0)
        self.write(columns)

    def write(self, row: Sequence[str | int | None]) -> None:
        """Append a line.

        Raises:
            OSError: When the disk is full; the lines before are kept.
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(row)
        line = text.getvalue().encode()
        end = self._file.tell()
        try:
            written = self._file.write(line)
            while written < len(line):  # a full disk: the next write raises the reason
                written += self._file.write(line[written:])
        except OSError:
            self._file.truncate(end)
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TableWriter:
    """Writes `timeline.csv` and, with `Options.blendshapes`, `frames.csv`, window by window.

    Args:
        folder: Of the files, which are replaced.
        spec: Of the network.
        options: Of the prediction.
        adapted_by: See `Timeline`.
        unfamiliar: Whether windows say which of their streams are unfamiliar.

    Raises:
        OSError: When they can't be written.
    """

    def __init__(
        self,
        folder: Path,
        spec: ModelSpec,
        options: Options,
        adapted_by: str = "",
        *,
        unfamiliar: bool = False,
    ) -> None:
        self._spec = spec
        self._unfamiliar = unfamiliar
        self._adapted_by = [adapted_by] if adapted_by else []
        columns = csv_columns(spec, adapted_by, unfamiliar=unfamiliar)
        self._timeline = CsvWriter(folder / TIMELINE_CSV, columns)
        self._frames: CsvWriter | None = None
        self._last_seconds: dict[int | None, float] = {}
        if options.blendshapes:
            from emorec.data.landmarks import BLENDSHAPES  # imports OpenCV

            columns = ["seconds", "person", *POSE, *BLENDSHAPES]
            self._frames = CsvWriter(folder / FRAMES_CSV, columns)

    def write(self, window: Window) -> None:
        """Append a window, and its frames that are later than those of the person's windows before.

        Raises:
            OSError: When the disk is full; the lines before are kept.
        """
        values = window.values if window.values is not None else [None] * len(window.names)
        row: list[str | int | None] = [f"{window.start:.3f}", f"{window.end:.3f}", window.person]
        if self._spec.task == "classes":
            row += [window.predicted, _format_float(window.confidence)]
        row += map(_format_float, values)
        if self._spec.uses_landmarks:
            row += _format_degrees(window.pose)
        if self._unfamiliar:
            row.append(" ".join(window.unfamiliar or ()))
        self._timeline.write([*row, *self._adapted_by])
        if self._frames and window.face is not None and window.seconds:  # none of sound alone
            for seconds, face in zip(window.seconds, window.face, strict=True):
                if face["present"] and seconds > self._last_seconds.get(window.person, -math.inf):
                    self._last_seconds[window.person] = seconds
                    pose = _format_degrees(face["pose"].tolist())
                    scores = map(_format_float, face["blendshapes"].tolist())
                    self._frames.write([f"{seconds:.3f}", window.person, *pose, *scores])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timeline.close()
        if self._frames:
            self._frames.close()


def summary(
    timeline: Timeline,
    spec: ModelSpec,
    options: Options,
    *,
    video: dict[str, Any],
    runtime: str,
    detector: str | None,
    interrupted: bool = False,
) -> dict[str, Any]:
    """Return the content of `summary.json` without `speed`; reproducible for the same video, network and versions.

    Args:
        timeline: The prediction.
        spec: Of the network.
        options: Of the prediction.
        video: `Video.describe()`, and of a file its identity.
        runtime: `Runtime.description`.
        detector: Version of the face detector; `None` for whole frames.
        interrupted: Whether Ctrl-C stopped it early.
    """
    labels = Counter(each.predicted for each in timeline.windows if each.predicted)
    return {
        "format": SUMMARY_FORMAT,
        "emorec": __version__,
        "video": {"path": str(timeline.path) if timeline.path else None, **video},
        "stopped": interrupted,
        "windows": len(timeline.windows),
        "persons": len(timeline.persons),
        "predicted": {label: labels[label] for label in sorted(labels)},
        "most_frequent": timeline.most_frequent,
        "meaning": datasheet(spec.data, spec.split).meaning,
        "unfamiliar": count_unfamiliar(timeline),
        "adapted_by": timeline.adapted_by or None,
        "face_coverage": timeline.face_coverage if detector else None,
        "holes": [[gap.start, gap.end] for gap in timeline.gaps],
        "settings": {
            "window_seconds": timeline.window_seconds,
            "hop_seconds": timeline.hop_seconds,
            "abstain_below": options.lowest_confidence(spec),
            "face": options.face_mode(spec) if detector else "none",
            "face_detector": detector,
            "batch_size": options.batch_size,
            "adapt": options.adaptation(spec, live=timeline.path is None),
            "enrol": [str(path) for path in options.enrol],
            "blendshapes": options.blendshapes,
        },
        "network": spec.to_dict(),
        "runtime": runtime,
        "packages": {name: _installed_version(name) for name in PACKAGES},
    }


def speed(
    stopwatch: Stopwatch, total_seconds: float, video_seconds: float, annotate_seconds: float = 0.0
) -> dict[str, Any]:
    """Return the `speed` section of `summary.json`: the total against real time, the network and decoding alone.

    Args:
        stopwatch: That ran meanwhile.
        total_seconds: From opening the video to the last file, without the annotated video.
        video_seconds: Length of the video.
        annotate_seconds: Spent on the annotated video.

    >>> stopwatch = Stopwatch()
    >>> stopwatch.seconds |= {"network": 2.0, "decode": 5.0}
    >>> stopwatch.frames = 300
    >>> result = speed(stopwatch, 10.0, 20.0)
    >>> result["frames_per_second"], result["times_network_alone"], result["times_real_time"]
    (30.0, 5.0, 2.0)
    """
    return {
        "seconds": round(total_seconds, 3),
        "frames_per_second": _ratio(stopwatch.frames, total_seconds),
        "times_real_time": _ratio(video_seconds, total_seconds),
        "seconds_by_stage": {stage: round(spent, 3) for stage, spent in stopwatch.seconds.items()},
        "times_network_alone": _ratio(total_seconds, stopwatch.seconds["network"]),
        "times_decoding_alone": _ratio(total_seconds, stopwatch.seconds["decode"]),
        "seconds_annotating": round(annotate_seconds, 3),
    }


def _ratio(numerator: float, denominator: float) -> float | None:
    return round(numerator / denominator, 3) if denominator > 0 else None


def _format_degrees(pose: Sequence[float] | None) -> list[str]:
    """Format a head pose, which is known to about a degree."""
    return [f"{degrees:.1f}" for degrees in pose] if pose is not None else [""] * len(POSE)


def _format_float(value: float | None) -> str:
    """Format a number as in `predictions.csv`.

    >>> _format_float(0.25), _format_float(1e-7), _format_float(None)
    ('0.25', '1e-07', '')
    """
    return "" if value is None else f"{value:.9g}"


def _installed_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
