"""A trained network, ready for anyone's video."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
from typing_extensions import TypedDict, Unpack

from emorec.errors import UserError
from emorec.inference.batches import batches, has_somebody, stacked
from emorec.inference.camera import Camera
from emorec.inference.cutting import Cutting
from emorec.inference.facts import Facts
from emorec.inference.frames_as_seen import frames_as_seen
from emorec.inference.prediction import Prediction, WindowPrediction, prediction_of
from emorec.inference.runtime import Outputs, Runtime
from emorec.inference.settings import FaceChoice, Settings
from emorec.inference.stopwatch import Stopwatch
from emorec.inference.timeline import Timeline
from emorec.inference.video_file import VideoFile
from emorec.inference.window import Hole, Window
from emorec.inference.windows import windows_of


class How(TypedDict, total=False):
    """What `Settings` says, of what is to be otherwise this time."""

    window_seconds: float | None
    hop_seconds: float | None
    abstain_below: float
    face: FaceChoice
    face_detector: str
    batch_size: int


class Predictor:
    """Says what a trained network makes of videos and of frames, one at a time: threads need one each, or a lock.

    Args:
        runtime: What runs the network; see `emorec.load`.
        settings: What holds where `predict` is not told otherwise.
    """

    def __init__(self, runtime: Runtime, settings: Settings | None = None) -> None:
        self.runtime = runtime
        self.settings = settings or Settings()
        self._cuttings: dict[Settings, Cutting] = {}

    @property
    def facts(self) -> Facts:
        """What there is to know of the network."""
        return self.runtime.facts

    @overload
    def predict(self, what: str | PathLike[str], **how: Unpack[How]) -> Timeline: ...
    @overload
    def predict(self, what: npt.NDArray[np.uint8], **how: Unpack[How]) -> Prediction: ...

    def predict(
        self, what: str | PathLike[str] | npt.NDArray[np.uint8], **how: Unpack[How]
    ) -> Timeline | Prediction:
        """What the network says of a video or of some frames.

        Args:
            what: The path of a video, whose windows become a timeline; or frames (T, H, W, 3) uint8, RGB, any number of
                them, which are one window: the network sees those of them that it would see of a clip.
            how: See `Settings`.

        Raises:
            UserError: When the file can't be read, the frames have another shape or type, or the network does not take
                what there is.
        """
        settings = replace(self.settings, **how)
        if not isinstance(what, np.ndarray):
            return self._timeline(Path(what).expanduser(), settings)
        frames = refuse_other_frames(what, self.facts)
        window = frames_as_seen(frames, self.facts, self._cutting(settings).detector)
        return self._say([window], settings)[0]

    def stream(
        self,
        video: VideoFile | Camera,
        settings: Settings | None = None,
        clock: Stopwatch | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[WindowPrediction | Hole]:
        """What the network says of a video, as soon as it is said; memory does not grow with the video.

        Args:
            video: Open.
            settings: Those of the predictor when not given.
            clock: Is told where the time goes.
            progress: Is told up to which second the video is read.

        Raises:
            UserError: When the network does not take what there is.
        """
        settings = settings or self.settings
        clock = clock or Stopwatch()
        pieces = windows_of(video, self.facts, self._cutting(settings), clock)
        # somebody before a camera waits for no batch
        size = settings.batch_size if isinstance(video, VideoFile) else 1
        for batch in batches(told(pieces, progress), size):
            with clock.during("network"):
                said = self._say([each for each in batch if isinstance(each, Window)], settings)
            words = iter(said)
            for piece in batch:
                yield (
                    piece if isinstance(piece, Hole) else WindowPrediction.of(piece, next(words))
                )

    def detector(self, settings: Settings | None = None) -> str | None:
        """What finds faces, in a few words; `None` where none are looked for."""
        detector = self._cutting(settings or self.settings).detector
        return None if detector is None else detector.version

    def _cutting(self, settings: Settings) -> Cutting:
        """Opened once for all videos."""
        if settings not in self._cuttings:
            self._cuttings[settings] = settings.cutting(self.facts)
        return self._cuttings[settings]

    def _timeline(self, path: Path, settings: Settings) -> Timeline:
        video = VideoFile(path)
        pieces = list(self.stream(video, settings))
        return self.timeline(video, pieces, settings)

    def timeline(
        self,
        video: VideoFile | Camera,
        pieces: Iterable[WindowPrediction | Hole],
        settings: Settings | None = None,
    ) -> Timeline:
        """What `stream` gave, as one.

        Args:
            video: Whose it is.
            pieces: What `stream` gave.
            settings: With which.
        """
        settings = settings or self.settings
        pieces = tuple(pieces)
        path = video.path if isinstance(video, VideoFile) else None
        cutting = self._cutting(settings)
        return Timeline(
            path=path,
            says=self.facts.says,
            names=self.facts.names,
            windows=tuple(each for each in pieces if isinstance(each, WindowPrediction)),
            holes=tuple(each for each in pieces if isinstance(each, Hole)),
            seconds=video.seconds
            if isinstance(video, VideoFile)
            else max((each.end for each in pieces), default=0.0),
            window_seconds=cutting.window_seconds,
            hop_seconds=cutting.hop_seconds,
        )

    def _say(self, windows: list[Window], settings: Settings) -> list[Prediction]:
        """What is said of each, "no face" where nobody is."""
        with_somebody = [window for window in windows if has_somebody(window)]
        outputs = iter(self._outputs(with_somebody))
        return [
            prediction_of(
                self.facts, next(outputs) if has_somebody(each) else None, settings.abstain_below
            )
            for each in windows
        ]

    def _outputs(self, windows: list[Window]) -> Outputs:
        """(B, K) or (B, R)."""
        if not windows:
            return np.empty((0, len(self.facts.names)), np.float32)
        return self.runtime(stacked(windows, self.facts))


def told(
    pieces: Iterable[Window | Hole], progress: Callable[[float], None] | None
) -> Iterator[Window | Hole]:
    """The pieces of a video; progress is told where each begins."""
    for piece in pieces:
        if progress:
            progress(piece.start)
        yield piece


def refuse_other_frames(frames: npt.NDArray[np.uint8], facts: Facts) -> npt.NDArray[np.uint8]:
    """The frames, if they are frames that the network can see.

    Raises:
        UserError: When they have another type or shape, or the network does not see.
    """
    if not facts.sees:
        raise UserError(f"{facts.network} only hears: give it the path of a file with sound")
    if frames.dtype != np.uint8:
        raise UserError(f"frames are {frames.dtype}: they have to be uint8, 0 to 255, RGB")
    if frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        raise UserError(f"frames have the shape {frames.shape}: it has to be (T, H, W, 3), RGB")
    return frames
