"""A window of a video: what a network says something of."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emorec.data.faces.boxes import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of a video and one person in it, as a network takes them.

    Attributes:
        start: In seconds from the first frame.
        end: Half-open, in seconds.
        person: Numbered from 1 in the order in which they appear; `None` where no face was found, and then there is
            nothing to see. A network that was trained on whole pictures knows one person, 1.
        frames: (T, H, W, 3) uint8, RGB.
        sound: (samples,) float32 from -1 to 1; silence where there is none. `None` for a network that does not hear.
        heard: Whether the window has sound.
        box: Where the face is, in pixels of the upright picture; `None` where none was looked for.
        face_frames: Of the T frames those in which the person's face was found; `None` where none was looked for.
        boxes: When each of those frames starts, in seconds, and where the face is in it.
    """

    start: float
    end: float
    person: int | None
    frames: npt.NDArray[np.uint8] | None = None
    sound: npt.NDArray[np.float32] | None = None
    heard: bool = False
    box: Box | None = None
    face_frames: int | None = None
    boxes: tuple[tuple[float, Box], ...] = ()


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch of a video, in seconds, whose frames can't be decoded."""

    start: float
    end: float
