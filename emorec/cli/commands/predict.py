"""`emorec predict`: what a trained network makes of anyone's videos."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from emorec.cli.commands.predict_progress import PredictProgress
from emorec.cli.commands.predict_table import closing_line, table, written_to
from emorec.errors import UserError
from emorec.inference.camera import Camera
from emorec.inference.load import load
from emorec.inference.predictor import Predictor
from emorec.inference.settings import FaceChoice, Settings
from emorec.inference.sources import Source, find_sources
from emorec.inference.timeline_picture import clock_time
from emorec.inference.video_file import VideoFile
from emorec.inference.video_report import VideoReport, report_video

FAILED = 2
INTERRUPTED = 130

WIDTH_OF_FILES = 250
"""Characters of a line where there is no terminal."""


def predict(
    *videos: str,
    ckpt: str | None = None,
    model: str | None = None,
    out: str = "predictions",
    annotate: bool = False,
    window_seconds: float | None = None,
    hop_seconds: float | None = None,
    abstain_below: float = 0.0,
    face: FaceChoice = "as_trained",
    face_detector: str = "auto",
    batch_size: int = 16,
    device: str | None = None,
    seconds: float | None = None,
) -> None:
    """Tell what a trained network sees in videos, window after window.

    Args:
        videos: Files, folders, patterns such as `'clips/*.mp4'`, or the number of a camera.
        ckpt: The network: a checkpoint, or what `emorec export` made of one.
        model: The same.
        out: Folder; each video gets a folder of its own in it.
        annotate: Write each video with what was said drawn on it, too.
        window_seconds: How long a window is; by default as long as the clips of the training.
        hop_seconds: From one window to the next; by default half a window.
        abstain_below: Call windows with less confidence "uncertain".
        face: Cut out faces as_trained; or against that crop, or none.
        face_detector: auto, yunet, haar or a file of YuNet.
        batch_size: Windows that go through the network together.
        device: Such as cuda or cpu; the fastest there is when not given.
        seconds: How long to film with a camera; until Ctrl-C when not given.

    Raises:
        UserError: When nothing can be predicted at all.
        SystemExit: When some of the videos could not be predicted.
    """
    settings = Settings(
        window_seconds=window_seconds,
        hop_seconds=hop_seconds,
        abstain_below=abstain_below,
        face=face,
        face_detector=face_detector,
        batch_size=batch_size,
    )
    network = which_network(ckpt, model)
    found = find_sources(videos)
    if not videos:
        raise UserError("no video: name files, folders, patterns or the number of a camera")
    if not found.sources and len(found.missing) == 1:
        raise UserError(found.missing[0])
    call = _Call(Path(out).expanduser(), settings, annotated=annotate, camera_seconds=seconds)
    for line in found.others:
        call.note(line)
    for line in found.missing:
        call.fail(line)
    if found.sources:
        with room_in(call.out):
            call.predict(load(network, device), found.sources)
    call.end()


def which_network(ckpt: str | None, model: str | None) -> Path:
    """The file of the network, by either of its names.

    Raises:
        UserError: When there is none or there are two.

    >>> which_network(None, "x.onnx").name
    'x.onnx'
    """
    if ckpt and model and ckpt != model:
        raise UserError(f"--ckpt {ckpt} and --model {model} are two networks: leave one out")
    if not (ckpt or model):
        raise UserError(
            "which network? emorec predict --ckpt FILE VIDEO, as in --ckpt lightning_logs/.../best.ckpt"
        )
    return Path(ckpt or model or "").expanduser()


@contextmanager
def room_in(out: Path) -> Iterator[None]:
    """The output folder, before any time is spent; taken away again where nothing came to be in it.

    Raises:
        UserError: When it can't be made.
    """
    new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"can't write {out}: {error.strerror}; choose another --out") from error
    try:
        yield
    finally:
        if new:
            with suppress(OSError):  # there is something in it
                out.rmdir()


class _Call:
    """One call of the command: its videos one after another, and what went wrong with some of them."""

    def __init__(
        self, out: Path, settings: Settings, *, annotated: bool, camera_seconds: float | None
    ) -> None:
        self.out = out
        self.settings = settings
        self.annotated = annotated
        self.camera_seconds = camera_seconds
        self.console = Console(stderr=True)
        self.failures = 0
        self.stopped = False
        self.hears = False
        self.reports: list[tuple[str, VideoReport]] = []

    def note(self, line: str) -> None:
        """Says something that is not wrong."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def fail(self, line: str) -> None:
        """Says what is wrong with a video; the others go on."""
        self.failures += 1
        self.note(f"emorec predict: error: {' '.join(line.split())}")

    def predict(self, predictor: Predictor, sources: list[Source]) -> None:
        """Predicts all, until somebody stops it."""
        self.hears = predictor.facts.hears
        for number, source in enumerate(sources, 1):
            counted = f"{number}/{len(sources)} " if len(sources) > 1 else ""
            try:
                self._predict_one(predictor, source, counted)
            except UserError as error:
                self.fail(str(error))
            except KeyboardInterrupt:
                self.stopped = True
            if self.stopped:
                return

    def _predict_one(self, predictor: Predictor, source: Source, counted: str) -> None:
        begun = time.perf_counter()
        video: VideoFile | Camera = (
            Camera(source.video, self.camera_seconds)
            if isinstance(source.video, int)
            else VideoFile(source.video)
        )
        with PredictProgress(f"{counted}{source.name}", video, self.console) as progress:
            report = report_video(
                predictor,
                video,
                self.out / source.folder,
                self.settings,
                progress,
                annotated=self.annotated,
                begun=begun,
            )
        self.reports.append((source.name, report))
        self.stopped = report.stopped and isinstance(video, VideoFile)
        self._remark(source.name, report)

    def _remark(self, name: str, report: VideoReport) -> None:
        """Says what is not as one would wish."""
        timeline = report.timeline
        if timeline.holes:
            spans = ", ".join(
                f"{clock_time(round(hole.start, 1), 0)} to {clock_time(round(hole.end, 1), 0)}"
                for hole in timeline.holes[:5]
            )
            more = f" and {len(timeline.holes) - 5} more" if len(timeline.holes) > 5 else ""
            line = f"{name}: damaged from {spans}{more}"
            if timeline.windows:
                self.note(f"{line}; the rest is predicted")
            else:
                self.fail(f"{line}: no window is whole")
        elif not timeline.windows and not report.stopped:
            self.fail(f"{name}: there is no window in it")
        if timeline.windows and not timeline.persons and not report.stopped:
            self.fail(f"{name}: no face was found in it; --face none takes the whole picture")
        if report.content["video"].get("has_sound") is False and self.hears:
            self.note(f"{name}: there is no sound in it; it is only seen")

    def end(self) -> None:
        """Shows what came out.

        Raises:
            SystemExit: When something went wrong, or somebody stopped it.
        """
        if self.reports:
            # in a file, lines that were folded are of no use
            console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_FILES)
            console.print(table(self.reports))
            for line in (
                closing_line(self.reports),
                f"written to {written_to(self.reports, self.out)}",
            ):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        if self.stopped:
            done = f"; what is done is in {self.out}" if self.reports else ""
            self.note(f"stopped{done}")
            sys.exit(INTERRUPTED)
        if self.failures:
            sys.exit(FAILED)
