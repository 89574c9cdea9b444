"""Timeline of a video: its windows, each with its prediction, and the gaps between them."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from emorec import text
from emorec.inference.spec import TaskKind

if TYPE_CHECKING:  # importing OpenCV is slow
    from emorec.data.audio_embedding import Embedding
    from emorec.data.faces import Box
    from emorec.data.landmarks import FaceTrack

Contours: TypeAlias = tuple[tuple[float, npt.NDArray[np.int16]], ...]
"""Lines of a face in single frames: (seconds, points), see `emorec.data.landmarks.contour_points`."""

NO_FACE = "no face"
"""Label of a window without a face."""

UNCERTAIN = "uncertain"
"""Label of a window whose confidence is below `Options.abstain_below`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Prediction of a network for a window or for some frames.

    Attributes:
        names: The K classes in label order, or the R numbers.
        values: Their probabilities, or the numbers; `None` without a face.
        predicted: The class, "no face" or "uncertain"; empty for a network that predicts numbers.
        confidence: The highest probability; `None` for numbers and without a face.

    >>> Prediction(names=("happy", "sad"), values=(0.25, 0.75), predicted="sad", confidence=0.75).probabilities
    {'happy': 0.25, 'sad': 0.75}
    """

    names: tuple[str, ...] = ()
    values: tuple[float, ...] | None = None
    predicted: str = ""
    confidence: float | None = None

    @property
    def probabilities(self) -> dict[str, float]:
        """Class -> probability, or number -> value; empty without a face."""
        return dict(zip(self.names, self.values or (), strict=False))


@dataclass(frozen=True, slots=True, eq=False)
class WindowFeatures:
    """Features of a window for each of M networks: those of a fusion, or the only one.

    Attributes:
        features: M arrays (T, D).
        present: (M,) whether the window has what each network takes.
    """

    features: tuple[npt.NDArray[np.float32], ...]
    present: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Prediction):
    """One person in a half-open interval of a video: the network's input first, its prediction later.

    Attributes:
        start: Seconds on the clock of the file, as players count; from the first frame of a camera.
        end: Seconds, exclusive.
        person: Number of the track, from 1 in order of appearance; `None` where no face was found. Networks trained on
            whole frames know one person, 1.
        box: The face, in pixels of the upright frame; `None` where none was searched or found.
        boxes: The face in single frames of the window: (seconds, box).
        contours: Its lines, for networks of landmarks.
        pose: Yaw, pitch and roll of the head in degrees, see `head_pose`; the mean over frames with a face.
        seconds: Of the T frames.
        frames: (T, H, W, 3) uint8, RGB; only until the window is predicted.
        face: (T,) landmarks, blendshapes and pose; only until the window is predicted, unless `Options.blendshapes`.
        sound: (samples,) float32, -1 to 1; only until the window is predicted.
        embedding: (S, D) of the sound; `None` without sound; only until the window is predicted.
        has_sound: Whether the window has sound; where not, `sound` is zeros.
        features: To be adapted to the person; only until the window is predicted.
        unfamiliar: Streams that lie outside of what training saw, of "face", "motion" and "sound"; `None` where that
            is not known.
    """

    start: float
    end: float
    person: int | None
    box: "Box | None" = None
    boxes: "tuple[tuple[float, Box], ...]" = ()
    # arrays have no hash, and are drawn apart from the card that overlays cache by window
    contours: Contours = field(default=(), compare=False)
    pose: tuple[float, float, float] | None = None
    seconds: tuple[float, ...] = ()
    frames: npt.NDArray[np.uint8] | None = None
    face: "FaceTrack | None" = None
    sound: npt.NDArray[np.float32] | None = None
    embedding: "Embedding | None" = None
    has_sound: bool = False
    features: WindowFeatures | None = None
    unfamiliar: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Half-open interval of a video, in seconds, that can't be decoded.

    Attributes:
        start: Seconds on the clock of the file.
        end: Seconds, exclusive.
    """

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Predictions for a whole video.

    Attributes:
        path: The video or sound file; `None` for a camera.
        task: Whether the network predicts classes or numbers.
        names: The classes in label order, or the numbers.
        windows: With their predictions, sorted by start, then by person.
        gaps: Intervals that can't be decoded.
        seconds: End of the video, which players show as its length.
        window_seconds: Length of a window.
        hop_seconds: From the start of one window to the next.
        adapted_by: By what predictions are adapted to a person, such as "the whole video"; empty when by nothing.
    """

    path: Path | None
    task: TaskKind
    names: tuple[str, ...]
    windows: tuple[Window, ...]
    gaps: tuple[Gap, ...]
    seconds: float
    window_seconds: float
    hop_seconds: float
    adapted_by: str = ""

    @property
    def persons(self) -> tuple[int, ...]:
        """Numbers of the persons, sorted."""
        return tuple(sorted({each.person for each in self.windows if each.person is not None}))

    @property
    def face_coverage(self) -> float | None:
        """Share of the decoded intervals with a face; `None` without any interval."""
        starts = {each.start for each in self.windows}
        with_face = {each.start for each in self.windows if each.person is not None}
        return len(with_face) / len(starts) if starts else None

    @property
    def most_frequent(self) -> str | None:
        """The most frequent label of windows with a face, the first one of a tie; `None` for numbers.

        "no face" where no window has one.
        """
        if self.task == "numbers" or not self.windows:
            return None
        labels = Counter(each.predicted for each in self.windows if each.person is not None)
        return labels.most_common(1)[0][0] if labels else NO_FACE

    def of_person(self, person: int | None) -> tuple[Window, ...]:
        """Return the windows of one person; `None`: those without a face."""
        return tuple(each for each in self.windows if each.person == person)


def display_intervals(
    windows: Sequence[Window], hop_seconds: float
) -> Iterator[tuple[float, float, Window]]:
    """Yield start and end, in seconds, of the interval in which each window is displayed.

    Overlapping windows meet halfway between their centres; the first and the last window of a run keep their outer end.

    Args:
        windows: Of one person, sorted.
        hop_seconds: From the start of one window to the next.
    """
    centres = [(each.start + each.end) / 2 for each in windows]
    adjacent = [
        later - earlier < 1.5 * hop_seconds for earlier, later in itertools.pairwise(centres)
    ]
    for index, window in enumerate(windows):
        start, end = window.start, window.end
        if index > 0 and adjacent[index - 1]:
            start = (centres[index - 1] + centres[index]) / 2
        if index < len(adjacent) and adjacent[index]:
            end = (centres[index] + centres[index + 1]) / 2
        yield start, end, window


def format_means(timeline: Timeline) -> str:
    """Format the mean of each number over the windows with a face, such as "valence 0.12, arousal -0.40"."""
    values = [each.values for each in timeline.windows if each.values is not None]
    means = [sum(column) / len(values) for column in zip(*values, strict=True)]
    return ", ".join(
        f"{name} {mean:.2f}" for name, mean in zip(timeline.names, means, strict=False)
    )


def format_gaps(timeline: Timeline) -> str:
    """Format the first gaps, such as "2.5 s to 3.7 s"."""
    spans = [
        " to ".join(format_time(round(t, 1), timeline.seconds) for t in (gap.start, gap.end))
        for gap in timeline.gaps
    ]
    return text.first_few(spans, limit=5)


def count_unfamiliar(timeline: Timeline) -> dict[str, int] | None:
    """Count the windows with any unfamiliar stream, then those of each stream; `None` where that is not known."""
    marked = [each.unfamiliar for each in timeline.windows if each.unfamiliar is not None]
    if not marked:
        return None
    streams = Counter(stream for each in marked for stream in each)
    return {"windows": sum(map(bool, marked)), **dict(sorted(streams.items()))}


def format_unfamiliar(timeline: Timeline) -> str:
    """Format the unfamiliar windows as a sentence without a full stop; empty where there are none."""
    counts = count_unfamiliar(timeline)
    if not counts or not counts["windows"]:
        return ""
    streams = ", ".join(f"{name} {count}" for name, count in counts.items() if name != "windows")
    total = text.plural(len(timeline.windows), "window")
    verb = "is" if counts["windows"] == 1 else "are"
    return (
        f"{counts['windows']} of {total} {verb} unlike the training clips ({streams}): "
        f"don't trust {'it' if verb == 'is' else 'them'}"
    )


def format_time(seconds: float, video_seconds: float) -> str:
    """Format a position in a video of a given length.

    >>> format_time(75, 600), format_time(2.5, 3.7), format_time(3675, 4000)
    ('1:15', '2.5 s', '1:01:15')
    """
    return f"{seconds:g} s" if video_seconds < 60 else text.clock_time(seconds)
