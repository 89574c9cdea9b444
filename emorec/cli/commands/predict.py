"""`emorec predict VIDEO ...`: predict videos with a trained network.

What imports OpenCV is imported late: `--help` does without.
"""

import glob
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from emorec.console import make_console
from emorec.data.clip import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from emorec.errors import UserError
from emorec.inference.options import Options
from emorec.inference.timeline import (
    Timeline,
    Window,
    format_gaps,
    format_means,
    format_time,
    format_unfamiliar,
)
from emorec.io import disk_errors, list_files
from emorec.text import listed_files

if TYPE_CHECKING:
    from emorec.inference.predictor import Predictor
    from emorec.inference.results import Result, Step
    from emorec.inference.video import Video


FAILED = 2
INTERRUPTED = 130

MAX_CAMERA_DIGITS = 4
"""Longer numbers are no cameras: OpenCV counts from 0, plus 100 to 2,000 for the system's interface."""

MAX_ROWS = 50
"""Of more videos, the table shows the first ones."""

FILE_WIDTH = 250
"""Characters in a line of the table where standard output is no terminal."""


def predict(
    *videos: str,
    ckpt: str | None = None,
    model: str | None = None,
    out: str = "predictions",
    annotate: bool = False,
    device: str | None = None,
    seconds: float | None = None,
    enrol: tuple[str, ...] = (),
    **options: Any,
) -> None:
    """Predict the emotions in videos, window by window, with the network of the package or with one of your own.

    Args:
        videos: Files, folders, patterns such as `'clips/*.mp4'`, or the index of a camera; a network that only hears
            takes sound files, too.
        ckpt: The network: a checkpoint, an exported file, or a name of emorec models; by default face_and_sound, or
            face_and_sound_adapted with --adapt or --enrol.
        model: The same.
        out: Output folder; each video gets a folder in it.
        annotate: Also write each video with its predictions drawn on it.
        device: Such as cuda or cpu; by default the fastest available.
        seconds: How long to record from a camera; by default until Ctrl-C.
        enrol: Adapt to the person by one or more other videos of that person, instead of --adapt.
        options: See `emorec.inference.options.Options`.

    Raises:
        UserError: When nothing can be predicted at all.
        SystemExit: When some videos could not be predicted.
    """
    chosen = Options(enrol=enrol, **options)
    network = network_path(ckpt, model)
    if not videos:
        enrolled = "; those after --enrol are enrolled only" if enrol else ""
        raise UserError(
            f"no video: name files, folders, patterns or the index of a camera{enrolled}"
        )
    from emorec.inference.predictor import load

    predictor = load(network, device, chosen)
    if predictor.spec.split.get("drawn"):
        print(
            "warning: this network was trained on drawn faces: what it predicts of anybody real means nothing",
            file=sys.stderr,
        )
    if network is None:
        print(f"network: built in (emorec models); {predictor.spec.licence}", file=sys.stderr)
    found = find_sources(videos, sound=not predictor.spec.uses_video)
    if not found.sources and len(found.errors) == 1:
        raise UserError(found.errors[0])
    predictor.adapted_by(chosen)  # a mistake, or a bad enrolled video, is reported once
    batch = Batch(Path(out).expanduser(), chosen, annotate=annotate, camera_seconds=seconds)
    with output_folder(batch.out) if found.sources else nullcontext():
        for line in found.notes:
            batch.note(line)
        for line in found.errors:
            batch.error(line)
        if found.sources:
            batch.predict(predictor, found.sources)
    batch.finish()


def network_path(ckpt: str | None, model: str | None) -> Path | None:
    """Return the path of the network, given by either option; `None` for the built-in one.

    Raises:
        UserError: When there are two.

    >>> network_path(None, "x.onnx").name
    'x.onnx'
    """
    if ckpt and model and ckpt != model:
        raise UserError(f"--ckpt {ckpt} and --model {model} are two networks: leave one out")
    path = ckpt or model
    return Path(path).expanduser() if path else None


@contextmanager
def output_folder(out: Path) -> Iterator[None]:
    """Create the output folder first, and remove it when nothing was written.

    Raises:
        UserError: When it can't be created.
    """
    is_new = not out.exists()
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):  # not empty
                out.rmdir()


@dataclass(frozen=True, slots=True)
class Source:
    """Video, or sound file, to predict.

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


@dataclass(slots=True)
class Sources:
    """Videos to predict, and problems with the arguments.

    Attributes:
        sources: In the order of the arguments, those of a folder sorted.
        errors: A line for each argument that names no video.
        notes: A line for each folder with files that are not videos.
    """

    sources: list[Source] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
        self.console = make_console(stderr=True)
        self.num_errors = 0
        self.interrupted = False
        self.results: list[tuple[str, Result]] = []

    def note(self, line: str) -> None:
        """Print a line to standard error."""
        self.console.print(line, soft_wrap=True)

    def error(self, line: str) -> None:
        """Print an error in one line, and count it."""
        self.num_errors += 1
        self.note(f"emorec predict: error: {' '.join(line.split())}")

    def predict(self, predictor: "Predictor", sources: Sequence[Source]) -> None:
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

    def _predict(self, predictor: "Predictor", source: Source, title: str) -> None:
        from emorec.data.video.reader import NO_PICTURES
        from emorec.inference.results import predict_to_folder
        from emorec.inference.video import Camera, open_file

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
        if self.options.enrol and len(timeline.persons) > 1:
            self.note(
                f"{source.name}: {len(timeline.persons)} persons are adapted by the enrolled one"
            )
        if predictor.spec.uses_sound and not video.live and not video.has_sound:
            self.note(f"{source.name}: it has no sound; only its frames are used")
        if unfamiliar := format_unfamiliar(timeline):
            self.note(f"{source.name}: {unfamiliar}")
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
            console = make_console() if sys.stdout.isatty() else make_console(width=FILE_WIDTH)
            console.print(results_table(self.results))
            folder = (
                f"{self.results[0][1].folder}"
                if len(self.results) == 1
                else f"{self.out}, a folder for each video"
            )
            adapted = {result.timeline.adapted_by: None for _, result in self.results}
            for line in (
                *(f"adapted to each person by {each}" for each in adapted if each),
                speed_line([result for _, result in self.results]),
                f"written to {folder}",
            ):
                console.print(line, soft_wrap=True)
        if self.interrupted:
            done = f"; finished results are in {self.out}" if self.results else ""
            self.note(f"stopped{done}")
            sys.exit(INTERRUPTED)
        if self.num_errors:
            sys.exit(FAILED)


def error_of(result: "Result") -> str | None:
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

    def __init__(self, title: str, video: "Video", console: Console) -> None:
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

    def update(self, step: "Step", seconds: float) -> None:
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


def results_table(results: "Sequence[tuple[str, Result]]") -> Table:
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


def speed_line(results: "Sequence[Result]") -> str:
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


def find_sources(arguments: Sequence[str], *, sound: bool = False) -> Sources:
    """Find the videos named by files, folders (at any depth), glob patterns and camera indices.

    Args:
        arguments: The names; a file that is named itself is a video whatever its suffix.
        sound: Whether sound files in folders count as videos, as for a network that only hears.
    """
    found = Sources()
    videos: list[Path | int] = []
    for argument in arguments:
        path = Path(argument).expanduser()
        if path.is_dir():
            videos += _videos_in(path, found, sound)
        elif argument.isdecimal() and len(argument) <= MAX_CAMERA_DIGITS and not path.exists():
            videos.append(int(argument))
        elif not os.path.lexists(path) and glob.has_magic(argument):
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - ** as in the shell
            if not matches:
                found.errors.append(f"no file matches {path}")
            for match in map(Path, matches):
                videos += _videos_in(match, found, sound) if match.is_dir() else [match]
        elif not path.exists():
            found.errors.append(f"no such file or folder: {argument}")
        else:
            videos.append(path)
    videos = list(dict.fromkeys(videos))
    folders = output_folders([video for video in videos if isinstance(video, Path)])
    found.sources = [
        Source(video, Path(f"camera_{video}") if isinstance(video, int) else folders[video])
        for video in videos
    ]
    return found


def _videos_in(folder: Path, found: Sources, sound: bool) -> list[Path]:
    """Return all videos below a folder, sorted; without hidden files and results of earlier predictions."""
    from emorec.inference.results import is_result_file

    files = [path for path in list_files(folder) if path.is_file() and not is_result_file(path)]
    files.sort()
    suffixes = VIDEO_SUFFIXES | AUDIO_SUFFIXES if sound else VIDEO_SUFFIXES
    kind = "video or sound file" if sound else "video"
    videos = [path for path in files if path.suffix.lower() in suffixes]
    others = [(path.relative_to(folder), "") for path in files if path not in set(videos)]
    if not videos:
        found.errors.append(f"no {kind} in {folder}")
    elif others:
        ignored = (
            f"1 file is no {kind}" if len(others) == 1 else f"{len(others)} files are no {kind}s"
        )
        found.notes.append(f"{ignored} in {folder}: {listed_files(others)}")
    return videos


def output_folders(videos: Sequence[Path]) -> dict[Path, Path]:
    """Return an output folder for each video: its name without suffix, and as much more as makes it unique.

    >>> [str(folder) for folder in output_folders([Path("a/1.mp4"), Path("b/1.mp4"), Path("b/2.mp4")]).values()]
    ['a/1', 'b/1', '2']
    >>> [str(folder) for folder in output_folders([Path("1.mp4"), Path("1.avi")]).values()]
    ['1.mp4', '1.avi']
    """
    absolute = {video: Path(os.path.abspath(video)) for video in videos}  # noqa: PTH100 - keeps symlinks
    root = Path(os.path.commonpath([path.parent for path in absolute.values()] or [Path("/")]))
    schemes: list[Callable[[Path], Path]] = [
        lambda path: Path(path.stem),
        lambda path: path.relative_to(root).with_suffix(""),
        lambda path: path.relative_to(root),
    ]
    folders: dict[Path, Path] = {}
    remaining = list(videos)
    for scheme in schemes:
        named = {video: scheme(absolute[video]) for video in remaining}
        # compared in lower case: some file systems ignore case
        count = Counter(str(folder).lower() for folder in [*named.values(), *folders.values()])
        folders |= {
            video: folder for video, folder in named.items() if count[str(folder).lower()] == 1
        }
        remaining = [video for video in remaining if video not in folders]
    folders |= {
        video: Path(f"{absolute[video].name}_{number}") for number, video in enumerate(remaining, 1)
    }
    return {video: folders[video] for video in videos}
