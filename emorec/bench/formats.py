"""Ways of keeping decoded frames on disk."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from typing_extensions import override

from emorec.data.decoding.decode import Frames

JPEG_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 95)


class Format(ABC):
    """A folder full of clips, all of one shape.

    Args:
        folder: Is there and is empty.
        shape: (T, H, W, C) of a clip.
    """

    words: ClassVar[str]

    def __init__(self, folder: Path, shape: tuple[int, int, int, int]) -> None:
        self.folder = folder
        self.shape = shape

    @abstractmethod
    def write(self, clips: Sequence[Frames]) -> None:
        """Keeps all clips, each (T, H, W, C) uint8."""

    @abstractmethod
    def read(self, index: int) -> Frames:
        """(T, H, W, C) uint8, memory of its own."""

    @property
    def files(self) -> list[Path]:
        """All that was written."""
        return [path for path in self.folder.rglob("*") if path.is_file()]

    @property
    def num_bytes(self) -> int:
        """What it takes on the disk."""
        return sum(path.stat().st_size for path in self.files)


class MemoryMap(Format):
    """One file as memory, which the operating system fills when it is touched."""

    words = "raw, one file, memory map"

    @override
    def write(self, clips: Sequence[Frames]) -> None:
        file = np.memmap(self._file, np.uint8, mode="w+", shape=(len(clips), *self.shape))
        for index, clip in enumerate(clips):
            file[index] = clip
        file.flush()

    @override
    def read(self, index: int) -> Frames:
        return np.array(self._map[index])

    @cached_property
    def _map(self) -> Frames:
        # opened by who reads: what the writer has touched the system would not forget
        return np.memmap(self._file, np.uint8, mode="r").reshape(-1, *self.shape)

    @property
    def _file(self) -> Path:
        return self.folder / "clips.raw"


class NpyFiles(Format):
    """One .npy file a clip: what emorec's cache is."""

    words = "a .npy file a clip"

    @override
    def write(self, clips: Sequence[Frames]) -> None:
        for index, clip in enumerate(clips):
            np.save(self._file(index), clip)

    @override
    def read(self, index: int) -> Frames:
        frames: Frames = np.load(self._file(index))
        return frames

    def _file(self, index: int) -> Path:
        return self.folder / f"{index:06d}.npy"


class JpegFiles(Format):
    """One JPEG file a frame, in a folder a clip."""

    words = "JPEG q95, a file a frame"

    @override
    def write(self, clips: Sequence[Frames]) -> None:
        for index, clip in enumerate(clips):
            self._folder(index).mkdir()
            for number, frame in enumerate(clip):
                self._file(index, number).write_bytes(_jpeg(frame))

    @override
    def read(self, index: int) -> Frames:
        frames = np.empty(self.shape, dtype=np.uint8)
        for number, frame in enumerate(frames):
            _unpack(self._file(index, number).read_bytes(), frame)
        return frames

    def _folder(self, index: int) -> Path:
        return self.folder / f"{index:06d}"

    def _file(self, index: int, number: int) -> Path:
        return self._folder(index) / f"{number:02d}.jpg"


class JpegShard(Format):
    """All JPEG pictures in one file, and where each of them begins."""

    words = "JPEG q95, one file"

    @override
    def write(self, clips: Sequence[Frames]) -> None:
        with self._file.open("wb") as file:
            lengths = [file.write(_jpeg(frame)) for clip in clips for frame in clip]
        self.bounds = np.cumsum([0, *lengths])
        np.save(self.folder / "bounds.npy", self.bounds)

    @override
    def read(self, index: int) -> Frames:
        first = index * self.shape[0]
        bounds = self.bounds[first : first + self.shape[0] + 1].tolist()
        with self._file.open("rb", buffering=0) as file:
            file.seek(bounds[0])
            content = file.read(bounds[-1] - bounds[0])
        frames = np.empty(self.shape, dtype=np.uint8)
        for frame, (begin, end) in zip(frames, pairwise(bounds), strict=True):
            _unpack(content[begin - bounds[0] : end - bounds[0]], frame)
        return frames

    @property
    def _file(self) -> Path:
        return self.folder / "clips.jpegs"


FORMATS: tuple[type[Format], ...] = (MemoryMap, NpyFiles, JpegFiles, JpegShard)


def _jpeg(frame: Frames) -> bytes:
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), JPEG_QUALITY)
    return coded.tobytes()


def _unpack(coded: bytes, frame: Frames) -> None:
    picture = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("what should be a JPEG picture is none")
    cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=frame)
