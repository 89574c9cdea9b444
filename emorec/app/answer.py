"""From an upload to what the page shows: one clear sentence where it can't be answered, and nothing left behind."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from emorec.app.limits import Limits
from emorec.app.rooms import Rooms
from emorec.app.shown import result_html, trouble_html
from emorec.errors import UserError
from emorec.inference.timeline import Timeline

log = logging.getLogger(__name__)

RESULTS = "results"
"""First part of the address of a result's files."""

Progress = Callable[[str, float], None]
"""Is told what is being done and which share of it is done; it may raise to stop that."""


class Look(Protocol):
    """Looks at a video and writes `timeline.csv`, `timeline.png` and `annotated.mp4`."""

    def __call__(self, video: Path, folder: Path, progress: Progress) -> Timeline:
        """What is said of the video.

        Raises:
            UserError: When it can't be looked at.
        """
        ...


class GoneError(Exception):
    """Who asked has closed the page."""


class Answerer:
    """Answers uploads.

    Args:
        look: What looks at them.
        rooms: Where they lie.
        limits: What is refused unseen.
        meaning: What the words of the answer mean, in a sentence.
    """

    def __init__(self, look: Look, rooms: Rooms, limits: Limits, meaning: str) -> None:
        self._look = look
        self._rooms = rooms
        self._limits = limits
        self._meaning = meaning

    def answer(self, upload: Path, session: str, progress: Progress) -> str:
        """HTML of the result, or of what went wrong; the upload is deleted in either case.

        Args:
            upload: A file that was sent here.
            session: Who sent it.
            progress: Is told how far it is.
        """
        try:
            if not self._rooms.is_upload(upload):
                raise UserError("only a video that was sent here is looked at")
            self._limits.refuse_large(upload)
            return self._result(upload, session, progress)
        except UserError as error:
            return trouble_html(sentence(error, upload))
        except GoneError:
            return ""
        except Exception:
            log.exception("%s can't be looked at", upload.name)
            return trouble_html(
                "emorec itself failed with this video; what happened stands where it was started"
            )
        finally:
            self._rooms.release(upload, session)

    def _result(self, upload: Path, session: str, progress: Progress) -> str:
        def told(what: str, share: float) -> None:
            if self._rooms.is_gone(session):
                raise GoneError
            progress(what, share)

        result = self._rooms.new_result(session)
        try:
            timeline = self._look(upload, result.folder, told)
            if not timeline.windows:
                raise UserError(nothing_said(upload, timeline))
            if self._rooms.is_gone(session):
                raise GoneError
        except BaseException:
            self._rooms.drop(result)
            raise
        return result_html(timeline, place=f"/{RESULTS}/{result.token}", meaning=self._meaning)


def nothing_said(upload: Path, timeline: Timeline) -> str:
    """Why there is no window."""
    if timeline.holes:
        return f"{upload.name} is damaged: no part of it is whole enough to be looked at"
    return f"{upload.name} has no part that can be looked at"


def sentence(error: UserError, upload: Path) -> str:
    """What went wrong, without the places of this machine.

    >>> sentence(UserError("/tmp/x/a.mp4: no video in it."), Path("/tmp/x/a.mp4"))
    'a.mp4: no video in it'
    """
    return " ".join(str(error).replace(str(upload), upload.name).split()).rstrip(".")
