"""What can be asked of a prediction, and what holds where nothing is asked."""

import logging
from dataclasses import dataclass
from typing import Literal, get_args

from emorec.data.faces.detector import FaceDetector, find_detector
from emorec.errors import UserError
from emorec.inference.cutting import Cutting
from emorec.inference.facts import Facts

log = logging.getLogger(__name__)

FaceChoice = Literal["as_trained", "crop", "none"]

FRAME_WINDOW_SECONDS = 0.2
"""The shortest window of a network that sees one frame: more values a second than five are noise to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a video is cut into windows and what is said of them.

    Attributes:
        window_seconds: How long a window is; by default as long as the clips that the network was trained on.
        hop_seconds: From the start of a window to that of the next; by default half a window, and a whole one for a
            network that sees one frame.
        abstain_below: Windows with less confidence are called "uncertain"; 0 to 1.
        face: "as_trained", or against that "crop" every face, or "none".
        face_detector: "auto", "yunet", "haar" or a file of YuNet.
        batch_size: Windows that go through the network together.

    Raises:
        UserError: When a number makes no sense.
    """

    window_seconds: float | None = None
    hop_seconds: float | None = None
    abstain_below: float = 0.0
    face: FaceChoice = "as_trained"
    face_detector: str = "auto"
    batch_size: int = 16

    def __post_init__(self) -> None:
        for name, seconds in (
            ("window_seconds", self.window_seconds),
            ("hop_seconds", self.hop_seconds),
        ):
            if seconds is not None and not 0.01 <= seconds <= 3600:
                raise UserError(f"{name} is {seconds:g}: it has to be from 0.01 to 3600")
        if not 0 <= self.abstain_below <= 1:
            raise UserError(f"abstain_below is {self.abstain_below:g}: it has to be from 0 to 1")
        if self.face not in get_args(FaceChoice):
            raise UserError(f"face is {self.face}: choose as_trained, crop or none")
        if self.batch_size < 1:
            raise UserError(f"batch_size is {self.batch_size}: it has to be at least 1")

    def cutting(self, facts: Facts) -> Cutting:
        """How videos are cut for a network; the face detector is opened.

        Args:
            facts: Of the network. A face that is cut out against its training is remarked on.

        Raises:
            UserError: When the detector can't be had.
        """
        crops = facts.face if self.face == "as_trained" else self.face == "crop"
        if crops != facts.face and facts.sees:
            trained = "faces that were cut out" if facts.face else "whole pictures"
            log.warning("face is %s, but the network was trained on %s", self.face, trained)
        looks_for_faces = crops and facts.sees
        one_frame = facts.num_frames == 1
        window = self.window_seconds or max(
            facts.window_seconds, FRAME_WINDOW_SECONDS if one_frame else 0.0
        )
        return Cutting(
            window_seconds=window,
            hop_seconds=self.hop_seconds or (window if one_frame else window / 2),
            detector=FaceDetector(find_detector(self.face_detector)) if looks_for_faces else None,
        )
