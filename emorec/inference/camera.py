"""A camera of this machine, live."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np

from emorec.data.faces.detector import silent_opencv
from emorec.data.video.reader import Frames
from emorec.errors import UserError


class Camera:
    """A camera whose frames come as they are filmed.

    Args:
        index: Of the camera; 0 is the first.
        seconds: How long to film; `None` is until it is interrupted or the camera goes away.
        open_capture: Opens a camera; OpenCV's own unless a test brings another.
        now: A clock in seconds.

    Raises:
        UserError: When there is no such camera.

    Attributes:
        index: Of the camera.
        seconds: How long to film.
        frames_per_second: As the camera says; 0 where it does not.
        width: In pixels.
        height: In pixels.
        has_sound: A camera is only seen.
    """

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
            raise UserError(f"camera {index}: there is none that gives pictures; try 0, or a file")
        self.height, self.width = self._next.shape[:2]
        self.frames_per_second = float(self._capture.get(cv2.CAP_PROP_FPS))

    def frames(self) -> Iterator[tuple[float, Frames]]:
        """Seconds since the first frame, and (H, W, C) uint8 RGB, as they are filmed; once.

        It ends after `seconds`, when the camera goes away, and when the generator is closed.
        """
        try:
            began = self._now()
            seconds, frame = 0.0, self._next
            while frame is not None and (self.seconds is None or seconds < self.seconds):
                yield seconds, frame
                frame = self._grab()
                seconds = self._now() - began
        finally:
            self._capture.release()

    def _grab(self) -> Frames | None:
        came, picture = self._capture.read()
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8) if came else None
