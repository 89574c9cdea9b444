"""Preprocessing of clips: frame sampling, face cropping and resizing, everything that involves no chance."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from emorec.data.clip import Clip, Half, content_key, settings_digest
from emorec.data.faces import MARGIN, FaceDetector, clip_box, crop, crop_area
from emorec.data.video.reader import (
    DecodedClip,
    Decoder,
    Frames,
    decode,
    decode_spans,
    decoder_version,
    library_of,
    linspace_indices,
)
from emorec.image_size import Size
from emorec.text import listed_files, plural

Resize = Literal["shorter_side", "squash"]

ReadFrames = Callable[[Clip], Frames]
"""Clip -> (T, H, W, C) uint8, in memory of its own."""

FORMAT = 2
"""Version of the preprocessing; raising it makes cached frames unused."""


@dataclass(frozen=True, slots=True)
class PreprocessedClip:
    """The frames of a clip before augmentation.

    Attributes:
        frames: (T, H, W, C) uint8, RGB.
        video_frames: Number of frames they were sampled from.
        promised: Number of shown frames that the file declares.
        face_frames: Number of the T frames in which the face was found, 0 when the clip was not cropped to a face;
            `None` without face detection.
        note: Why PyAV read the video in place of the chosen library; `None` if it did not.
    """

    frames: Frames
    video_frames: int
    promised: int
    face_frames: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSpec:
    """How the frames of a clip are sampled, cropped and resized.

    Attributes:
        num_frames: T, evenly spaced over the clip; 0 for networks that take sound only.
        size: Of the frames, before augmentation.
        resize: Treatment of frames with another aspect ratio, see `resize_frames`.
        decoder: The library that reads the video.
        face_detector: The face detector (see `find_detector`); clips are cropped to their face. `None` keeps the whole
            picture, as for clips without a detected face.

    >>> FrameSpec(num_frames=10, size=(69, 114)).shape
    (10, 69, 114, 3)
    """

    num_frames: int
    size: Size
    resize: Resize = "shorter_side"
    decoder: Decoder = "decord"
    face_detector: str | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, H, W, 3) of a clip's frames."""
        return self.num_frames, *self.size, 3

    @property
    def dtype(self) -> type[np.uint8]:
        """Of a clip's frames."""
        return np.uint8

    @property
    def name(self) -> str:
        """A file name that is unique to this specification and the version of the decoder."""
        content = {
            "format": FORMAT,
            **asdict(self),
            # PyAV reads what another library can't
            "decoder": sorted({decoder_version(self.decoder), decoder_version("pyav")}),
            "face_detector": self.face_detector and cached_detector(self.face_detector).version,
            "face_margin": self.face_detector and MARGIN,
        }
        content_kind = "face" if self.face_detector else self.resize
        shape = "x".join(map(str, self.shape[:3]))
        return f"{shape}-{content_kind}-{library_of(self.decoder)}-{settings_digest(content)}"

    @property
    def check_name(self) -> str:
        """Takes the place of the name where clips are only checked and no frames are stored."""
        return f"check 3, {decoder_version(self.decoder)}, {decoder_version('pyav')}"

    @staticmethod
    def source(clip: Clip) -> Path:
        """Return the file that is decoded."""
        return clip.path

    @staticmethod
    def key(clip: Clip, digest: str) -> str:
        """Return the name of the clip's frames in the cache.

        Args:
            clip: The clip.
            digest: Of the file that is decoded.
        """
        return content_key(digest, clip.span_seconds, clip.half)

    def decode(self, clip: Clip) -> PreprocessedClip:
        """Decode and preprocess a clip.

        Raises:
            ClipError: When it can't be decoded.
        """
        if self.num_frames == 0:
            return PreprocessedClip(np.empty(self.shape, dtype=np.uint8), 0, 0)
        sampler = partial(linspace_indices, num_frames=self.num_frames)
        decoded = decode(clip.path, sampler, clip.span_seconds, self.decoder)
        return self._preprocess(decoded, clip.half)

    def decode_spans(self, clips: Sequence[Clip]) -> list[PreprocessedClip | None]:
        """Decode and preprocess several spans of one video in a single pass, each as `decode` does.

        Returns:
            A result for each clip; `None` where the single pass can't tell: then use `decode`.

        Raises:
            ClipError: When one of them can't be decoded.
        """
        sampler = partial(linspace_indices, num_frames=self.num_frames)
        spans = [clip.span_seconds for clip in clips if clip.span_seconds is not None]
        decoded = decode_spans(clips[0].path, sampler, spans, self.decoder)
        return [
            None if one is None else self._preprocess(one, clip.half)
            for one, clip in zip(decoded, clips, strict=True)
        ]

    def load(self, clip: Clip) -> Frames:
        """Return the preprocessed frames of a clip, (T, H, W, C) uint8; see `decode`."""
        return self.decode(clip).frames

    def warning(self, notes: Sequence[tuple[Path, str]]) -> str:
        """Return what a user should know about the clips that were decoded with a note."""
        clips = plural(len(notes), "clip")
        return (
            f"{decoder_version(self.decoder)} reads {clips} wrongly, PyAV takes its place there: "
            f"{listed_files(notes)}"
        )

    def _preprocess(self, decoded: DecodedClip, half: Half | None) -> PreprocessedClip:
        frames, face_frames = crop_half(decoded.frames, half), None
        if self.face_detector:
            face = clip_box(frames, cached_detector(self.face_detector))
            face_frames = 0 if face.box is None else face.found
            if face.box is not None:
                frames = crop(frames, crop_area(face.box, self.size))
        frames = resize_frames(frames, self.size, self.resize)
        return PreprocessedClip(
            frames, decoded.video_frames, decoded.promised, face_frames, decoded.note
        )


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


@cache
def cached_detector(name: str) -> FaceDetector:
    """Return the face detector, opened once in this process."""
    return FaceDetector(name)
