"""Memory of a long run under glibc, whose allocator keeps freed memory for later; elsewhere nothing is to be done."""

import ctypes
import sys
from contextlib import suppress
from typing import Final

TRIM_THRESHOLD: Final = -1
MMAP_THRESHOLD: Final = -3
"""Parameters of mallopt. Source: malloc.h of glibc."""

FREE_BYTES: Final = 1 << 22
LARGE_BYTES: Final = 1 << 25


def keep_little_memory() -> None:
    """Keep 4 MiB of what is freed at the end of a heap, where glibc soon keeps up to 64 MiB, from now on.

    Blocks of up to 32 MiB, such as frames, are taken from heaps, as glibc itself does once such a block was freed.
    """
    _call("mallopt", MMAP_THRESHOLD, LARGE_BYTES)
    _call("mallopt", TRIM_THRESHOLD, FREE_BYTES)


def return_freed_memory() -> None:
    """Return freed memory to the system: where one thread decodes frames and another drops them, each keeps room."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no such function
            getattr(ctypes.CDLL(None), name)(*arguments)
