"""What a network said: of some frames, or of a window of a video."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from emorec.data.faces.boxes import Box
from emorec.inference.facts import Facts
from emorec.inference.window import Window

NO_FACE = "no face"
"""What is said of a window in which nobody is."""

UNCERTAIN = "uncertain"
"""What is said of a window whose confidence is below the one that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a network said.

    Attributes:
        names: Of the K classes in label order, or of the R numbers.
        values: Their probabilities, or the numbers; `None` where there was no face.
        predicted: The class, "no face" or "uncertain"; empty for a network that predicts numbers.
        confidence: The probability of the likeliest class; `None` for numbers and where there was no face.

    >>> Prediction(names=("happy", "sad"), values=(0.25, 0.75), predicted="sad", confidence=0.75).probabilities
    {'happy': 0.25, 'sad': 0.75}
    """

    names: tuple[str, ...]
    values: tuple[float, ...] | None
    predicted: str
    confidence: float | None

    @property
    def probabilities(self) -> dict[str, float]:
        """Class -> probability, 0 to 1; or number -> value. Empty where there was no face."""
        return dict(zip(self.names, self.values or (), strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPrediction(Prediction):
    """What a network said of one person in a stretch of a video.

    Attributes:
        start: In seconds from the first frame.
        end: Half-open, in seconds.
        person: Numbered from 1 in the order in which they appear; `None` where no face was found.
        box: Where the face is, in pixels of the upright picture; `None` where none was looked for or found.
        boxes: Where it is in single frames of the window, by their seconds.
    """

    start: float
    end: float
    person: int | None
    box: Box | None
    boxes: tuple[tuple[float, Box], ...] = ()

    @classmethod
    def of(cls, window: Window, said: Prediction) -> Self:
        """What was said of a window."""
        return cls(
            names=said.names,
            values=said.values,
            predicted=said.predicted,
            confidence=said.confidence,
            start=window.start,
            end=window.end,
            person=window.person,
            box=window.box,
            boxes=window.boxes,
        )


def prediction_of(
    facts: Facts, output: npt.NDArray[np.float32] | None, abstain_below: float = 0.0
) -> Prediction:
    """What a network's output means.

    Args:
        facts: Of the network.
        output: (K,) probabilities or (R,) numbers; `None` where there was no face.
        abstain_below: The confidence from which on a class is named.
    """
    if output is None:
        return Prediction(names=facts.names, values=None, predicted=NO_FACE, confidence=None)
    values = tuple(output.tolist())
    if facts.says == "numbers":
        return Prediction(names=facts.names, values=values, predicted="", confidence=None)
    likeliest = int(output.argmax())
    confidence = values[likeliest]
    predicted = facts.names[likeliest] if confidence >= abstain_below else UNCERTAIN
    return Prediction(names=facts.names, values=values, predicted=predicted, confidence=confidence)
