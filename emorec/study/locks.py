"""Locks: who writes the journal, who works in a run's folder, and which runs on other machines are abandoned."""

import platform
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from optuna.storages.journal import JournalFileOpenLock
from typing_extensions import override

if sys.platform != "win32":
    import fcntl

HEARTBEAT_SECONDS = 20.0

SILENT_SECONDS = 120.0
"""Without a new heartbeat a run on another machine is taken over after so long."""

LOCK = ".running"


class JournalLock(JournalFileOpenLock):
    """Optuna's lock of a journal, which first removes what a full disk or a power cut left unfinished.

    A lock that a killed process left behind is taken over after Optuna's grace period of 30 seconds.

    Args:
        path: The journal.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    @override
    def acquire(self) -> bool:
        super().acquire()
        try:
            cut_to_whole_lines(self._path)
        except BaseException:
            self.release()
            raise
        return True


def cut_to_whole_lines(path: Path) -> None:
    """Remove everything after the last line break of a file: what is appended would make the line invalid.

    Raises:
        OSError: When the file can't be read or written.
    """
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        if end == 0:
            return
        file.seek(end - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


class FolderLock:
    """Lock on a run's folder, held by this process and by the children that inherit it.

    The kernel releases it when the last of them has ended, however that came: a killed study is resumed at once, and a
    training that outlives its killed study is waited for and not started a second time.

    Args:
        folder: The run's folder.

    Attributes:
        descriptor: The file descriptor that children inherit; `None` while the lock is not held.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self.descriptor: int | None = None
        self._file: Any = None

    def acquire(self) -> bool:
        """Take the lock, and return whether it was free.

        Raises:
            OSError: When the folder can't be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a")
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            except OSError:  # a network file system without locks: heartbeats have to do
                pass
        self._file, self.descriptor = file, file.fileno()
        return True

    def release(self) -> None:
        """Release the lock; children that inherited it still hold it."""
        if self._file is not None:
            self._file.close()
        self._file = self.descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.release()


def is_unlocked(folder: Path) -> bool:
    """Return whether no process of this machine holds the folder's lock."""
    if sys.platform == "win32":
        return False
    if not (folder / LOCK).exists():
        return True
    with FolderLock(folder) as lock:
        return lock.acquire()


def machine_id() -> str:
    """Return a name that no other machine has."""
    return f"{platform.node()} {uuid.getnode():012x}"


class Heartbeats:
    """Finds running trials that are abandoned.

    On this machine a run's folder lock tells. Of another machine there is only the heartbeat that its worker writes
    into the storage: when it stands still for `silent_seconds` of this machine's own clock, the run is abandoned.
    (Optuna's heartbeats work for databases alone, and only within `Study.optimize`.)

    Args:
        silent_seconds: How long a heartbeat may stay the same.
        clock: Monotonic seconds.
    """

    def __init__(
        self, silent_seconds: float = SILENT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._silent_seconds = silent_seconds
        self._clock = clock
        self._last: dict[int, tuple[Any, float]] = {}

    def is_abandoned(self, number: int, attributes: Mapping[str, Any]) -> bool:
        """Return whether no process works on a running trial any more.

        Args:
            number: Of the trial.
            attributes: What its worker recorded: `machine`, `folder` and `beat`, as far as it came.
        """
        if attributes.get("machine") == machine_id() and sys.platform != "win32":
            return is_unlocked(Path(attributes["folder"]))
        beat, now = attributes.get("beat"), self._clock()
        before, since = self._last.get(number, (None, now))
        if number not in self._last or before != beat:
            self._last[number] = (beat, now)
            return False
        return now - since > self._silent_seconds
