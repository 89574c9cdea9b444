"""What is shown at a moment of a video, out of windows that overlap."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from emorec.data.faces.face import Box
from emorec.inference.overlay import Shown
from emorec.inference.prediction import WindowPrediction
from emorec.inference.timeline import Timeline
from emorec.inference.timeline_picture import Stretch, stretches_of


class Moments:
    """Who is shown when, with what word, and where.

    Args:
        timeline: Of the video.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._people = [
            list(stretches_of(timeline.of_person(person), timeline.hop_seconds))
            for person in timeline.persons
        ]
        nobody = [each for each in timeline.windows if each.person is None]
        self._people.append(list(stretches_of(nobody, timeline.hop_seconds)))
        self._starts = [[start for start, _, _ in stretches] for stretches in self._people]
        self._several = len(timeline.persons) > 1

    def at(self, seconds: float) -> list[Shown]:
        """Everybody who is shown then; nothing in a hole.

        Args:
            seconds: From the first frame.
        """
        shown = []
        for stretches, starts in zip(self._people, self._starts, strict=True):
            place = bisect_right(starts, seconds) - 1
            if place >= 0 and seconds < stretches[place][1]:
                said = stretches[place][2]
                among_others = self._several and said.person is not None
                shown.append(Shown(said, _box_at(stretches, place, seconds), among_others))
        return shown


def _box_at(stretches: Sequence[Stretch], place: int, seconds: float) -> Box | None:
    """Where the face is: on the way from where a window found it to where the next one did."""
    box = stretches[place][2].box
    near = [
        each
        for at, each in enumerate(stretches[max(0, place - 1) : place + 2], max(0, place - 1))
        if at == place or _touch(stretches, at, place)
    ]
    for earlier, later in pairwise(each[2] for each in near):
        first, last = _middle(earlier), _middle(later)
        if earlier.box and later.box and first <= seconds <= last:
            return _between(earlier.box, later.box, (seconds - first) / (last - first))
    return box


def _touch(stretches: Sequence[Stretch], one: int, other: int) -> bool:
    earlier, later = sorted((one, other))
    return abs(stretches[later][0] - stretches[earlier][1]) < 1e-6


def _middle(said: WindowPrediction) -> float:
    return (said.start + said.end) / 2


def _between(one: Box, other: Box, share: float) -> Box:
    """A box on the straight way from one to another.

    >>> _between(Box(0, 0, 10, 10), Box(10, 0, 20, 10), 0.5)
    Box(left=5.0, top=0.0, width=15.0, height=10.0)
    """
    return Box(
        left=one.left + share * (other.left - one.left),
        top=one.top + share * (other.top - one.top),
        width=one.width + share * (other.width - one.width),
        height=one.height + share * (other.height - one.height),
    )
