"""Record opened files with inotify, in all processes and for libraries that open files in C."""

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

IN_OPEN = 0x20
"""Source: linux/inotify.h, also of the sizes below."""

HEADER_BYTES = 16
"""Size of an event on a file: watch, mask, cookie, and length of the name, which is 0."""


@contextmanager
def record_opened(files: Iterable[Path]) -> Iterator[set[Path]]:
    """Yield a set that contains, after the context exits, the files that any process opened."""
    if sys.platform != "linux":
        pytest.skip("inotify is Linux's")
    libc = ctypes.CDLL(None, use_errno=True)
    queue = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert queue >= 0, os.strerror(ctypes.get_errno())
    opened: set[Path] = set()
    try:
        watches = {libc.inotify_add_watch(queue, bytes(path), IN_OPEN): path for path in files}
        assert -1 not in watches, os.strerror(ctypes.get_errno())
        yield opened
        while events := _read(queue):
            for start in range(0, len(events), HEADER_BYTES):
                watch = int.from_bytes(events[start : start + 4], sys.byteorder, signed=True)
                opened.add(watches[watch])
    finally:
        os.close(queue)


def _read(queue: int) -> bytes:
    try:
        return os.read(queue, 1 << 16)
    except BlockingIOError:
        return b""
