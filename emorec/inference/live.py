"""Live frames become windows on a fixed grid of times."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from emorec.data.video.reader import Frames
from emorec.errors import UserError
from emorec.inference.camera import Camera
from emorec.inference.cutting import Cutting
from emorec.inference.facts import Facts
from emorec.inference.looks import looks_of
from emorec.inference.sound_windows import sound_recipe
from emorec.inference.stopwatch import Stopwatch
from emorec.inference.window import Window


def windows_of_camera(
    camera: Camera, facts: Facts, cutting: Cutting, clock: Stopwatch
) -> Iterator[Window]:
    """The windows of a camera as they are filmed: of each time that a network sees, the frame that was shown then.

    What is filmed after the last whole window is not predicted.

    Args:
        camera: Where the frames come from.
        facts: Of the network that is to see them.
        cutting: How the video is cut.
        clock: Counts frames, and what waiting for them and finding faces take.

    Raises:
        UserError: When the network only hears, or the camera gives less than one window.
    """
    if not facts.sees:
        raise UserError(f"camera {camera.index}: it has no sound, and this network only hears")
    return _windows(camera, facts, cutting, clock)


@dataclass(slots=True)
class _Open:
    """A window that is being filmed.

    Attributes:
        start: In seconds.
        end: In seconds.
        times: When its frames are taken that are still to come.
        indices: Of its frames so far.
    """

    start: float
    end: float
    times: deque[float]
    indices: list[int]


def times_of(start: float, end: float, num_frames: int) -> deque[float]:
    """T times spread evenly from the start of a window to its end.

    >>> times_of(1.0, 3.0, 5)
    deque([1.0, 1.5, 2.0, 2.5, 3.0])
    """
    return deque(np.linspace(start, end, num_frames).tolist())


def _windows(camera: Camera, facts: Facts, cutting: Cutting, clock: Stopwatch) -> Iterator[Window]:
    looks, waiting = looks_of(facts, cutting, clock), deque[_Open]()
    count = composed = 0
    for index, (since, until, frame) in enumerate(clock.each("decode", _shown(camera))):
        while count * cutting.hop_seconds < until:
            start = count * cutting.hop_seconds
            end = start + cutting.window_seconds
            waiting.append(_Open(start, end, times_of(start, end, facts.num_frames), []))
            count += 1
        clock.frames += 1
        wanted = False
        for window in waiting:
            while window.times and window.times[0] < until:
                window.times.popleft()
                window.indices.append(index)
                wanted = True
        if wanted:
            clock.looked_at += 1
            looks.add(index, since, frame)
        while waiting and not waiting[0].times:
            done = waiting.popleft()
            composed += 1
            yield from map(
                partial(_silent, facts), looks.windows(done.start, done.end, done.indices)
            )
        looks.forget(waiting[0].indices[0] if waiting else index + 1)
    if not composed:
        raise UserError(
            f"camera {camera.index}: it gave less than one window of {cutting.window_seconds:g} s"
        )


def _shown(camera: Camera) -> Iterator[tuple[float, float, Frames]]:
    """Each frame, and from when until when it is the one that was filmed last."""
    before, lasts = None, 0.0
    for seconds, frame in camera.frames():
        if before is not None:
            lasts = seconds - before[0]
            yield before[0], seconds, before[1]
        before = seconds, frame
    if before is not None:
        yield before[0], before[0] + lasts, before[1]


def _silent(facts: Facts, window: Window) -> Window:
    if not facts.hears:
        return window
    return replace(window, sound=sound_recipe(facts).silence, heard=False)
