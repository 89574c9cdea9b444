"""Live camera, and its windows on a fixed grid of times."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from emorec.data.faces.detector import FaceDetector, silent_opencv
from emorec.data.video.reader import Frames
from emorec.errors import UserError
from emorec.inference.spec import ModelSpec
from emorec.inference.stopwatch import Stopwatch
from emorec.inference.timeline import Window
from emorec.inference.windows import frame_buffer


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
            raise UserError(f"camera {index}: no such camera; try 0, or a video file")
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


@dataclass(slots=True)
class _OpenWindow:
    """Window that is being recorded.

    Attributes:
        start: In seconds.
        end: In seconds.
        times: Times of the frames that are still missing.
        indices: Of the frames so far.
    """

    start: float
    end: float
    times: deque[float]
    indices: list[int]


def camera_windows(
    camera: Camera,
    spec: ModelSpec,
    detector: FaceDetector | None,
    stopwatch: Stopwatch,
    *,
    window_seconds: float,
    hop_seconds: float,
) -> Iterator[Window]:
    """Yield the windows of a camera as they are recorded: at T evenly spaced times, the frame displayed then.

    An incomplete last window is dropped.

    Args:
        camera: Opened.
        spec: Of the network.
        detector: Face detector; `None` takes whole frames.
        stopwatch: Counts frames, and measures waiting for them and the detector.
        window_seconds: Length of a window.
        hop_seconds: From the start of one window to the next.

    Raises:
        UserError: When the network takes sound only, or the camera ends before the first window does.
    """
    if not spec.uses_frames:
        raise UserError(
            f"camera {camera.index}: cameras have no sound, and this network takes nothing else"
        )
    buffer = frame_buffer(spec, detector, window_seconds, stopwatch)
    open_windows: deque[_OpenWindow] = deque()
    opened = closed = 0
    for index, (since, until, frame) in enumerate(
        stopwatch.each("decode", _display_intervals(camera))
    ):
        while opened * hop_seconds < until:
            start = opened * hop_seconds
            end = start + window_seconds
            times = deque(np.linspace(start, end, spec.num_frames).tolist())
            open_windows.append(_OpenWindow(start, end, times, []))
            opened += 1
        stopwatch.frames += 1
        needed = False
        for window in open_windows:
            while window.times and window.times[0] < until:
                window.times.popleft()
                window.indices.append(index)
                needed = True
        if needed:
            buffer.add(index, since, frame)
        while open_windows and not open_windows[0].times:
            window = open_windows.popleft()
            closed += 1
            for each in buffer.windows(window.start, window.end, window.indices):
                silence = spec.audio.silence if spec.uses_sound else None
                yield replace(each, sound=silence)
        buffer.drop_before(open_windows[0].indices[0] if open_windows else index + 1)
    if not closed:
        raise UserError(
            f"camera {camera.index}: it ended before the first window of {window_seconds:g} s"
        )


def _display_intervals(camera: Camera) -> Iterator[tuple[float, float, Frames]]:
    """Yield start and end of the interval in which each frame is the latest one, in seconds, and the frame."""
    previous, duration = None, 0.0
    for seconds, frame in camera.frames():
        if previous is not None:
            duration = seconds - previous[0]
            yield previous[0], seconds, previous[1]
        previous = seconds, frame
    if previous is not None:
        yield previous[0], previous[0] + duration, previous[1]
