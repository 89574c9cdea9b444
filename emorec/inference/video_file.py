"""A video of anyone's: any container and codec that PyAV reads, any length, damaged or not."""

from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from emorec.data.video.reader import NO_FRAME, ClipError, Frames, check_readable

if TYPE_CHECKING:  # PyAV takes long to import
    from emorec.data.video.pyav import AudioSink, DecodedFrame

RATE = 25.0
"""Frames a second of a file that tells neither its rate nor its times."""


class VideoFile:
    """A video file whose frames come once, in order, in memory that does not grow with its length.

    Opening it reads all packets once, without decoding them, and decodes one frame.

    Args:
        path: The file.

    Raises:
        ClipError: When it can't be read, has no pictures, or none of them can be decoded.

    Attributes:
        path: The file.
        starts: When each frame starts, in seconds from the first that is shown; evenly where the file tells no times.
        frames_in_file: Frames in the file that it does not hide; the last of them may not come.
        frames_per_second: On average.
        seconds: From the first frame to the end of the last that the file holds.
        promised_seconds: The same, of a file that is cut off, as it says itself; else `seconds`.
        width: In pixels, as it is shown.
        height: In pixels, as it is shown.
        has_sound: Whether there is a sound track that can be decoded.
        end: One past the last frame that came when frames were last read; 0 before.
        damaged: Whether some frame could not be decoded when frames were last read.
    """

    def __init__(self, path: Path) -> None:
        # PyAV takes long to import
        from emorec.data.video.pyav import Reader

        check_readable(path)
        self.path = path
        self._reader = Reader(path, to_its_end=False)
        first = next((picture for _, picture in self._reader.stream() if picture), None)
        if first is None:
            raise ClipError.of(path, NO_FRAME)
        self.starts, self.frames_per_second = _starts(
            # those at the end that are hidden do not come
            self._reader.starts[: self._reader.frames_in_file - self._reader.hidden],
            self._reader.promised,
            self._reader.rate or RATE,
        )
        self.frames_in_file = len(self.starts)
        self.seconds = float(self.starts[-1]) + 1 / self.frames_per_second
        self.promised_seconds = max(self.seconds, self._reader.promised_seconds or 0.0)
        self.width, self.height = first.size
        self.has_sound = self._reader.has_sound
        self.end, self.damaged = 0, False

    def frames(self, needed: Collection[int]) -> Iterator[tuple[int, float, Frames]]:
        """Index, start in seconds and (H, W, C) uint8 RGB of frames, upright, in order.

        Frames that can't be decoded do not come. Where some could be passed over, but then one that is needed does not
        come though nothing is damaged, all are decoded from there on.

        Args:
            needed: Their indices.
        """
        left = deque(sorted(set(needed)))
        self.end, self.damaged = 0, False
        if self._reader.can_skip:
            yield from self._pass(left, needed)
        if left:
            yield from self._pass(left, None)

    def film(self, listener: "AudioSink") -> Iterator[tuple[float, Frames]]:
        """Start in seconds and (H, W, C) uint8 RGB of every frame, upright, in order; the file is read to its end.

        Frames that can't be decoded do not come.

        Args:
            listener: Is given the sound meanwhile.
        """
        self.end, self.damaged = 0, False
        for index, picture in self._come(self._reader.stream(audio_sink=listener)):
            yield float(self.starts[index]), picture.to_rgb()

    def _pass(
        self, left: deque[int], needed: Collection[int] | None
    ) -> Iterator[tuple[int, float, Frames]]:
        """Takes from what is left what comes; ends early where passing over others made one fail to come."""
        for index, picture in self._come(self._reader.stream(needed)):
            while left and left[0] < index:
                if needed is not None and not self.damaged:
                    return
                left.popleft()
            if left and left[0] == index:
                yield left.popleft(), float(self.starts[index]), picture.to_rgb()
            if not left:
                return
        left.clear()

    def _come(
        self, stream: "Iterator[tuple[int, DecodedFrame | None]]"
    ) -> "Iterator[tuple[int, DecodedFrame]]":
        """Index and picture of the frames that come."""
        last = -1
        for index, picture in stream:
            self.damaged = self.damaged or picture is None
            if picture is not None and last < index < self.frames_in_file:
                last, self.end = index, index + 1
                yield index, picture


def _starts(
    starts: npt.NDArray[np.float64], frames: int, rate: float
) -> tuple[npt.NDArray[np.float64], float]:
    """When each frame starts, and the mean rate.

    >>> _starts(np.array([0.0, 0.5, 2.0]), 3, 25.0)
    (array([0. , 0.5, 2. ]), 1.0)
    >>> _starts(np.empty(0), 3, 10.0)
    (array([0. , 0.1, 0.2]), 10.0)
    """
    if not len(starts):
        return np.arange(frames) / rate, rate
    lasts = float(starts[-1])
    return starts, (len(starts) - 1) / lasts if lasts > 0 else rate
