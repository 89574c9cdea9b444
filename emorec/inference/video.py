"""Videos: files of any container and codec that PyAV reads, their sound alone, and live cameras; a stopwatch."""

import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast, get_args

import cv2
import numpy as np
import numpy.typing as npt

from emorec.data.faces import silent_opencv
from emorec.data.video.reader import NO_FRAME, NO_PICTURES, ClipError, Frames, check_readable
from emorec.errors import UserError
from emorec.inference.spec import ModelSpec

if TYPE_CHECKING:  # importing PyAV is slow
    from emorec.data.media import Packets
    from emorec.data.video.pyav import AudioSink, DecodedFrame


Stage = Literal["decode", "sound", "faces", "network", "write"]
"""Decoding, sound (with its embedding) and the rest run side by side."""

Item = TypeVar("Item")

DEFAULT_FRAMES_PER_SECOND = 25.0
"""Of files without a frame rate and without timestamps."""


class Stopwatch:
    """Seconds by stage, and the number of frames they were spent on; a stage runs in one thread.

    Attributes:
        seconds: Spent in each stage so far.
        frames: Frames of the video passed so far, decoded or skipped.

    >>> stopwatch = Stopwatch()
    >>> with stopwatch.measure("network"):
    ...     pass
    >>> 0 <= stopwatch.seconds["network"] < 1, stopwatch.seconds["write"]
    (True, 0.0)
    """

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = dict.fromkeys(get_args(Stage), 0.0)
        self.frames = 0

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Add the time of the block to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started

    def each(self, stage: Stage, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items; add the time until each arrives to a stage."""
        iterator = iter(items)
        while True:
            with self.measure(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item


def prefetch(items: Iterable[Item], count: int) -> Iterator[Item]:
    """Return the items of an iterable that another thread computes from now on, up to `count` of them ahead.

    Args:
        items: Used by that thread alone, and closed at the end where it is a generator.
        count: Of items that wait, at least 1.

    >>> list(prefetch(iter("abc"), 2))
    ['a', 'b', 'c']
    """
    iterator, end = iter(items), object()
    thread = ThreadPoolExecutor(1)
    waiting = deque(thread.submit(next, iterator, end) for _ in range(count))

    def computed() -> Iterator[Item]:
        with thread:
            try:
                # for `next` below: a generator that has not begun would not end the thread
                yield cast("Item", None)
                while (item := waiting.popleft().result()) is not end:
                    waiting.append(thread.submit(next, iterator, end))
                    yield cast("Item", item)
            finally:
                thread.shutdown(cancel_futures=True)
                if isinstance(iterator, Generator):
                    iterator.close()

    results = computed()
    next(results)
    return results


class VideoFile:
    """Video file whose frames are read once, in order, in constant memory.

    Opening it reads all packets without decoding them, and decodes one frame.

    Args:
        path: The file.

    Raises:
        ClipError: When it can't be read, has no video track, or no frame can be decoded.

    Attributes:
        path: The file.
        live: Whether frames arrive in real time, as those of a camera.
        starts: Start of each frame in seconds, on the clock of `emorec.data.media`; evenly spaced without timestamps.
        num_frames: Frames in the file that it does not hide; the last of them may not be decodable.
        frames_per_second: On average.
        start: Of the first frame, in seconds.
        seconds: End of the last frame in the file, and so the length that players show.
        promised_seconds: End that a truncated file had before; else `seconds`.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        has_sound: Whether there is an audio track that can be decoded.
        end: One past the last decoded frame of the latest pass; 0 before.
        damaged: Whether some frame could not be decoded in the latest pass.
    """

    live = False

    def __init__(self, path: Path) -> None:
        # importing PyAV is slow
        from emorec.data.audio import DAMAGE_SECONDS
        from emorec.data.video.pyav import Reader

        check_readable(path)
        self.path = path
        self._reader = Reader(path, to_its_end=False)
        first = next((frame for _, frame in self._reader.stream() if frame), None)
        if first is None:
            raise ClipError.of(path, NO_FRAME)
        self.starts, self.frames_per_second = _frame_starts(
            # hidden frames at the end are never displayed
            self._reader.starts[: self._reader.frames_in_file - self._reader.hidden],
            self._reader.promised,
            self._reader.rate or DEFAULT_FRAMES_PER_SECOND,
        )
        self.num_frames = len(self.starts)
        self.start = max(0.0, float(self.starts[0]))
        frame_seconds = 1 / self.frames_per_second
        end = float(self.starts[-1]) + frame_seconds
        promised = max(end, self._reader.promised_seconds or 0.0)
        # the last picture of a whole file may stand for long; originals of RAVDESS declare a frame that they hide
        stands_for = promised - end
        stands = self._reader.has_all_frames and 1.5 * frame_seconds < stands_for < DAMAGE_SECONDS
        self.seconds = promised if stands else end
        is_cut_off = promised > self.seconds + frame_seconds
        self.promised_seconds = promised if is_cut_off else self.seconds
        self.height, self.width = first.size
        self.has_sound = self._reader.has_sound
        self.end, self.damaged = 0, False

    def describe(self) -> dict[str, Any]:
        """Return the `video` section of `summary.json`."""
        return {
            "seconds": round(self.seconds, 6),
            "frames": self.num_frames,
            "frames_per_second": round(self.frames_per_second, 6),
            "width": self.width,
            "height": self.height,
            "has_sound": self.has_sound,
        }

    def frames(
        self, needed: Collection[int], packets: "Packets | None" = None
    ) -> Iterator[tuple[int, float, Frames]]:
        """Yield index, start in seconds and (H, W, C) uint8 RGB of the needed frames, upright, in order.

        Frames that can't be decoded are left out. When skipping other frames makes a needed one of an undamaged file
        fail, all frames are decoded from there on.

        Args:
            needed: Their indices.
            packets: Of the file, where another thread takes those of its sound.
        """
        remaining = deque(sorted(set(needed)))
        self.end, self.damaged = 0, False
        if self._reader.can_skip:
            yield from self._read(remaining, needed, packets)
            packets = None  # taken
        if remaining:
            yield from self._read(remaining, None, packets)

    def all_frames(self, audio: "AudioSink") -> Iterator[tuple[float, Frames]]:
        """Yield start in seconds and (H, W, C) uint8 RGB of every frame, upright, in order, to the end of the file.

        Frames that can't be decoded are left out.

        Args:
            audio: Receives the audio packets meanwhile.
        """
        self.end, self.damaged = 0, False
        for index, frame in self._decoded(self._reader.stream(audio_sink=audio)):
            yield float(self.starts[index]), frame.to_rgb((self.height, self.width))

    def _read(
        self,
        remaining: deque[int],
        needed: Collection[int] | None,
        packets: "Packets | None",
    ) -> Iterator[tuple[int, float, Frames]]:
        """Yield remaining frames and remove them; stop early where skipping made a needed one fail."""
        for index, frame in self._decoded(self._reader.stream(needed, packets=packets)):
            while remaining and remaining[0] < index:
                if needed is not None and not self.damaged:
                    return
                remaining.popleft()
            if remaining and remaining[0] == index:
                yield (
                    remaining.popleft(),
                    float(self.starts[index]),
                    frame.to_rgb((self.height, self.width)),
                )
            if not remaining:
                return
        remaining.clear()

    def _decoded(
        self, stream: "Iterator[tuple[int, DecodedFrame | None]]"
    ) -> "Iterator[tuple[int, DecodedFrame]]":
        last = -1
        for index, frame in stream:
            self.damaged = self.damaged or frame is None
            if frame is not None and last < index < self.num_frames:
                last, self.end = index, index + 1
                yield index, frame


def _frame_starts(
    starts: npt.NDArray[np.float64], num_frames: int, frames_per_second: float
) -> tuple[npt.NDArray[np.float64], float]:
    """Return the start of each frame and the mean frame rate.

    >>> _frame_starts(np.array([0.0, 0.5, 2.0]), 3, 25.0)
    (array([0. , 0.5, 2. ]), 1.0)
    >>> _frame_starts(np.empty(0), 3, 10.0)
    (array([0. , 0.1, 0.2]), 10.0)
    """
    if not len(starts):
        return np.arange(num_frames) / frames_per_second, frames_per_second
    length = float(starts[-1] - starts[0])
    return starts, (len(starts) - 1) / length if length > 0 else frames_per_second


def _cameras() -> str:
    """Describe the cameras of this machine, where Linux lists them."""
    if sys.platform != "linux":
        return ""
    devices = sorted(int(path.name[5:]) for path in Path("/dev").glob("video[0-9]*"))
    return f" (this machine has {', '.join(map(str, devices)) or 'none'})"


class AudioFile:
    """Sound of a file, with or without pictures, for networks that take nothing else or can do without pictures.

    Opening it reads all packets without decoding them.

    Args:
        path: The file.

    Raises:
        ClipError: When it can't be read, or has no sound.

    Attributes:
        path: The file.
        live: Whether it arrives in real time.
        start: Of the file's clock (see `emorec.data.media`), in seconds.
        seconds: End of the sound or the pictures in the file.
        promised_seconds: End that a truncated file had before; else `seconds`.
        frames_per_second: 0: its pictures, if any, are not read.
        has_sound: There is an audio track that can be decoded.
    """

    live = False
    start = 0.0
    frames_per_second = 0.0
    has_sound = True

    def __init__(self, path: Path) -> None:
        # importing PyAV is slow
        from emorec.data.audio import MAX_MISSING_SECONDS, NO_SOUND, NOT_SOUND
        from emorec.data.media import (
            DECODING_ERRORS,
            audio_stream,
            clock_zero,
            declared_end,
            demux,
            open_media,
        )

        check_readable(path)
        self.path = path
        self.seconds = 0.0
        with open_media(path, NOT_SOUND) as container:
            stream = audio_stream(container)
            if stream is None:
                raise ClipError.of(path, f"{NO_SOUND}, and this network takes nothing else")
            promised, zero = declared_end(container, stream) or 0.0, clock_zero(container)
            with suppress(*DECODING_ERRORS):  # where it can't be read on
                for packet in demux(container):
                    tick = packet.time_base or 0
                    start = self.seconds if packet.pts is None else packet.pts * tick - zero
                    end = float(start) + float((packet.duration or 0) * tick)
                    self.seconds = max(self.seconds, end)
        if not self.seconds:
            raise ClipError.of(path, "its sound is empty")
        is_cut_off = promised > self.seconds + MAX_MISSING_SECONDS
        self.promised_seconds = promised if is_cut_off else self.seconds

    def describe(self) -> dict[str, Any]:
        """Return the `video` section of `summary.json`, with the pictures if there are any."""
        with suppress(ClipError):
            return VideoFile(self.path).describe()
        return {"seconds": round(self.seconds, 6), "has_sound": True}


class Camera:
    """Camera that yields frames in real time.

    Args:
        index: Of the camera; 0 is the first.
        seconds: How long to record; `None`: until interrupted or disconnected.
        open_capture: Opens a camera; tests replace OpenCV's.
        now: Clock, in seconds.

    Raises:
        UserError: When there is no such camera.

    Attributes:
        path: `None`: a camera has no file.
        live: Frames arrive in real time.
        index: Of the camera.
        seconds: How long to record.
        frames_per_second: As reported by the camera; 0 where unknown.
        width: In pixels.
        height: In pixels.
        has_sound: Cameras have no sound.
    """

    path = None
    live = True
    has_sound = False

    def __init__(
        self,
        index: int,
        seconds: float | None = None,
        *,
        open_capture: Callable[[int], Any] = cv2.VideoCapture,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.index = index
        self.seconds = seconds
        self._now = now
        with silent_opencv():
            self._capture = open_capture(index)
            self._next: Frames | None = self._grab() if self._capture.isOpened() else None
        if self._next is None:
            self._capture.release()
            raise UserError(
                f"camera {index}: no such camera, or another program uses it{_cameras()}; "
                "name another one, or a video file"
            )
        self.height, self.width = self._next.shape[:2]
        self.frames_per_second = float(self._capture.get(cv2.CAP_PROP_FPS))

    def describe(self) -> dict[str, Any]:
        """Return the `video` section of `summary.json`."""
        return {"camera": self.index}

    def frames(self) -> Iterator[tuple[float, Frames]]:
        """Yield seconds since the first frame and (H, W, C) uint8 RGB as frames arrive; once.

        Ends after `seconds`, when the camera is disconnected, or when the generator is closed.
        """
        try:
            started = self._now()
            seconds, frame = 0.0, self._next
            while frame is not None and (self.seconds is None or seconds < self.seconds):
                yield seconds, frame
                frame = self._grab()
                seconds = self._now() - started
        finally:
            self._capture.release()

    def _grab(self) -> Frames | None:
        success, frame = self._capture.read()
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8) if success else None


Video: TypeAlias = VideoFile | AudioFile | Camera


def open_file(path: Path, spec: ModelSpec) -> VideoFile | AudioFile:
    """Open what a network takes of a file: its pictures, and perhaps its sound; or its sound alone.

    A file without pictures is its sound for a network that takes landmarks and sound, whichever is there.

    Raises:
        ClipError: When it can't be read, or lacks what the network needs.
    """
    if not spec.uses_video:
        return AudioFile(path)
    try:
        return VideoFile(path)
    except ClipError as error:
        if error.reason != NO_PICTURES or not spec.can_do_without_pictures:
            raise
        return AudioFile(path)
