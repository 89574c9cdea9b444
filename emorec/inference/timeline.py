"""What a network said of a video, window after window."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from emorec.inference.facts import Says
from emorec.inference.prediction import NO_FACE, WindowPrediction
from emorec.inference.window import Hole


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What a network said of a video.

    Attributes:
        path: The video; `None` for a camera.
        says: Whether the network names classes or predicts numbers.
        names: Of the classes in label order, or of the numbers.
        windows: In the order of their start, then of the person.
        holes: Stretches whose frames can't be decoded.
        seconds: How long the video is.
        window_seconds: How long a window is.
        hop_seconds: From the start of a window to that of the next.
    """

    path: Path | None
    says: Says
    names: tuple[str, ...]
    windows: tuple[WindowPrediction, ...]
    holes: tuple[Hole, ...]
    seconds: float
    window_seconds: float
    hop_seconds: float

    @property
    def persons(self) -> tuple[int, ...]:
        """Who is in it, numbered from 1."""
        return tuple(sorted({each.person for each in self.windows if each.person is not None}))

    @property
    def face_coverage(self) -> float | None:
        """The share of the stretches that could be decoded in which somebody is; `None` without any."""
        stretches = {each.start for each in self.windows}
        with_somebody = {each.start for each in self.windows if each.person is not None}
        return len(with_somebody) / len(stretches) if stretches else None

    @property
    def most_frequent(self) -> str | None:
        """The word that is said of most windows with a face, of equal ones the first; `None` for numbers.

        Where there is no face at all it is "no face".
        """
        if self.says == "numbers" or not self.windows:
            return None
        said = Counter(each.predicted for each in self.windows if each.person is not None)
        return said.most_common(1)[0][0] if said else NO_FACE

    def of_person(self, person: int) -> tuple[WindowPrediction, ...]:
        """The windows of one person."""
        return tuple(each for each in self.windows if each.person == person)

    def at(self, seconds: float, person: int | None = None) -> WindowPrediction | None:
        """Of the windows around a moment the one whose middle is nearest; `None` where there is none.

        Args:
            seconds: From the first frame.
            person: One of `persons`; any when not given.
        """
        around = [
            each
            for each in self.windows
            if each.start <= seconds < each.end and person in (None, each.person)
        ]
        return min(around, key=lambda each: abs(each.start + each.end - 2 * seconds), default=None)


def means_in_words(timeline: Timeline) -> str:
    """The mean of each number over all windows with somebody, such as "valence 0.12, arousal -0.40"; "" without any."""
    values = [each.values for each in timeline.windows if each.values is not None]
    means = [sum(column) / len(values) for column in zip(*values, strict=True)]
    return ", ".join(
        f"{name} {mean:.2f}" for name, mean in zip(timeline.names, means, strict=False)
    )
