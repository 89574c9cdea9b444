"""Live camera."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np

from emorec.data.faces.detector import silent_opencv
from emorec.data.video.reader import Frames
from emorec.errors import UserError


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
