"""What is shown at a moment of a video, out of windows that overlap."""

from bisect import bisect_right
from collections.abc import Sequence

from emorec.data.faces.boxes import Box
from emorec.inference.overlay import Shown
from emorec.inference.prediction import WindowPrediction
from emorec.inference.timeline import Timeline
from emorec.inference.timeline_picture import stretches_of

Place = tuple[float, Box]
"""Seconds, and where a face is then."""


class Moments:
    """Who is shown when, with what word, and where.

    Args:
        timeline: Of the video.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._several = len(timeline.persons) > 1
        persons: list[int | None] = [*timeline.persons, None]
        self._paths = [
            _Path(
                [each for each in timeline.windows if each.person == person], timeline.hop_seconds
            )
            for person in persons
        ]

    def at(self, seconds: float) -> list[Shown]:
        """Everybody who is shown then; nothing in a hole.

        Args:
            seconds: From the first frame.
        """
        shown = []
        for path in self._paths:
            if said := path.said_at(seconds):
                among_others = self._several and said.person is not None
                shown.append(Shown(said, path.box_at(seconds), among_others))
        return shown


class _Path:
    """What was said of a person, and where their face went."""

    def __init__(self, windows: Sequence[WindowPrediction], hop_seconds: float) -> None:
        self._stretches = list(stretches_of(windows, hop_seconds))
        self._starts = [start for start, _, _ in self._stretches]
        places = dict(place for said in windows for place in _places(said))
        self._places = sorted(places.items(), key=lambda place: place[0])
        self._seconds = [seconds for seconds, _ in self._places]

    def said_at(self, seconds: float) -> WindowPrediction | None:
        at = bisect_right(self._starts, seconds) - 1
        if at < 0 or seconds >= self._stretches[at][1]:
            return None
        return self._stretches[at][2]

    def box_at(self, seconds: float) -> Box | None:
        """On the straight way between the moments at which it was looked for."""
        if not self._places:
            return None
        at = bisect_right(self._seconds, seconds)
        before, after = self._places[max(at - 1, 0)], self._places[min(at, len(self._places) - 1)]
        if after[0] <= before[0]:
            return before[1]
        return between(before[1], after[1], (seconds - before[0]) / (after[0] - before[0]))


def _places(said: WindowPrediction) -> Sequence[Place]:
    if said.boxes or said.box is None:
        return said.boxes
    return (((said.start + said.end) / 2, said.box),)


def between(one: Box, other: Box, share: float) -> Box:
    """A box on the straight way from one to another.

    >>> between(Box(0, 0, 10, 10), Box(10, 0, 20, 10), 0.5)
    Box(left=5.0, top=0.0, width=15.0, height=10.0)
    """
    return Box(
        left=one.left + share * (other.left - one.left),
        top=one.top + share * (other.top - one.top),
        width=one.width + share * (other.width - one.width),
        height=one.height + share * (other.height - one.height),
    )
