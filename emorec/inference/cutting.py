"""How videos are cut into windows for a network."""

from dataclasses import dataclass

from emorec.data.faces.detector import FaceDetector


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How videos are cut into windows for a network; see `Settings.cutting`.

    Attributes:
        window_seconds: How long a window is.
        hop_seconds: From the start of a window to that of the next.
        detector: Finds the faces that are cut out; `None` keeps the whole picture.
    """

    window_seconds: float
    hop_seconds: float
    detector: FaceDetector | None = None
