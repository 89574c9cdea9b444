"""`emorec predict VIDEO ...`: predict videos with a trained network.

What imports OpenCV is imported late: `--help` does without.
"""

import glob
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from emorec import hub
from emorec.console import make_console, make_progress
from emorec.data.clip import AUDIO_SUFFIXES, PICTURE_SUFFIXES, VIDEO_SUFFIXES
from emorec.data.datasheets import DRAWN_WARNING
from emorec.errors import UserError
from emorec.inference.batch import (
    Batch,
    Outcome,
    Outline,
    Source,
    earlier_outcome,
    open_predictor,
    other_video,
    predict_in_worker,
    predict_sources,
    shard_of,
)
from emorec.inference.options import Options
from emorec.inference.timeline import Window, format_time
from emorec.io import cache_folder, disk_errors, list_files
from emorec.text import listed_files, plural

if TYPE_CHECKING:
    from emorec.inference.batch import ShowStep
    from emorec.inference.predictor import Predictor
    from emorec.inference.results import Step
    from emorec.inference.video import Video


FAILED = 2
INTERRUPTED = 130

MAX_CAMERA_DIGITS = 4
"""Longer numbers are not cameras: OpenCV counts from 0, plus 100 to 2,000 for the system's interface."""

MAX_ROWS = 50
"""Of more videos, the table shows the first ones."""

PRINTED = "printed.txt"
"""File in the cache folder: the lines that are printed once."""


def predict(
    *videos: str,
    ckpt: str | None = None,
    model: str | None = None,
    out: str = "predictions",
    annotate: bool = False,
    device: str | None = None,
    seconds: float | None = None,
    enrol: tuple[str, ...] = (),
    jobs: int | None = None,
    shard: str | None = None,
    overwrite: bool = False,
    table: str | None = None,
    ray: str | None = None,
    **options: Any,
) -> None:
    """Predict the emotions in videos, window by window, with the network of the package or with one of your own.

    Args:
        videos: Files, folders, patterns such as `'clips/*.mp4'`, or the index of a camera; sound files and pictures
            are taken, too.
        ckpt: The network: a checkpoint, an exported file, a name of emorec models, or hf://USER/NAME; by default
            face_and_sound, or face_and_sound_adapted with --adapt or --enrol.
        model: The same.
        out: Output folder; each video gets a folder in it.
        annotate: Also write each video with its predictions drawn on it.
        device: Such as cuda or cpu; by default the fastest available.
        seconds: Seconds to record from a camera; else until Ctrl-C.
        enrol: Adapt to the person by one or more other videos of that person, instead of --adapt.
        jobs: Predict this many videos at a time, each in a process of its own, which share the cores.
        shard: Predict the I-th of N parts of the videos, given as I/N, as in an array job; --out may be the same.
        overwrite: Predict again what an earlier call has finished.
        table: Also write one table over all videos: a .csv or .parquet file.
        ray: Predict on the Ray cluster of this address, or local, with --jobs workers (by default one a core).
        options: See `emorec.inference.options.Options`.

    Raises:
        UserError: When nothing can be predicted at all.
        SystemExit: When some videos could not be predicted.
    """
    chosen = Options(enrol=enrol, **options)
    network = network_path(ckpt, model)
    table_file = Path(table).expanduser() if table else None
    check_arguments(videos, chosen, jobs, table_file)
    predictor = open_predictor(network, device, chosen)
    print_terms(network, predictor)
    spec = predictor.spec
    sound = spec.can_do_without_pictures or not spec.uses_video
    found = find_sources(videos, sound=sound, pictures=spec.uses_video)
    if not found.sources and len(found.errors) == 1:
        raise UserError(found.errors[0])
    sources = found.sources if shard is None else shard_of(found.sources, shard)
    if (jobs or shard or ray) and any(isinstance(each.video, int) for each in sources):
        raise UserError("a camera is predicted alone: leave --jobs, --shard and --ray out")
    predictor.adapted_by(chosen)  # a mistake, or a bad enrolled video, is reported once
    batch = Batch(
        network=network,
        device=device,
        options=chosen,
        out=Path(out).expanduser(),
        annotate=annotate,
        camera_seconds=seconds,
    )
    predictions = Predictions(batch)
    with output_folder(batch.out) if sources else nullcontext():
        for line in found.notes:
            predictions.note(line)
        for line in found.errors:
            predictions.error(line)
        if not sources and found.sources:
            predictions.note(f"no video in shard {shard} of {plural(len(found.sources), 'video')}")
        remaining = sources if overwrite else predictions.skip_finished(predictor, sources)
        predictions.predict(predictor, remaining, jobs=jobs, ray=ray)
    if table_file:
        predictions.write_table(table_file, predictor, sources)
    predictions.finish(sources)


def check_arguments(
    videos: Sequence[str], options: Options, jobs: int | None, table: Path | None
) -> None:
    """Refuse arguments that are wrong whatever the network and the videos are.

    Raises:
        UserError: For the first of them.
    """
    if not videos:
        enrolled = "; those after --enrol are enrolled only" if options.enrol else ""
        raise UserError(
            f"no video: name files, folders, patterns or the index of a camera{enrolled}"
        )
    if jobs is not None and jobs < 1:
        raise UserError(f"jobs is {jobs}: choose at least 1")
    if table:
        from emorec.inference.table import check_table

        check_table(table)


def print_terms(network: Path | None, predictor: "Predictor") -> None:
    """Print what users of the network have to know; its origin and licence at its first use."""
    if predictor.spec.split.get("drawn"):
        print(DRAWN_WARNING, file=sys.stderr)
    origin = hub.parse_address(network) if network else "built in (emorec models)"
    if origin:
        print_once(f"network: {origin}; {predictor.spec.licence}")


def print_once(line: str) -> None:
    """Print a line to standard error, unless an earlier call has, by a file in the cache folder."""
    printed = cache_folder() / PRINTED
    with suppress(OSError):
        if line in printed.read_text(encoding="utf-8", errors="replace").splitlines():
            return
    print(line, file=sys.stderr)
    with suppress(OSError):  # printed again by the next call
        printed.parent.mkdir(parents=True, exist_ok=True)
        with printed.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


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


class Predictions:
    """Outcomes of the videos of a call, printed as they become known; an error of one does not stop the others.

    Args:
        batch: How they are predicted.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.console = make_console(stderr=True)
        self.num_errors = 0
        self.interrupted = False
        self.seconds: float | None = None
        """That passed, where videos are predicted side by side."""
        self.outcomes: dict[Source, Outcome] = {}
        self.skipped: set[Source] = set()
        self._printed: set[str] = set()

    def note(self, line: str) -> None:
        """Print a line to standard error."""
        self.console.print(line, soft_wrap=True)

    def error(self, line: str) -> None:
        """Print an error in one line, and count it."""
        self.num_errors += 1
        self.note(f"emorec predict: error: {' '.join(line.split())}")

    def add(self, source: Source, outcome: Outcome, *, skipped: bool = False) -> None:
        """Print and keep what became of a video."""
        for line in outcome.notes:
            if line not in self._printed:  # workers may all say the same
                self.note(line)
            self._printed.add(line)
        for line in (*outcome.other_errors, *([outcome.failure] if outcome.failure else [])):
            self.error(line)
        if outcome.outline or outcome.failure:
            self.outcomes[source] = outcome
        if skipped:
            self.skipped.add(source)
        self.interrupted = self.interrupted or outcome.interrupted

    def skip_finished(self, predictor: "Predictor", sources: Sequence[Source]) -> list[Source]:
        """Return the videos to predict; add the finished ones, and those whose folder has another video's results."""
        remaining = []
        for source in sources:
            outcome = earlier_outcome(source, self.batch, predictor)
            if outcome is None and (other := other_video(source, self.batch.out)):
                folder = self.batch.out / source.folder
                replaced = f"{folder} holds the results of {other}: choose another --out, or --overwrite them"
                self.add(source, Outcome(failure=f"{source.name}: {replaced}"))
            elif outcome is None:
                remaining.append(source)
            else:
                self.add(source, outcome, skipped=True)
        if skipped := len(self.skipped):
            self.note(
                f"{skipped} of {plural(len(sources), 'video')} predicted before and skipped; "
                f"--overwrite predicts {'it' if skipped == 1 else 'them'} again"
            )
        return remaining

    def predict(
        self,
        predictor: "Predictor",
        sources: Sequence[Source],
        *,
        jobs: int | None,
        ray: str | None,
    ) -> None:
        """Predict the videos: on Ray, in several processes, or one after another.

        Raises:
            UserError: When a network of landmarks lacks LiteRT: once, not for each video.
        """
        if not sources:
            return
        if predictor.spec.uses_landmarks:
            from emorec.data.landmarks import cached_landmarker

            cached_landmarker()
        if ray:
            from emorec.inference.ray_cluster import predict_on_ray

            outcomes = predict_on_ray(sources, self.batch, ray, jobs)
            self._add_all(outcomes, len(sources))
        elif jobs and jobs > 1 and len(sources) > 1:
            self.predict_in_processes(sources, jobs)
        else:
            self.predict_in_turn(predictor, sources)

    def predict_in_turn(self, predictor: "Predictor", sources: Sequence[Source]) -> None:
        """Predict the videos one after another, or until Ctrl-C."""
        numbers = {source: number for number, source in enumerate(sources, 1)}

        def show(source: Source, video: "Video") -> AbstractContextManager["ShowStep"]:
            prefix = f"{numbers[source]}/{len(sources)} " if len(sources) > 1 else ""
            return show_video(f"{prefix}{source.name}", self.console, video)

        outcomes = predict_sources(
            predictor, sources, self.batch, on_window=print_window, show_progress=show
        )
        for source, outcome in outcomes:
            self.add(source, outcome)

    def predict_in_processes(self, sources: Sequence[Source], jobs: int) -> None:
        """Predict the videos in several processes, or until Ctrl-C."""
        from emorec.inference.workers import (
            WorkerKilledError,
            map_in_processes,
            threads_per_process,
        )

        def tell(number: int) -> None:
            self.note(
                "a worker process was killed (out of memory?): "
                f"{plural(number, 'video')} at work {'is' if number == 1 else 'are'} tried again, one at a time"
            )

        function = partial(predict_in_worker, self.batch)
        with threads_per_process(min(jobs, len(sources))):
            outcomes = map_in_processes(function, sources, jobs, on_killed=tell)
            self._add_all(
                (
                    (
                        source,
                        Outcome(failure=f"{source.path}: its process was killed (out of memory?)")
                        if isinstance(outcome, WorkerKilledError)
                        else outcome,
                    )
                    for source, outcome in outcomes
                ),
                len(sources),
            )

    def _add_all(self, outcomes: Iterable[tuple[Source, Outcome]], total: int) -> None:
        """Add outcomes as they arrive, under a progress bar of videos; Ctrl-C ends them."""
        started = time.perf_counter()
        bar = make_progress(
            TextColumn("videos"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            console=self.console,
        )
        try:
            with bar:
                task = bar.add_task("videos", total=total)
                for source, outcome in outcomes:
                    self.add(source, outcome)
                    bar.advance(task)
        except KeyboardInterrupt:
            self.interrupted = True
        self.seconds = time.perf_counter() - started

    def write_table(self, path: Path, predictor: "Predictor", sources: Sequence[Source]) -> None:
        """Write one table over all videos.

        Raises:
            UserError: When it can't be written.
        """
        from emorec.inference.results import csv_columns
        from emorec.inference.table import write_table

        columns = csv_columns(
            predictor.spec,
            predictor.adapted_by(self.batch.options),
            unfamiliar=predictor.familiarity is not None,
        )
        known = [source for source in sources if source in self.outcomes]
        write_table(path, columns, [(each, self.outcomes[each]) for each in known], self.batch.out)

    def finish(self, sources: Sequence[Source]) -> None:
        """Print the table of results in the order of the videos.

        Raises:
            SystemExit: After an error or Ctrl-C.
        """
        results = [
            (source, outline)
            for source in sources
            if source in self.outcomes and (outline := self.outcomes[source].outline)
        ]
        out = self.batch.out
        if results:
            console = make_console()
            console.print(results_table([(source.name, outline) for source, outline in results]))
            folder = (
                f"{out / results[0][0].folder}"
                if len(results) == 1
                else f"{out}, a folder for each video"
            )
            adapted = {outline.adapted_by: None for _, outline in results}
            predicted = [outline for source, outline in results if source not in self.skipped]
            for line in (
                *(f"adapted to each person by {each}" for each in adapted if each),
                *([speed_line(predicted, self.seconds)] if predicted else []),
                f"written to {folder}",
            ):
                console.print(line, soft_wrap=True)
        if self.interrupted:
            done = f"; what was predicted is in {out}" if results else ""
            self.note(f"stopped{done}")
            sys.exit(INTERRUPTED)
        if self.num_errors:
            sys.exit(FAILED)


@contextmanager
def show_video(title: str, console: Console, video: "Video") -> "Iterator[ShowStep]":
    """Show a progress bar of a video in the block; yield what moves it."""
    with PredictProgress(title, video, console) as progress:
        yield progress.update


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
        self._bar = make_progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            show=not video.live,
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


def results_table(results: Sequence[tuple[str, Outline]]) -> Table:
    """Return a table with a row for each video."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("video", overflow="fold")
    for column in ("length", "windows", "persons"):
        table.add_column(column, justify="right")
    is_mean = any(outline.is_mean for _, outline in results)
    table.add_column("mean" if is_mean else "most frequent")
    table.add_column("face", justify="right")
    for name, outline in results[:MAX_ROWS]:
        table.add_row(
            Text(name),
            format_time(round(outline.seconds, 1), outline.seconds),
            f"{outline.num_windows}",
            f"{outline.num_persons}",
            Text(outline.gist),
            "" if outline.face_coverage is None else f"{outline.face_coverage:.0%}",
        )
    if len(results) > MAX_ROWS:
        table.add_row(f"and {len(results) - MAX_ROWS} more")
    return table


def speed_line(outlines: Sequence[Outline], seconds: float | None = None) -> str:
    """Format the time for all videos, with the frames of each second; of pictures alone, nothing but the time.

    The time for writing annotated videos is given separately.

    Args:
        outlines: Of the videos.
        seconds: The time; by default the sum of theirs, as of videos predicted one after another.
    """
    speeds = [outline.speed for outline in outlines]
    frames = sum((speed["frames_per_second"] or 0) * speed["seconds"] for speed in speeds)
    more = ""
    if seconds is None:
        seconds = sum(speed["seconds"] for speed in speeds)
        if annotating := sum(speed["seconds_annotating"] for speed in speeds):
            more = f"; annotating took {annotating:.1f} s more"
    video_seconds = round(sum(outline.seconds for outline in outlines), 1)
    if not video_seconds:
        return f"{seconds:.1f} s{more}"
    total = f"{seconds:.1f} s for {format_time(video_seconds, video_seconds)}"
    if not frames:  # an audio network
        return f"{total} of sound{more}"
    return f"{total} of video, {frames / seconds:,.0f} frames/s{more}"


def find_sources(
    arguments: Sequence[str], *, sound: bool = False, pictures: bool = True
) -> Sources:
    """Find the videos named by files, folders (at any depth), glob patterns and camera indices.

    Args:
        arguments: The names; a file that is named itself is a video whatever its suffix.
        sound: Whether folders are searched for sound files beside videos, as for a network that hears alone.
        pictures: Whether they are searched for pictures beside videos.
    """
    found = Sources()
    suffixes = {
        "video": VIDEO_SUFFIXES,
        **({"picture": PICTURE_SUFFIXES} if pictures else {}),
        **({"sound file": AUDIO_SUFFIXES} if sound else {}),
    }
    videos: list[Path | int] = []
    for argument in arguments:
        path = Path(argument).expanduser()
        if path.is_dir():
            videos += _videos_in(path, found, suffixes)
        elif argument.isdecimal() and len(argument) <= MAX_CAMERA_DIGITS and not path.exists():
            videos.append(int(argument))
        elif not os.path.lexists(path) and glob.has_magic(argument):
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - ** as in the shell
            if not matches:
                found.errors.append(f"no file matches {path}")
            for match in map(Path, matches):
                videos += _videos_in(match, found, suffixes) if match.is_dir() else [match]
        elif not path.exists():
            found.errors.append(f"no such file or folder: {argument}")
        else:
            videos.append(path)
    spelled: dict[str | int, Path | int] = {}
    for video in videos:  # a video is predicted once, however often and variously it is named
        key = video if isinstance(video, int) else os.path.abspath(video)  # noqa: PTH100 - keeps symlinks
        spelled.setdefault(key, video)
    videos = list(spelled.values())
    folders = output_folders([video for video in videos if isinstance(video, Path)])
    found.sources = [
        Source(video, Path(f"camera_{video}") if isinstance(video, int) else folders[video])
        for video in videos
    ]
    return found


def _videos_in(folder: Path, found: Sources, suffixes: Mapping[str, frozenset[str]]) -> list[Path]:
    """Return all that can be predicted below a folder, sorted; without hidden files and results of predictions."""
    from emorec.inference.results import is_result_file

    unreadable: list[OSError] = []
    files = [
        path
        for path in list_files(folder, unreadable.append)
        if path.is_file() and not is_result_file(path)
    ]
    files.sort()
    found.errors += (f"can't read {error.filename}: {error.strerror}" for error in unreadable)
    *first, last = suffixes
    kind = " or ".join([", ".join(first), last])
    videos = [
        path for path in files if path.suffix.lower() in frozenset().union(*suffixes.values())
    ]
    others = [(path.relative_to(folder), "") for path in files if path not in set(videos)]
    if not videos and not unreadable:
        found.errors.append(f"no {kind} in {folder}")
    elif others:
        ignored = (
            f"1 file is not a {kind}"
            if len(others) == 1
            else f"{len(others)} files are not {kind}s"
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
