"""Where uploads and results lie while they are needed, and nowhere longer."""

import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PREFIX = "emorec-app-"
"""Of the folder's name; the number of its process follows."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a video.

    Attributes:
        token: Nobody can guess it: who has it may see the result.
        folder: Where its files are.
        session: Whose it is.
    """

    token: str
    folder: Path
    session: str


class Rooms:
    """A private folder with what visitors sent and what they got.

    An upload goes as soon as it was answered, a result with its visitor, on request, or when it is old; all of it goes
    with `close`. What a killed process left is removed by the next one.

    Args:
        parent: Where the folder is made; the system's place for temporary files when not given.

    Raises:
        OSError: When it can't be made.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        remove_left_behind(parent)
        # only its owner can look into it
        self.root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent)).resolve()
        self.uploads = self.root / "uploads"
        self._results = self.root / "results"
        self.uploads.mkdir()
        self._results.mkdir()
        self._lock = threading.Lock()
        self._waiting: dict[Path, list[str]] = {}
        self._of_session: dict[str, Result] = {}
        self._gone: set[str] = set()
        self._stopped = False

    def hold(self, upload: Path, session: str) -> None:
        """Keeps an upload until `release`; equal files of two visitors are one file."""
        with self._lock:
            self._gone.discard(session)
            self._waiting.setdefault(upload, []).append(session)

    def release(self, upload: Path, session: str) -> None:
        """Deletes an upload, unless another visitor waits for it."""
        with self._lock:
            holders = self._waiting.get(upload, [])
            if session in holders:
                holders.remove(session)
            if holders:
                return
            self._waiting.pop(upload, None)
        self._delete_upload(upload)

    def is_upload(self, path: Path) -> bool:
        """Whether a file was sent here; no other file of this machine is ever looked at."""
        return path.resolve().is_relative_to(self.uploads)

    def new_result(self, session: str) -> Result:
        """A folder for the answer to a visitor, whose former one is deleted."""
        token = secrets.token_urlsafe(24)
        folder = self._results / token
        folder.mkdir()
        with self._lock:
            former = self._of_session.get(session)
            self._of_session[session] = result = Result(token, folder, session)
        if former:
            shutil.rmtree(former.folder, ignore_errors=True)
        return result

    def file(self, token: str, name: str) -> Path | None:
        """A file of a result, if there is one."""
        with self._lock:
            known = {result.token: result.folder for result in self._of_session.values()}
        folder = known.get(token)
        if folder is None or Path(name).name != name:
            return None
        path = folder / name
        return path if path.is_file() else None

    def forget(self, session: str) -> None:
        """Deletes a visitor's result."""
        with self._lock:
            result = self._of_session.pop(session, None)
        if result:
            shutil.rmtree(result.folder, ignore_errors=True)

    def drop(self, result: Result) -> None:
        """Deletes a result, also one whose visitor has gone."""
        with self._lock:
            if self._of_session.get(result.session) == result:
                del self._of_session[result.session]
        shutil.rmtree(result.folder, ignore_errors=True)

    def leave(self, session: str) -> None:
        """Deletes all of a visitor who closed the page; who is being answered learns it by `is_gone`."""
        with self._lock:
            self._gone.add(session)
            waiting = [upload for upload, holders in self._waiting.items() if session in holders]
        self.forget(session)
        for upload in waiting:
            self.release(upload, session)

    def is_gone(self, session: str) -> bool:
        """Whether the visitor has closed the page, or the page ends."""
        if self._stopped:
            return True
        with self._lock:
            return session in self._gone

    def stop(self) -> None:
        """Lets all who are being answered be gone; safe in a signal's handler."""
        self._stopped = True

    def sweep(self, older_than_seconds: float) -> None:
        """Deletes results of old, and uploads that nobody waits for, such as those that were broken off."""
        before = time.time() - older_than_seconds
        with self._lock:
            old = [
                session
                for session, result in self._of_session.items()
                if _changed(result.folder) < before
            ]
            held = {_top(self.uploads, upload) for upload in self._waiting}
        for session in old:
            self.forget(session)
        for path in list(self.uploads.iterdir()):
            if path not in held and _changed(path) < before:
                _delete(path)

    def close(self) -> None:
        """Deletes everything."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def _delete_upload(self, upload: Path) -> None:
        if self.is_upload(upload) and upload != self.uploads:
            _delete(_top(self.uploads, upload))


def remove_left_behind(parent: Path) -> None:
    """Removes what processes left that were killed."""
    for folder in parent.glob(f"{PREFIX}*-*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdecimal() and not _is_alive(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":  # there asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _top(folder: Path, path: Path) -> Path:
    """What directly in a folder a path leads through; each upload lies in a folder of its own."""
    path = path.resolve()
    return folder / path.relative_to(folder).parts[0] if path.is_relative_to(folder) else path


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
