"""What can be asked of a prediction, and what holds where nothing is asked."""

from dataclasses import dataclass
from typing import Literal, get_args

from emorec.errors import UserError
from emorec.inference.cutting import Cutting
from emorec.inference.facts import Facts

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

    def window_seconds_for(self, facts: Facts) -> float:
        """How long a window is for a network."""
        if self.window_seconds is not None:
            return self.window_seconds
        if facts.num_frames == 1:
            return max(facts.window_seconds, FRAME_WINDOW_SECONDS)
        return facts.window_seconds

    def hop_seconds_for(self, facts: Facts) -> float:
        """From the start of a window to that of the next, for a network."""
        if self.hop_seconds is not None:
            return self.hop_seconds
        window_seconds = self.window_seconds_for(facts)
        return window_seconds if facts.num_frames == 1 else window_seconds / 2

    def crops_faces(self, facts: Facts) -> bool:
        """Whether faces are looked for and cut out."""
        return facts.sees and (facts.face if self.face == "as_trained" else self.face == "crop")

    def cutting(self, facts: Facts) -> Cutting:
        """How videos are cut for a network; the face detector is opened.

        Raises:
            UserError: When the detector can't be had.
        """
        return Cutting.of(
            facts,
            window_seconds=self.window_seconds_for(facts),
            hop_seconds=self.hop_seconds_for(facts),
            face=self.face,
            face_detector=self.face_detector,
        )
