"""Windows of a live camera, on a fixed grid of times."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from emorec.data.faces import FaceDetector
from emorec.data.video.reader import Frames
from emorec.errors import UserError
from emorec.inference.frame_buffer import frame_buffer
from emorec.inference.spec import ModelSpec
from emorec.inference.timeline import Window
from emorec.inference.video import Camera, Stopwatch


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
    if not spec.uses_video:
        raise UserError(
            f"camera {camera.index}: cameras have no sound, and this network takes nothing else"
        )
    buffer = frame_buffer(spec, detector, window_seconds, stopwatch, is_long=True)
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
