"""Prediction options: one set of defaults for the Python API, `emorec predict` and `emorec app`."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Literal, get_args

from emorec.errors import UserError

if TYPE_CHECKING:  # the command line needs the options alone
    from emorec.data.faces import FaceDetector
    from emorec.data.preprocessing import FaceMode
    from emorec.inference.spec import ModelSpec

log = logging.getLogger(__name__)

FaceOption = Literal["as_trained", "crop", "align", "none"]

AdaptOption = Literal["auto", "video", "running", "none"]

Adaptation = Literal["video", "running", "enrolled", "none"]
"""By what predictions are adapted to a person: the whole video, the video so far, other videos, or nothing."""

FACE_NAMES = {"none": "whole frames", "crop": "cropped faces", "align": "aligned faces"}

MIN_FRAME_WINDOW_SECONDS = 0.2
"""Shortest default window of a single-frame network: more than five predictions a second are noise to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a video is divided into windows and predicted.

    Attributes:
        window_seconds: Length of a window; by default about that of the training clips.
        hop_seconds: From the start of one window to the next; by default half a window, and a whole one for networks
            of single frames.
        abstain_below: Windows with a lower confidence are labelled "uncertain"; 0 to 1, by default 0.5 for the built-in
            networks and 0 for others.
        face: Faces as_trained; or override that: crop, align, or none.
        face_detector: auto, yunet or a YuNet file.
        batch_size: Windows in a forward pass.
        adapt: Centre and scale features by those of each person in the whole video, or in the video so far (running),
            or none; auto is video (running for a camera) for networks trained with data.adapt person, else none.
        enrol: Other videos of the person, whose features do that instead.
        blendshapes: Also write frames.csv: head pose and blendshapes.

    Raises:
        UserError: When a value is out of range.
    """

    window_seconds: float | None = None
    hop_seconds: float | None = None
    abstain_below: float | None = None
    face: FaceOption = "as_trained"
    face_detector: str = "auto"
    batch_size: int = 16
    adapt: AdaptOption = "auto"
    enrol: Sequence[str | PathLike[str]] = ()
    blendshapes: bool = False

    def __post_init__(self) -> None:
        for name in ("window_seconds", "hop_seconds"):
            seconds = getattr(self, name)
            if seconds is not None and not 0.01 <= seconds <= 3600:
                raise UserError(f"{name} is {seconds:g}: choose 0.01 to 3600")
        if self.abstain_below is not None and not 0 <= self.abstain_below <= 1:
            raise UserError(f"abstain_below is {self.abstain_below:g}: choose 0 to 1")
        if self.face not in get_args(FaceOption):
            raise UserError(f"face is {self.face}: choose as_trained, crop, align or none")
        if self.batch_size < 1:
            raise UserError(f"batch_size is {self.batch_size}: choose at least 1")
        if self.adapt not in get_args(AdaptOption):
            raise UserError(f"adapt is {self.adapt}: choose auto, video, running or none")
        paths = (self.enrol,) if isinstance(self.enrol, str | PathLike) else tuple(self.enrol)
        object.__setattr__(self, "enrol", paths)  # options are hashable
        if paths and self.adapt != "auto":
            raise UserError(
                f"adapt is {self.adapt}, and enrol {paths[0]} adapts by other videos: leave one of them out"
            )

    @property
    def adapts(self) -> bool:
        """Whether predictions are to be adapted to each person, whatever the network was trained for."""
        return bool(self.enrol) or self.adapt in ("video", "running")

    def window_and_hop(self, spec: "ModelSpec") -> tuple[float, float]:
        """Length of a window and distance between window starts for a model, in seconds.

        By default a window shares half of its embedded sound with the one before, see `EmbeddingSpec.shared_hop`.
        """
        single_frame = spec.num_frames == 1
        shortest = MIN_FRAME_WINDOW_SECONDS if single_frame else 0.0
        usual = spec.window_seconds
        if spec.embedding:
            usual = 2 * spec.embedding.shared_hop(usual / 2)
        window = self.window_seconds or max(usual, shortest)
        return window, self.hop_seconds or (window if single_frame else window / 2)

    def lowest_confidence(self, spec: "ModelSpec") -> float:
        """Lowest confidence that names a class of a model."""
        return spec.abstain_below if self.abstain_below is None else self.abstain_below

    def face_mode(self, spec: "ModelSpec") -> "FaceMode":
        """What is made of faces for a model."""
        return spec.face if self.face == "as_trained" else self.face

    def adaptation(self, spec: "ModelSpec", *, live: bool = False) -> Adaptation:
        """By what the predictions of a model are adapted to a person.

        Args:
            spec: Of the model.
            live: Whether the video is a camera.

        Raises:
            UserError: When the model has to be adapted and is not, or a camera's end is needed.
        """
        if self.enrol:
            return "enrolled"
        if self.adapt == "auto":
            if spec.adapt == "none":
                return "none"
            return "running" if live else "video"
        if self.adapt == "none" and spec.adapt != "none":
            raise UserError(
                f"adapt is none, and {spec.network} was trained with data.adapt {spec.adapt}: choose --adapt video, "
                "--adapt running or --enrol FILES"
            )
        if self.adapt == "video" and live:
            raise UserError(
                "adapt is video, and a camera has no end: choose --adapt running or --enrol FILES"
            )
        return self.adapt

    def open_detector(self, spec: "ModelSpec") -> "FaceDetector | None":
        """Open the face detector for a model; `None` where whole frames are used.

        Logs a warning when faces are cropped or aligned unlike in training.

        Raises:
            UserError: When the detector's file is missing or something else.
        """
        mode = self.face_mode(spec)
        if not spec.uses_video:
            return None
        if mode != spec.face:
            log.warning(
                "face is %s, but the network was trained on %s", mode, FACE_NAMES[spec.face]
            )
        if mode == "none" and not spec.uses_landmarks:
            return None
        from emorec.data.faces import FaceDetector, find_detector

        return FaceDetector(find_detector(self.face_detector))
