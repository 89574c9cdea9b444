"""Memory of a long run under glibc, whose allocator keeps freed memory for later; elsewhere nothing is to be done."""

import ctypes
import sys
from contextlib import suppress
from typing import Final

TRIM_THRESHOLD: Final = -1
MMAP_THRESHOLD: Final = -3
"""Parameters of mallopt. Source: malloc.h of glibc."""

LARGE_BYTES: Final = 1 << 22
"""More than a frame of 720p, of which dozens a second come and go; the index of an hour has larger blocks."""


def return_large_blocks() -> None:
    """Return blocks from 4 MiB on to the system whenever they are freed, from now on.

    By itself glibc soon keeps those of up to 32 MiB, and what comes to lie in their place is scattered.
    """
    _call("mallopt", MMAP_THRESHOLD, LARGE_BYTES)
    # by itself 128 KiB once the other is set: each frame would be returned
    _call("mallopt", TRIM_THRESHOLD, LARGE_BYTES)


def return_freed_memory() -> None:
    """Return freed memory to the system: where one thread decodes frames and another drops them, each keeps room."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no such function
            getattr(ctypes.CDLL(None), name)(*arguments)
