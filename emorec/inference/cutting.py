"""How videos are cut into windows."""

import logging
from dataclasses import dataclass
from typing import Literal, Self

from emorec.data.faces.detector import FaceDetector, load_detector
from emorec.data.faces.detector_file import find_detector
from emorec.errors import UserError
from emorec.inference.facts import Facts

log = logging.getLogger(__name__)

Face = Literal["as_trained", "crop", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How videos are cut into windows.

    Attributes:
        window_seconds: How long a window is.
        hop_seconds: From the start of a window to that of the next.
        detector: Finds the faces that are cut out; `None` keeps the whole picture.
    """

    window_seconds: float
    hop_seconds: float
    detector: FaceDetector | None = None

    def __post_init__(self) -> None:
        for name in ("window_seconds", "hop_seconds"):
            seconds = getattr(self, name)
            if not 0 < seconds < float("inf"):
                raise UserError(f"{name} is {seconds}: choose a number of seconds above 0")

    @classmethod
    def of(
        cls,
        facts: Facts,
        *,
        window_seconds: float | None = None,
        hop_seconds: float | None = None,
        face: Face = "as_trained",
        face_detector: str = "auto",
    ) -> Self:
        """The cutting that a network was trained for, but for what is said otherwise.

        Args:
            facts: Of the network.
            window_seconds: `None` is as long as the clips were that it was trained on.
            hop_seconds: `None` is half a window.
            face: "crop" cuts out every face, "none" keeps the whole picture.
            face_detector: What finds faces (see `find_detector`).

        Raises:
            UserError: When a number is impossible or the detector can't be had.
        """
        crops = facts.face if face == "as_trained" else face == "crop"
        if crops != facts.face and facts.sees:
            trained = "faces that were cut out" if facts.face else "whole pictures"
            log.warning("face is %s, but the network was trained on %s", face, trained)
        window = facts.window_seconds if window_seconds is None else window_seconds
        return cls(
            window_seconds=window,
            hop_seconds=window / 2 if hop_seconds is None else hop_seconds,
            detector=load_detector(find_detector(face_detector)) if crops and facts.sees else None,
        )
