"""Frames of many clips in one file: a slot of the same size for each, raw bytes, read by position."""

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emorec.errors import UserError

Content = npt.NDArray[Any]


class FramesFile:
    """(slot, ...) on disk: frames (T, H, W, C) uint8 of clips, or their sound (samples,) int16.

    Read with `pread`, not through a memory map: as fast, no process seems to grow by what it has read, and a file that
    was cut off is an error instead of a crash. May be used by several processes at once, and handed to another one.

    Args:
        path: The file.
        shape: Of every clip.
        dtype: Of its numbers.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8) -> None:
        self.path = path
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.slot_bytes = int(np.prod(shape)) * self.dtype.itemsize
        self._opened: int | None = None

    def reserve(self, slots: int) -> None:
        """Makes room for so many slots in all, on the disk too, so that it can't become full half-way.

        Raises:
            OSError: When there is no room.
        """
        with self.path.open("ab") as file:
            there, wanted = file.tell(), slots * self.slot_bytes
            if wanted > there:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), there, wanted - there)
                else:
                    file.truncate(wanted)

    def write(self, slot: int, frames: Content) -> int:
        """Fills a slot and returns the checksum of what is in it.

        Args:
            slot: From 0; there has to be room.
            frames: Of the file's shape and kind of numbers.

        Raises:
            OSError: When the disk does not take it.
            ValueError: When the frames have another shape.
        """
        if frames.shape != self.shape or frames.dtype != self.dtype:
            raise ValueError(
                f"frames are {frames.shape} {frames.dtype}, not {self.shape} {self.dtype}"
            )
        with self.path.open("r+b", buffering=0) as file:
            file.seek(slot * self.slot_bytes)
            content = np.ascontiguousarray(frames).data.cast("B")
            written = 0
            while written < len(content):
                written += file.write(content[written:])
        return zlib.crc32(content)

    def read(self, slot: int) -> Content:
        """What is in a slot, memory of its own.

        Raises:
            UserError: When the file ends before.
            OSError: When it is not there.
        """
        frames = np.empty(self.shape, dtype=self.dtype)
        content = frames.data.cast("B")
        offset, done = slot * self.slot_bytes, 0
        while done < len(content):
            got = os.preadv(self._descriptor, [content[done:]], offset + done)
            if not got:
                raise UserError(
                    f"{self.path} ends before slot {slot}: something cut it off; the next run makes it anew"
                )
            done += got
        return frames

    def checksum(self, slot: int) -> int | None:
        """CRC-32 of a slot; `None` when the file ends before."""
        try:
            return zlib.crc32(self.read(slot).data.cast("B"))
        except (OSError, UserError):
            return None

    def sync(self) -> None:
        """Returns when all that was written is on the disk."""
        os.fsync(self._descriptor)

    @property
    def _descriptor(self) -> int:
        if self._opened is None:
            self._opened = os.open(self.path, os.O_RDONLY)
        return self._opened

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    def __del__(self) -> None:
        if self._opened is not None:
            os.close(self._opened)
