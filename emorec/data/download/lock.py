"""One at a time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

log = logging.getLogger(__name__)


class LockedError(Exception):
    """Somebody else is at it."""


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Keeps other processes and threads that lock the same file out; afterwards the file is gone.

    The operating system lets go of the lock of a process that dies, whatever kills it.

    Args:
        path: The lock's file; its folder is made when missing.
        wait: Whether to wait for another holder.

    Raises:
        LockedError: When another one holds it and there is to be no waiting.
        OSError: When the file can't be made.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "lock")
    >>> with locked(path, wait=False):
    ...     path.exists()
    True
    >>> path.exists()
    False
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise LockedError(f"{path} is held by another process") from None
        log.warning("waiting for another process, which holds %s", path)
        lock.acquire()
    try:
        yield
    finally:
        with suppress(OSError):  # Windows can't while it is held, and does when it is let go
            path.unlink()
        lock.release()
