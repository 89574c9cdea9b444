"""How videos are cut into windows for a network."""

from dataclasses import dataclass

from emorec.data.faces.detector import FaceDetector
from emorec.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How videos are cut into windows for a network; see `Settings.cutting`.

    Attributes:
        window_seconds: How long a window is.
        hop_seconds: From the start of a window to that of the next.
        detector: Finds the faces that are cut out; `None` keeps the whole picture.

    Raises:
        UserError: When a number is impossible.
    """

    window_seconds: float
    hop_seconds: float
    detector: FaceDetector | None = None

    def __post_init__(self) -> None:
        for name in ("window_seconds", "hop_seconds"):
            seconds = getattr(self, name)
            if not 0 < seconds < float("inf"):
                raise UserError(f"{name} is {seconds}: choose a number of seconds above 0")
