"""Which frames a network sees of a video to say something of one of them, and reading them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from emorec.data.affwild2 import Frames, Video
from emorec.data.clip import Clip
from emorec.data.decoding.decode import Frames as Pictures
from emorec.data.preprocessing import Resize, resize_frames
from emorec.data.whole_pictures import decoded
from emorec.errors import UserError
from emorec.image_size import Size

Position = Literal["ends", "precedes"]
"""The window's last frame is the one in question, or the one before it."""

Gaps = Literal["hold", "drop"]
"""Where a frame has no picture the last one before it (else the first) stands for it, or there is no window."""


@dataclass(frozen=True, slots=True)
class Window:
    """T consecutive frames that lead to one.

    Attributes:
        num_frames: T.
        position: Whether the frame itself is the last of them.
        gaps: What becomes of frames without a picture.

    >>> pictures = np.array([1, 2, 4, 5], np.int32)
    >>> Window(3, "ends", "hold").frames(pictures, 4).tolist()
    [2, 2, 4]
    >>> Window(3, "precedes", "hold").frames(pictures, 2).tolist()
    [1, 1, 1]
    """

    num_frames: int
    position: Position = "ends"
    gaps: Gaps = "hold"

    def frames(self, there: Frames, frame: int) -> Frames:
        """(T,) numbers of the pictures to see, gaps held.

        Args:
            there: Numbers of all frames that have a picture, ascending.
            frame: The one in question.
        """
        last = frame - (self.position == "precedes")
        wanted = np.arange(last - self.num_frames + 1, last + 1)
        seen: Frames = there[np.searchsorted(there, wanted, side="right").clip(min=1) - 1]
        return seen

    def exists(self, there: Frames, frames: Frames) -> npt.NDArray[np.bool_]:
        """Which of N frames have a window, (N,): with gaps "drop" those whose T frames all have a picture.

        >>> pictures = np.array([1, 2, 4, 5, 6], np.int32)
        >>> Window(2, "ends", "drop").exists(pictures, pictures).tolist()
        [False, True, False, True, True]
        """
        if self.gaps == "hold":
            return np.ones(len(frames), dtype=bool)
        last = frames - (self.position == "precedes")
        before = np.searchsorted(there, last - self.num_frames, side="right")
        complete: npt.NDArray[np.bool_] = (
            np.searchsorted(there, last, side="right") - before == self.num_frames
        )
        return complete


class WindowPictures:
    """Reads the pictures of a clip's window; a `Source`.

    Args:
        videos: What the clips are of.
        window: Which frames lead to each.
        size: Of the pictures that come.
        resize: What becomes of those of other proportions.
    """

    def __init__(
        self, videos: Iterable[Video], window: Window, size: Size, resize: Resize = "shorter_side"
    ) -> None:
        self.videos = {video.name: video for video in videos}
        self.window = window
        self.size = size
        self.resize: Resize = resize

    def __call__(self, clip: Clip) -> Pictures:
        """(T, H, W, 3) uint8, RGB.

        Raises:
            UserError: When a picture can't be read.
        """
        video = self.videos[clip.take]
        frames = self.window.frames(video.frames, int(clip.path.stem))
        read = {frame: self._read(video.picture(frame)) for frame in set(frames.tolist())}
        return np.stack([read[frame] for frame in frames.tolist()])

    def _read(self, path: Path) -> Pictures:
        try:
            picture = decoded(path)
        except OSError:
            picture = None
        if picture is None:
            raise UserError(
                f"{path} is no picture that can be read: get it anew, or remove it, which leaves a gap there"
            )
        rgb: Pictures = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        resized_one: Pictures = resize_frames(rgb[None], self.size, self.resize)[0]
        return resized_one


class WindowFeatures:
    """Reads the features of a clip's window, which `emorec features` has computed.

    Args:
        videos: What the clips are of.
        window: Which frames lead to each.
        folder: Holds `<video>.npy`, (frames with a picture, D) float32.
    """

    def __init__(self, videos: Iterable[Video], window: Window, folder: Path) -> None:
        self.videos = {video.name: video for video in videos}
        self.window = window
        self.folder = folder
        self._open: dict[str, npt.NDArray[np.float32]] = {}

    def __call__(self, clip: Clip) -> npt.NDArray[np.float32]:
        """(T, D) float32.

        Raises:
            UserError: When the features of the video are not there or are of other frames.
        """
        video = self.videos[clip.take]
        features = self.of(video)
        frames = self.window.frames(video.frames, int(clip.path.stem))
        return np.array(features[np.searchsorted(video.frames, frames)])

    def of(self, video: Video) -> npt.NDArray[np.float32]:
        """The features of a video's frames, (frames with a picture, D), on the disk until they are used.

        Raises:
            UserError: When they are not there or are of other frames.
        """
        if video.name not in self._open:
            path = features_file(self.folder, video)
            again = "compute them with emorec features CKPT"
            try:
                features = np.load(path, mmap_mode="r")
            except (OSError, ValueError):
                raise UserError(f"no features of {video.name} in {self.folder}: {again}") from None
            if features.ndim != 2 or len(features) != len(video.frames):
                raise UserError(
                    f"{path} holds {len(features)} features and {video.folder} {len(video.frames)} pictures: {again}"
                )
            self._open[video.name] = features
        return self._open[video.name]


def features_file(folder: Path, video: Video) -> Path:
    """Where a video's features are."""
    return folder / f"{video.name}.npy"
