"""Whether a run that the storage calls running is still being worked on.

Two kinds of evidence. On this machine a lock in the run's folder, which its processes hold and which the kernel sets
free when the last of them has ended, however that came: a killed study is taken up at once, and a training that
outlives its killed study is waited for and not started a second time. Of another machine nothing but its sign of life
in the storage, renewed every `BEAT_SECONDS`: when that stands still for `SILENT_SECONDS` of this machine's own clock,
its run is taken up here. Optuna's own heartbeat works for databases alone and only within `Study.optimize`.
"""

import platform
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

if sys.platform != "win32":
    import fcntl

BEAT_SECONDS = 20.0

SILENT_SECONDS = 120.0

LOCK = ".running"


def this_machine() -> str:
    """A name that no other machine has."""
    return f"{platform.node()} {uuid.getnode():012x}"


class FolderLock:
    """A lock that this process and the children that inherit it hold on a run's folder.

    Args:
        folder: The run's folder.

    Attributes:
        descriptor: What children inherit; `None` while the lock is not held.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self.descriptor: int | None = None
        self._file: Any = None

    def acquire(self) -> bool:
        """Takes the lock if nobody has it.

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
            except OSError:  # a network disk without locks: the signs of life have to do
                pass
        self._file, self.descriptor = file, file.fileno()
        return True

    def release(self) -> None:
        """Lets go; children that inherited the lock still hold it."""
        if self._file is not None:
            self._file.close()
        self._file = self.descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.release()


def nobody_works_in(folder: Path) -> bool:
    """Whether no process of this machine holds the folder's lock."""
    if sys.platform == "win32":
        return False
    if not (folder / LOCK).exists():
        return True
    with FolderLock(folder) as lock:
        return lock.acquire()


class Watch:
    """Remembers the signs of life of runs on other machines.

    Args:
        silent_seconds: How long a sign may stay the same.
        clock: Seconds that only go up.
    """

    def __init__(
        self, silent_seconds: float = SILENT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._silent = silent_seconds
        self._clock = clock
        self._seen: dict[int, tuple[Any, float]] = {}

    def is_dead(self, number: int, attributes: dict[str, Any]) -> bool:
        """Whether nobody works on a running trial any more.

        Args:
            number: The trial's.
            attributes: What its worker wrote: `machine`, `folder` and `beat`, as far as it came.
        """
        if attributes.get("machine") == this_machine() and sys.platform != "win32":
            return nobody_works_in(Path(attributes["folder"]))
        beat, now = attributes.get("beat"), self._clock()
        before, since = self._seen.get(number, (None, now))
        if number not in self._seen or before != beat:
            self._seen[number] = (beat, now)
            return False
        return now - since > self._silent
