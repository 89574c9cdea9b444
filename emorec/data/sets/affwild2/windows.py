"""Clips of Aff-Wild2: a frame with the window of consecutive frames that leads to it."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

import cv2
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emorec.data.clip import Clip
from emorec.data.preprocessing import Resize, resize_frames
from emorec.data.sets.affwild2.parser import FrameNumbers, Labels, Video
from emorec.data.video.reader import Frames
from emorec.errors import UserError
from emorec.image_size import Size

log = logging.getLogger(__name__)

Position = Literal["ends", "precedes"]
"""The window ends with the clip's own frame, or with the frame before it."""

Gaps = Literal["hold", "drop"]
"""For a frame without an image, repeat the previous image (else the first), or drop the clip."""

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
JPEG_TAIL_BYTES = 512
"""Last bytes of a JPEG file that hold its end marker; some programs append a little."""


class FrameClips(Sequence[Clip]):
    """Frames as a lazy sequence of clips, since there are millions; path is the image, take the video, actor the film.

    Args:
        videos: The videos.
        rows: (N, 2) int32, position of the video and frame number from 1; grouped by video.
        unknown_label: Label of a frame without annotation.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        rows: npt.NDArray[np.int32],
        unknown_label: int | tuple[float, ...] = -1,
    ) -> None:
        self.videos = videos
        self.rows = rows
        self.unknown_label = unknown_label

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> "FrameClips": ...
    @override
    def __getitem__(self, index: int | slice) -> "Clip | FrameClips":
        if isinstance(index, slice):
            return self.select(index)
        video_index, frame = self.rows[index].tolist()
        video = self.videos[video_index]
        return Clip(
            path=video.image_path(frame),
            label=self._label(video, frame),
            actor=video.film,
            take=video.name,
        )

    def select(self, indices: slice | npt.NDArray[np.bool_ | np.int64]) -> "FrameClips":
        """Return some of the clips, by slice, positions or mask."""
        return FrameClips(self.videos, self.rows[indices], self.unknown_label)

    def _label(self, video: Video, frame: int) -> int | tuple[float, ...]:
        if video.labels is None or frame > len(video.labels):
            return self.unknown_label
        label = video.labels[frame - 1]
        if label.ndim == 0:
            return int(label)
        return self.unknown_label if (label < -1).any() else tuple(label.tolist())

    @property
    def labels(self) -> Labels:
        """(N, 2) or (N,) labels of N annotated frames."""
        parts: list[Labels] = []
        for i in np.unique(self.rows[:, 0]).tolist():
            labels = self.videos[i].labels
            assert labels is not None
            parts.append(labels[self.rows[self.rows[:, 0] == i, 1] - 1])
        joined: Labels = np.concatenate(parts)  # type: ignore[assignment]
        return joined


@dataclass(frozen=True, slots=True)
class Window:
    """T consecutive frames that lead to a frame.

    Attributes:
        num_frames: T.
        position: Whether the frame itself is the last of them.
        gaps: Treatment of frames without an image.

    >>> frames = np.array([1, 2, 4, 5], np.int32)
    >>> Window(3, "ends", "hold").frames(frames, 4).tolist()
    [2, 2, 4]
    >>> Window(3, "precedes", "hold").frames(frames, 2).tolist()
    [1, 1, 1]
    """

    num_frames: int
    position: Position = "ends"
    gaps: Gaps = "hold"

    def frames(self, existing: FrameNumbers, frame: int) -> FrameNumbers:
        """Return the (T,) numbers of the images to show, gaps held.

        Args:
            existing: Numbers of all frames that have an image, ascending.
            frame: The frame that the window leads to.
        """
        last = frame - (self.position == "precedes")
        wanted = np.arange(last - self.num_frames + 1, last + 1)
        held: FrameNumbers = existing[
            np.searchsorted(existing, wanted, side="right").clip(min=1) - 1
        ]
        return held

    def exists(self, existing: FrameNumbers, frames: FrameNumbers) -> npt.NDArray[np.bool_]:
        """Return which of N frames have a window, (N,): with gaps "drop" all T frames need an image.

        >>> existing = np.array([1, 2, 4, 5, 6], np.int32)
        >>> Window(2, "ends", "drop").exists(existing, existing).tolist()
        [False, True, False, True, True]
        """
        if self.gaps == "hold":
            return np.ones(len(frames), dtype=bool)
        last = frames - (self.position == "precedes")
        num_before = np.searchsorted(existing, last - self.num_frames, side="right")
        complete: npt.NDArray[np.bool_] = (
            np.searchsorted(existing, last, side="right") - num_before == self.num_frames
        )
        return complete


class WindowFrames:
    """Reads the images of a clip's window.

    A corrupt image counts as missing, with a warning: the previous image (else the next) takes its place.

    Args:
        videos: The videos of the clips.
        window: The frames that lead to each clip.
        size: Height and width of the frames, in pixels.
        resize: Treatment of images with another aspect ratio.
    """

    def __init__(
        self, videos: Iterable[Video], window: Window, size: Size, resize: Resize = "shorter_side"
    ) -> None:
        self.videos = {video.name: video for video in videos}
        self.window = window
        self.size = size
        self.resize: Resize = resize
        self._warned: set[Path] = set()

    def __call__(self, clip: Clip) -> Frames:
        """Return (T, H, W, 3) uint8, RGB.

        Raises:
            UserError: When no image of the video can be read.
        """
        video = self.videos[clip.take]
        frames = self.window.frames(video.frames, int(clip.path.stem)).tolist()
        images = {frame: self._read(video, frame) for frame in set(frames)}
        return np.stack([images[frame] for frame in frames])

    def _read(self, video: Video, frame: int) -> Frames:
        """Return the (H, W, 3) image of a frame, or of the closest previous (else next) one that can be read."""
        before = video.frames[video.frames <= frame][::-1]
        after = video.frames[video.frames > frame]
        for number in [*before.tolist(), *after.tolist()]:
            path = video.image_path(number)
            image = read_image(path)
            if image is not None:
                resized: Frames = resize_frames(image[None], self.size, self.resize)[0]
                return resized
            if path not in self._warned:
                self._warned.add(path)
                log.warning("%s can't be read and counts as missing: download it again", path)
        raise UserError(f"no image in {video.folder} can be read: download the folder again")


def read_image(path: Path) -> Frames | None:
    """Return the (H, W, 3) uint8 RGB pixels of an image file; `None` if it is missing, truncated or not an image."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    # OpenCV decodes a truncated JPEG with a grey rest
    if content.startswith(JPEG_START) and JPEG_END not in content[-JPEG_TAIL_BYTES:]:
        return None
    if not content:
        return None
    image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
