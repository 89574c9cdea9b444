"""Preprocessing of clips: frame sampling, face cropping or alignment, resizing; everything that involves no chance."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emorec.data.clip import Clip, Half, content_key, settings_digest
from emorec.data.faces import MARGIN, FaceDetector, clip_face, face_pixels, find_detector
from emorec.data.video.reader import (
    DecodedClip,
    Decoder,
    Frames,
    Sampler,
    decode,
    decode_spans,
    decoder_version,
    library_of,
    linspace_indices,
)
from emorec.image_size import Size
from emorec.text import listed_files, plural

Resize = Literal["shorter_side", "squash"]

FaceMode = Literal["none", "crop", "align"]
"""What is made of the face in a clip: nothing, one crop around it, or one crop with the head upright."""

ReadFrames = Callable[[Clip], Frames]
"""Clip -> (T, H, W, C) uint8, in memory of its own."""

FORMAT = 3
"""Version of the preprocessing; raising it makes cached frames unused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSpec(ABC):
    """What is made of T frames of a clip; a subclass adds shape, type, name and `preprocess`.

    Attributes:
        num_frames: T, evenly spaced over the clip; 0 for networks that take no frames.
        decoder: The library that reads the video.
    """

    num_frames: int
    decoder: Decoder = "decord"

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of a clip's content, first T."""

    @property
    @abstractmethod
    def dtype(self) -> npt.DTypeLike:
        """Of a clip's content."""

    @property
    @abstractmethod
    def name(self) -> str:
        """A file name that is unique to this specification and the version of everything that shapes the content."""

    @abstractmethod
    def preprocess(self, frames: Frames) -> tuple[npt.NDArray[Any], int | None]:
        """Frames (T, H, W, C) uint8 -> the content, and the number of frames with a face or `None`."""

    @property
    def check_name(self) -> str:
        """Takes the place of the name where clips are only checked and nothing is stored."""
        return f"check 3, {decoder_version(self.decoder)}, {decoder_version('pyav')}"

    @staticmethod
    def source(clip: Clip) -> Path:
        """Return the file that is decoded."""
        return clip.path

    @staticmethod
    def key(clip: Clip, digest: str) -> str:
        """Return the name of the clip's content in the cache.

        Args:
            clip: The clip.
            digest: Of the file that is decoded.
        """
        return content_key(digest, clip.span_seconds, clip.half)

    def has_frames_of(self, other: "VideoSpec") -> bool:
        """Whether it is made of the same frames as another specification."""
        return (self.num_frames, self.decoder) == (other.num_frames, other.decoder)

    def decode(self, clip: Clip) -> DecodedClip:
        """Decode T frames of a clip, or of its half of the picture, at their original size.

        Raises:
            ClipError: When it can't be decoded.
        """
        return _half(decode(clip.path, self._sampler, clip.span_seconds, self.decoder), clip.half)

    def decode_spans(self, clips: Sequence[Clip]) -> list[DecodedClip | None]:
        """Decode several spans of one video in a single pass, each as `decode` does.

        Returns:
            A result for each clip; `None` where the single pass can't tell: then use `decode`.

        Raises:
            ClipError: When one of them can't be decoded.
        """
        spans = [clip.span_seconds for clip in clips if clip.span_seconds is not None]
        decoded = decode_spans(clips[0].path, self._sampler, spans, self.decoder)
        return [
            None if one is None else _half(one, clip.half)
            for one, clip in zip(decoded, clips, strict=True)
        ]

    def load(self, clip: Clip) -> npt.NDArray[Any]:
        """Decode and preprocess a clip.

        Raises:
            ClipError: When it can't be decoded.
        """
        if self.num_frames == 0:
            return np.empty(self.shape, dtype=self.dtype)
        return self.preprocess(self.decode(clip).frames)[0]

    def warning(self, notes: Sequence[tuple[Path, str]]) -> str:
        """Return what a user should know about the clips that were decoded with a note."""
        clips = plural(len(notes), "clip")
        return (
            f"{decoder_version(self.decoder)} reads {clips} wrongly, PyAV takes its place there: "
            f"{listed_files(notes)}"
        )

    @property
    def _sampler(self) -> Sampler:
        return partial(linspace_indices, num_frames=self.num_frames)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSpec(VideoSpec):
    """How the frames of a clip are cropped and resized.

    Attributes:
        size: Of the frames, before augmentation.
        resize: Treatment of frames with another aspect ratio, see `resize_frames`.
        face: "crop" crops a clip to its face, "align" also turns it upright, so that eyes, nose and mouth lie in the
            same place in every clip; "none" keeps the whole picture, as do clips without a detected face.
        face_detector: The face detector, see `find_detector`.

    >>> FrameSpec(num_frames=10, size=(69, 114)).shape
    (10, 69, 114, 3)
    """

    size: Size
    resize: Resize = "shorter_side"
    face: FaceMode = "none"
    face_detector: str = "auto"

    @property
    @override
    def shape(self) -> tuple[int, int, int, int]:
        """(T, H, W, 3) of a clip's frames."""
        return self.num_frames, *self.size, 3

    @property
    @override
    def dtype(self) -> type[np.uint8]:
        return np.uint8

    @property
    @override
    def name(self) -> str:
        content = {
            "format": FORMAT,
            **asdict(self),
            **decoder_versions(self.decoder),
            "face_detector": self.detector and self.detector.version,
            "face_margin": self.detector and MARGIN,
        }
        content_kind = self.resize if self.face == "none" else self.face
        shape = "x".join(map(str, self.shape[:3]))
        return f"{shape}-{content_kind}-{library_of(self.decoder)}-{settings_digest(content)}"

    @property
    def detector(self) -> FaceDetector | None:
        """The face detector; `None` where whole pictures are kept."""
        return None if self.face == "none" else cached_detector(self.face_detector)

    @override
    def preprocess(self, frames: Frames) -> tuple[Frames, int | None]:
        face_frames = None
        if self.face != "none":
            detect = partial(cached_detector(self.face_detector), refine=self.face == "align")
            found = clip_face(frames, detect)
            face_frames = 0 if found.face is None else found.found
            if found.face is not None:
                frames = face_pixels(frames, found.face, self.size, self.face)
        return resize_frames(frames, self.size, self.resize), face_frames


def decoder_versions(decoder: Decoder) -> dict[str, list[str]]:
    """Return the versions of the libraries that may read a clip: PyAV reads what another one can't."""
    return {"decoder": sorted({decoder_version(decoder), decoder_version("pyav")})}


def resize_frames(frames: Frames, size: Size, resize: Resize = "shorter_side") -> Frames:
    """Resize frames, (T, H, W, C) -> (T, height, width, C), uint8, always a copy.

    Args:
        frames: (T, H, W, C) uint8.
        size: Of the result.
        resize: "shorter_side" keeps the aspect ratio and crops centrally; "squash" changes the aspect ratio.
    """
    if resize == "shorter_side":
        frames = center_crop(frames, largest_of_shape(size, frames.shape[1:3]))
    # INTER_AREA averages what it shrinks, so fine texture does not turn into false edges; what it enlarges it blurs
    height, width = size
    shrinks = frames.shape[1] >= height or frames.shape[2] >= width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized = np.empty((len(frames), height, width, frames.shape[3]), dtype=np.uint8)
    for frame, target in zip(frames, resized, strict=True):
        cv2.resize(frame, (width, height), dst=target, interpolation=interpolation)
    return resized


def largest_of_shape(shape: Size, within: Size) -> Size:
    """Return the largest size with the aspect ratio of `shape`, to the nearest pixel, that fits `within`.

    >>> largest_of_shape((1, 1), (72, 128)), largest_of_shape((60, 100), (480, 360))
    ((72, 72), (216, 360))
    """
    (down, across), (height, width) = shape, within
    if width * down >= height * across:
        return height, max(1, round(height * across / down))
    return max(1, round(width * down / across)), width


def center_crop(frames: Frames, size: Size) -> Frames:
    """Crop frames centrally, (T, H, W, C) -> (T, height, width, C), a view.

    >>> center_crop(np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1), (1, 3)).ravel().tolist()
    [3, 4, 5]
    """
    height, width = size
    top, left = (frames.shape[1] - height) // 2, (frames.shape[2] - width) // 2
    return frames[:, top : top + height, left : left + width]


def crop_half(frames: Frames, half: Half | None) -> Frames:
    """Crop frames to their left or right half, (T, H, W, C) -> (T, H, W // 2, C), a view; `None` keeps all of them.

    A column in the middle belongs to neither half.

    >>> frames = np.arange(5, dtype=np.uint8).reshape(1, 1, 5, 1)
    >>> crop_half(frames, "left").ravel().tolist(), crop_half(frames, "right").ravel().tolist()
    ([0, 1], [3, 4])
    """
    width = frames.shape[2]
    if half is None:
        return frames
    return frames[:, :, : width // 2] if half == "left" else frames[:, :, (width + 1) // 2 :]


def _half(decoded: DecodedClip, half: Half | None) -> DecodedClip:
    return replace(decoded, frames=crop_half(decoded.frames, half))


@cache
def cached_detector(name: str) -> FaceDetector:
    """Return the face detector that `find_detector` finds, opened once in this process."""
    return FaceDetector(find_detector(name))
