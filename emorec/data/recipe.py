"""Everything that shapes the frames of a clip before anything is drawn at random."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from emorec.data.clip import Half
from emorec.data.faces.boxes import MARGIN, clip_box, crop, crop_area
from emorec.data.faces.detector import FaceDetector
from emorec.data.resize import Frames, Resize, resized
from emorec.data.video.reader import (
    DecodedClip,
    Decoder,
    decode,
    decode_spans,
    decoder_version,
    linspace_indices,
)
from emorec.picture_size import Size, size_of

FORMAT = 1
"""Of the frames on disk; a higher number makes all that was kept before worthless."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """A clip before anything is drawn at random.

    Attributes:
        frames: (T, H, W, C) uint8, RGB.
        video_frames: Frames there were to choose from.
        promised: Frames that the file says it shows.
        face_frames: Frames of the T in which the face was found that was cut out, 0 when there was none; `None` where
            none was looked for.
    """

    frames: Frames
    video_frames: int
    promised: int
    face_frames: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a clip becomes T pictures.

    Attributes:
        num_frames: T, evenly spaced over the clip; 0 for clips that are only heard.
        size: Of the pictures.
        resize: What becomes of pictures of other proportions.
        decoder: The library that reads the video.
        face_detector: What finds the face that is cut out (see `find_detector`); `None` keeps the whole picture, as do
            clips in which no face is found.

    >>> Recipe(num_frames=10, size=(69, 114)).shape
    (10, 69, 114, 3)
    """

    num_frames: int
    size: Size
    resize: Resize = "shorter_side"
    decoder: Decoder = "decord"
    face_detector: str | None = None

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        """The recipe that `plain()` wrote down, in its first version with the side of squares."""
        rest = {name: value for name, value in plain.items() if name not in ("size", "side")}
        return cls(size=size_of(plain.get("size") or plain["side"]), **rest)

    def plain(self) -> dict[str, Any]:
        """The recipe as plain values."""
        return asdict(self)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, H, W, 3) of a clip's frames."""
        height, width = self.size
        return self.num_frames, height, width, 3

    @property
    def dtype(self) -> type[np.uint8]:
        """Of a clip's frames."""
        return np.uint8

    @property
    def check(self) -> str:
        """Stands for the recipe where nothing is kept but what is wrong with the clips.

        Verdicts of another version count for nothing.
        """
        return f"check 2, {decoder_version(self.decoder)}"

    @property
    def name(self) -> str:
        """A file name that no other recipe has, with the version of the decoder in it."""
        shaped_by = {
            "format": FORMAT,
            **self.plain(),
            "decoder": decoder_version(self.decoder),
            "face_detector": self.face_detector and load_once(self.face_detector).version,
            "face_margin": self.face_detector and MARGIN,
        }
        digest = hashlib.sha256(json.dumps(shaped_by, sort_keys=True).encode()).hexdigest()
        picture = "face" if self.face_detector else self.resize
        shape = "x".join(map(str, self.shape[:3]))
        return f"{shape}-{picture}-{self.decoder}-{digest[:8]}"

    def pictures(
        self,
        path: Path,
        span_seconds: tuple[float, float] | None = None,
        half: Half | None = None,
    ) -> Pictures:
        """Decodes a clip.

        Args:
            path: The video file.
            span_seconds: The part of it that is the clip, half-open; `None` is the whole file.
            half: The half of its picture that is the clip; `None` is the whole picture.

        Raises:
            ClipError: When it can't be decoded.
        """
        if self.num_frames == 0:
            return Pictures(np.empty(self.shape, dtype=np.uint8), 0, 0)
        sampler = partial(linspace_indices, num_frames=self.num_frames)
        return self._pictures(decode(path, sampler, span_seconds, self.decoder), half)

    def pictures_of_spans(
        self, path: Path, parts: Sequence[tuple[tuple[float, float], Half | None]]
    ) -> list[Pictures | None]:
        """What `pictures` gives of spans of one video, from one pass; `None` where that has to find out itself.

        Args:
            path: The video file.
            parts: A span and a half for each clip.

        Raises:
            ClipError: When any of them can't be decoded.
        """
        if self.num_frames == 0:
            return [self.pictures(path, *part) for part in parts]
        sampler = partial(linspace_indices, num_frames=self.num_frames)
        decoded = decode_spans(path, sampler, [span for span, _ in parts], self.decoder)
        return [
            None if clip is None else self._pictures(clip, half)
            for clip, (_, half) in zip(decoded, parts, strict=True)
        ]

    def _pictures(self, decoded: DecodedClip, half: Half | None) -> Pictures:
        frames, face_frames = half_of(decoded.frames, half), None
        if self.face_detector:
            face = clip_box(frames, load_once(self.face_detector))
            face_frames = 0 if face.box is None else face.found
            if face.box is not None:
                frames = crop(frames, crop_area(face.box, self.size))
        pictures = resized(frames, self.size, self.resize)
        return Pictures(pictures, decoded.video_frames, decoded.promised, face_frames)


def half_of(frames: Frames, half: Half | None) -> Frames:
    """(T, H, W, C) -> (T, H, W // 2, C), or all of it; a column in the middle belongs to neither.

    >>> import numpy as np
    >>> picture = np.arange(5, dtype=np.uint8).reshape(1, 1, 5, 1)
    >>> half_of(picture, "left").ravel().tolist(), half_of(picture, "right").ravel().tolist()
    ([0, 1], [3, 4])
    """
    width = frames.shape[2]
    if half is None:
        return frames
    return frames[:, :, : width // 2] if half == "left" else frames[:, :, (width + 1) // 2 :]


@cache
def load_once(found: str) -> FaceDetector:
    """The detector, opened once in this process."""
    return FaceDetector(found)
