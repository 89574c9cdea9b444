"""Handler of uploads: limits, prediction, and one sentence for the visitor where it fails."""

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from emorec.app.sessions import Sessions
from emorec.data.synthetic.clips import draw_talk
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.video.reader import NO_PICTURES
from emorec.errors import UserError
from emorec.inference.batch import advice_to_turn, collected_warnings, format_use
from emorec.inference.predictor import Predictor
from emorec.inference.results import predict_to_folder
from emorec.inference.timeline import Timeline
from emorec.inference.video import open_file
from emorec.text import clock_time

log = logging.getLogger(__name__)

MEGABYTE = 1_000_000

INTERNAL_ERROR = "Internal error; see the server log"

Progress = Callable[[str, float], None]
"""Called with the current step and its finished share; may raise to stop."""


class VisitorLeftError(Exception):
    """The visitor closed the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on uploads.

    Attributes:
        megabytes: Largest file, in 1,000,000 bytes.
        seconds: Longest video.

    Raises:
        UserError: When one is not above 0.
    """

    megabytes: float = 200
    seconds: float = 300

    def __post_init__(self) -> None:
        for name, value in (("max_megabytes", self.megabytes), ("max_seconds", self.seconds)):
            if not value > 0:
                raise UserError(f"--{name} is {value:g}: choose a number above 0")

    @property
    def bytes(self) -> int:
        """Largest file, in bytes."""
        return int(self.megabytes * MEGABYTE)

    def describe(self) -> str:
        """Describe the limits.

        >>> Limits().describe()
        'Files of up to 200 MB and 5:00 minutes'
        """
        return f"Files of up to {self.megabytes:g} MB and {_format_length(self.seconds)}"

    def check_file(self, path: Path) -> None:
        """Refuse a file that is too large, empty or deleted.

        Raises:
            UserError: With the reason.
        """
        try:
            size = path.stat().st_size
        except OSError:
            raise UserError("the video has been deleted: please upload it again") from None
        if size > self.bytes:
            raise UserError(
                f"{path.name} has {size / MEGABYTE:.1f} MB: the limit is {self.megabytes:g} MB"
            )
        if size == 0:
            raise UserError(f"{path.name} is empty: please choose another video")

    def check_length(self, path: Path, seconds: float) -> None:
        """Refuse a video that is too long.

        Raises:
            UserError: With its length.
        """
        if seconds > self.seconds:
            raise UserError(
                f"{path.name} is {_format_length(seconds)} long: the limit is {_format_length(self.seconds)}, "
                "please cut out the part that matters"
            )


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to an upload: a timeline with its result folder, or an error; neither when the visitor left.

    Attributes:
        timeline: The prediction.
        folder: Of the result files.
        notes: Sentences on how it was predicted, without full stops.
        error: One sentence for the visitor, without a full stop.
    """

    timeline: Timeline | None = None
    folder: Path | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None


Predict = Callable[[Path, Path, Progress], Answer]
"""Predicts a video and writes its result files to a folder; raises `UserError` where it can't."""


def handle_upload(
    upload: Path,
    session: str,
    *,
    predict: Predict,
    sessions: Sessions,
    limits: Limits,
    progress: Progress,
) -> Answer:
    """Predict an upload, and delete it in any case.

    Args:
        upload: The file.
        session: Of the visitor.
        predict: Predicts it.
        sessions: Files of visitors.
        limits: Of the upload.
        progress: Called with the progress.
    """

    def check_session(step: str = "", share: float = 0.0) -> None:
        if sessions.has_ended(session):
            raise VisitorLeftError
        if step:
            progress(step, share)

    folder: Path | None = None
    answer = Answer()
    try:
        if not sessions.is_upload(upload):
            raise UserError("only uploaded videos are predicted")
        limits.check_file(upload)
        folder = sessions.new_result(session)
        predicted = predict(upload, folder, check_session)
        check_session()
        if (timeline := predicted.timeline) and not timeline.windows:
            damaged = " is damaged:" if timeline.gaps else ":"
            raise UserError(f"{upload.name}{damaged} no part of it can be predicted")
        answer = predicted
    except VisitorLeftError:
        pass
    except UserError as error:
        answer = Answer(error=error_sentence(error, upload, sessions.root))
    except Exception:
        log.exception("can't predict %s", upload.name)
        answer = Answer(error=INTERNAL_ERROR)
    finally:
        sessions.delete_results(session, keep=answer.folder)
        if folder is not None and answer.folder is None:
            shutil.rmtree(folder, ignore_errors=True)  # written to after the visitor left
        sessions.release_upload(upload, session)
    return answer


def predict_upload(
    predictor: Predictor, limits: Limits, video: Path, folder: Path, progress: Progress
) -> Answer:
    """Predict an upload with a predictor; see `Predict`."""
    started = time.perf_counter()
    file = open_file(video, predictor.spec)
    limits.check_length(video, file.seconds)
    with collected_warnings("emorec.inference") as warnings:
        result = predict_to_folder(
            predictor,
            file,
            folder,
            predictor.options,
            started=started,
            progress=lambda step, seconds: progress(step, min(1.0, seconds / file.seconds)),
            annotate=True,
        )
    if result.not_annotated and result.not_annotated != NO_PICTURES:
        log.warning("no annotated video of %s: %s", video.name, result.not_annotated)
    timeline, options = result.timeline, predictor.options
    notes = (
        format_use(file, predictor.spec),
        advice_to_turn(file, timeline, predictor, options),
        *(warning.replace(str(video), video.name) for warning in warnings),
    )
    sentences = tuple(note[0].upper() + note[1:] for note in notes if note)
    return Answer(timeline, folder, sentences)


@cache
def sample_clip() -> bytes:
    """Draw the sample clip, once a process: eight seconds with sound, wide enough for bars beside the face."""
    settings = ClipSettings(width=560, height=312, num_frames=24, fps=12)
    return draw_talk(("happy", "sad", "angry", "surprised"), settings)


def error_sentence(error: UserError, upload: Path, root: Path) -> str:
    """Return a message without paths of this machine; one about another file of the app is for the log.

    Args:
        error: The error.
        upload: The file that the visitor knows.
        root: Folder of the app's files.

    >>> error_sentence(UserError("/tmp/x/a.mp4: no video in it."), Path("/tmp/x/a.mp4"), Path("/tmp/x"))
    'a.mp4: no video in it'
    """
    sentence = " ".join(str(error).replace(str(upload), upload.name).split()).rstrip(".")
    if str(root) in sentence:  # such as a full disk, which no visitor can change
        log.error("can't predict %s: %s", upload.name, sentence)
        return INTERNAL_ERROR
    return sentence


def _format_length(seconds: float) -> str:
    """Format the length of a video.

    >>> _format_length(45), _format_length(90)
    ('45 seconds', '1:30 minutes')
    """
    if seconds < 60:
        return f"{seconds:.3g} seconds"
    return f"{clock_time(seconds)} {'hours' if seconds >= 3600 else 'minutes'}"
