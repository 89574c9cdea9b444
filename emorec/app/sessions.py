"""Files of visitors: uploads and results, deleted as soon as they are not needed."""

import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from emorec.errors import UserError

PREFIX = "emorec-app-"
"""Of the folder's name; the process id follows."""

MAX_RESULT_MINUTES = 30
CLEANUP_INTERVAL_SECONDS = 60


class Sessions:
    """Private folder with the uploads and results of visitors.

    An upload is deleted once it is predicted; a result when its visitor leaves, on request, after the next upload or,
    in a `with` statement, when it is old; everything with `close`, as at the end of a `with` statement. Folders of
    killed processes are deleted by the next one.

    Args:
        parent: Of the folder; by default the system's folder for temporary files.

    Raises:
        UserError: When the folder can't be created.

    Attributes:
        root: The folder, readable by its owner only.
        uploads: Gradio's folder: each upload is in a folder of its own, named after a hash of its content.
        results: Each result is in a folder with a random name. It is part of Gradio's folder, which Gradio serves.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        delete_left_behind(parent)
        try:
            root = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent)
        except OSError as error:
            raise UserError(
                f"can't write temporary files: {error.strerror}; set TMPDIR to another folder"
            ) from None
        self.root = Path(root).resolve()
        self.uploads = self.root / "uploads"
        self.results = self.uploads / "results"
        self.results.mkdir(parents=True)
        self._lock = threading.Lock()
        self._waiting: dict[Path, list[str]] = {}
        self._results_of: dict[str, list[Path]] = {}
        self._ended: set[str] = set()
        self._stopped = False
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._delete_old_regularly, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def is_upload(self, path: Path) -> bool:
        """Return whether a file was uploaded; no other file of this machine is ever read."""
        path = path.resolve()
        return path.is_relative_to(self.uploads) and not path.is_relative_to(self.results)

    def add_upload(self, upload: Path, session: str) -> None:
        """Keep an upload until `release_upload`; equal files of two visitors are one file."""
        with self._lock:
            self._ended.discard(session)
            self._waiting.setdefault(upload, []).append(session)

    def write_upload(self, content: bytes, name: str, session: str) -> Path:
        """Store a file of the app itself as if a visitor had uploaded it, in a folder of its own."""
        path = self.uploads / secrets.token_urlsafe(24) / name
        path.parent.mkdir()
        path.write_bytes(content)
        self.add_upload(path, session)
        return path

    def release_upload(self, upload: Path, session: str) -> None:
        """Delete an upload, unless another visitor waits for its prediction."""
        with self._lock:
            sessions = self._waiting.get(upload, [])
            if session in sessions:
                sessions.remove(session)
            if sessions:
                return
            self._waiting.pop(upload, None)
        if self.is_upload(upload) and (folder := self._folder_of(upload)) != self.uploads:
            _delete(folder)

    def new_result(self, session: str) -> Path:
        """Create a folder for the result of a visitor; the page shows the previous one until this one is complete."""
        folder = self.results / secrets.token_urlsafe(24)
        folder.mkdir()
        with self._lock:
            self._results_of.setdefault(session, []).append(folder)
        return folder

    def delete_results(self, session: str, keep: Path | None = None) -> None:
        """Delete the results of a visitor, but for one."""
        with self._lock:
            folders = self._results_of.pop(session, [])
            if keep in folders:
                self._results_of[session] = [keep]
        for folder in folders:
            if folder != keep:
                _delete(folder)

    def end(self, session: str) -> None:
        """Delete all files of a visitor who left; a running prediction finds out by `has_ended`."""
        with self._lock:
            self._ended.add(session)
            waiting = [upload for upload, sessions in self._waiting.items() if session in sessions]
        self.delete_results(session)
        for upload in waiting:
            self.release_upload(upload, session)

    def has_ended(self, session: str) -> bool:
        """Return whether the visitor left, or the server is stopping."""
        if self._stopped:
            return True
        with self._lock:
            return session in self._ended

    def stop(self) -> None:
        """End all sessions; safe in a signal handler."""
        self._stopped = True

    def delete_old(self, older_than_seconds: float) -> None:
        """Delete old results, and uploads without a waiting visitor, such as interrupted ones."""
        before = time.time() - older_than_seconds
        with self._lock:
            old = [
                session
                for session, folders in self._results_of.items()
                if all(_modified(folder) < before for folder in folders)
            ]
            waiting = {self._folder_of(upload) for upload in self._waiting}
        for session in old:
            self.delete_results(session)
        for path in list(self.uploads.iterdir()):
            if path != self.results and path not in waiting and _modified(path) < before:
                _delete(path)

    def close(self) -> None:
        """Delete everything."""
        self.stop()
        self._closed.set()
        shutil.rmtree(self.root, ignore_errors=True)

    def _delete_old_regularly(self) -> None:
        while not self._closed.wait(CLEANUP_INTERVAL_SECONDS):
            self.delete_old(60 * MAX_RESULT_MINUTES)

    def _folder_of(self, upload: Path) -> Path:
        """Return the folder of an upload, or the file itself where it has none."""
        parts = upload.resolve().relative_to(self.uploads).parts
        return self.uploads.joinpath(*parts[:1])


def delete_left_behind(parent: Path) -> None:
    """Delete the folders of processes that were killed."""
    for folder in parent.glob(f"{PREFIX}*-*"):
        process_id = folder.name.removeprefix(PREFIX).partition("-")[0]
        if process_id.isdecimal() and not _is_running(int(process_id)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process_id: int) -> bool:
    if sys.platform == "win32":  # there os.kill would end it
        return True
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True


def _modified(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
