"""When the windows of a video are, and which frames a network sees of each. Pure functions."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emorec.data.video.reader import TIME_TOLERANCE_SECONDS, likely_ends, linspace_indices

ONE_WINDOW = 1.5
"""A video that is no longer than so many windows is one."""

LEFT_OVER = 0.5
"""Of a hop: where more than that is left behind the last window, another one ends with the video."""


MAX_GAP = 0.5
"""Of a window, that may show a frame which stood too long."""

LONGEST_SHOWN = 0.5
"""Seconds that a frame may stand in any video, and longer where most of its frames stand for more than half as long."""


@dataclass(frozen=True, slots=True)
class Span:
    """A window before anything was decoded.

    Attributes:
        start: In seconds from the first frame.
        end: Half-open, in seconds.
        wanted: By where the frames may end, T indices of frames in order; nothing where it has a gap.
    """

    start: float
    end: float
    wanted: dict[int, list[int]]

    @property
    def first(self) -> int:
        """The first frame that may be wanted; -1 where there is none."""
        return min(self.frames, default=-1)

    @property
    def last(self) -> int:
        """The last frame that may be wanted; -1 where there is none."""
        return max(self.frames, default=-1)

    @property
    def frames(self) -> set[int]:
        """All frames that may be wanted, and the last one before each end, which shows that it is there."""
        return {index for end, indices in self.wanted.items() for index in (*indices, end - 1)}

    def indices(self, there: Collection[int]) -> list[int] | None:
        """T indices of frames, or `None` where one of them did not come.

        >>> span = Span(0.0, 1.0, {3: [0, 2], 2: [0, 1]})
        >>> span.indices({0, 1, 2}), span.indices({0, 1}), span.indices({0})
        ([0, 2], [0, 1], None)
        """
        for end in sorted(self.wanted, reverse=True):
            if end - 1 in there:
                indices = self.wanted[end]
                return indices if all(index in there for index in indices) else None
        return None


def schedule(
    seconds: float, *, window_seconds: float, hop_seconds: float
) -> Iterator[tuple[float, float]]:
    """Start and end of each window, in seconds, in order.

    Args:
        seconds: How long the video is.
        window_seconds: How long a window is, above 0.
        hop_seconds: From the start of a window to that of the next, above 0.

    >>> list(schedule(5.0, window_seconds=4.0, hop_seconds=2.0))
    [(0.0, 5.0)]
    >>> list(schedule(8.5, window_seconds=4.0, hop_seconds=2.0))
    [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0)]
    >>> list(schedule(9.5, window_seconds=4.0, hop_seconds=2.0))
    [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0), (5.5, 9.5)]
    """
    if seconds <= ONE_WINDOW * window_seconds + TIME_TOLERANCE_SECONDS:
        yield 0.0, seconds
        return
    last = int((seconds - window_seconds + TIME_TOLERANCE_SECONDS) / hop_seconds)
    for hop in range(last + 1):
        yield hop * hop_seconds, hop * hop_seconds + window_seconds
    if seconds - (last * hop_seconds + window_seconds) > LEFT_OVER * hop_seconds:
        yield seconds - window_seconds, seconds


def longest_shown(starts: npt.NDArray[np.float64]) -> float:
    """How many seconds a frame of a video may stand until the next one starts, before something is missing there.

    >>> longest_shown(np.arange(30) / 30), longest_shown(np.arange(3.0))
    (0.5, 2.0)
    """
    return (
        max(LONGEST_SHOWN, 2 * float(np.median(np.diff(starts))))
        if len(starts) > 1
        else LONGEST_SHOWN
    )


def has_gap(start: float, end: float, starts: npt.NDArray[np.float64], longest: float) -> bool:
    """Whether more than half of a window shows a frame that stood too long, as where a recording was torn.

    Args:
        start: In seconds.
        end: In seconds.
        starts: When each frame starts, in seconds from the first.
        longest: Seconds that one may stand: `longest_shown(starts)`.

    >>> has_gap(0.0, 4.0, np.array([0.0, 0.5, 1.0, 2.5, 3.5]), 1.0)
    False
    >>> has_gap(0.0, 4.0, np.array([0.0, 0.5, 1.0, 3.5]), 1.0)
    True
    >>> slow = np.array([0.0, 0.25, 0.5, 2.0])  # no frame starts in these windows, but one is shown
    >>> has_gap(0.3, 0.4, slow, 0.5), has_gap(1.0, 1.1, slow, 0.5)
    (False, True)
    """
    first = int(np.searchsorted(starts, start, side="right")) - 1
    stop = int(np.searchsorted(starts, end))
    next_start = starts[stop] if stop < len(starts) else end
    edges = np.append(starts[first:stop], next_start)
    inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    return bool(((np.diff(edges) > longest) & (inside > MAX_GAP * (end - start))).any())


def span(start: float, end: float, starts: npt.NDArray[np.float64], *, num_frames: int) -> Span:
    """A window with its frames: T evenly spaced ones of those that start in it, else the one that is shown then.

    Args:
        start: In seconds.
        end: In seconds.
        starts: When each frame starts, in seconds. The last may not come, as in every original of RAVDESS.
        num_frames: T.

    >>> span(0.2, 0.4, np.arange(10) / 10, num_frames=2).wanted
    {4: [2, 3]}
    >>> span(0.0, 1.0, np.arange(10) / 10, num_frames=3).wanted
    {9: [0, 4, 8], 10: [0, 4, 9]}
    >>> span(0.22, 0.27, np.arange(10) / 10, num_frames=2).wanted
    {3: [2, 2]}
    """
    first, stop = (
        int(place)
        for place in np.searchsorted(starts, np.array((start, end)) - TIME_TOLERANCE_SECONDS)
    )
    wanted: dict[int, list[int]] = {}
    for last in sorted(likely_ends(promised=len(starts), shown=len(starts), first=0, stop=stop)):
        begin = min(first, last - 1)
        wanted[last] = [begin + index for index in linspace_indices(last - begin, num_frames)]
    return Span(start, end, wanted)
