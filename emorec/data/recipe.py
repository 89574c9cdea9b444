"""Everything that shapes the frames of a clip before anything is drawn at random."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from emorec.data.decode import Decoder, decode, decoder_version
from emorec.data.resize import Frames, Resize, to_squares
from emorec.data.sample import linspace_indices

FORMAT = 1
"""Of the frames on disk; a higher number makes all that was kept before worthless."""


@dataclass(frozen=True, slots=True)
class Squares:
    """A clip before anything is drawn at random.

    Attributes:
        frames: (T, side, side, C) uint8, RGB.
        video_frames: Frames there were to choose from.
        promised: Frames that the file says it shows.
    """

    frames: Frames
    video_frames: int
    promised: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a clip becomes T squares.

    Attributes:
        num_frames: T, evenly spaced over the clip.
        side: Of the squares, in pixels.
        resize: What becomes of pictures that are not square.
        decoder: The library that reads the video.

    >>> Recipe(num_frames=10, side=256).shape
    (10, 256, 256, 3)
    """

    num_frames: int
    side: int
    resize: Resize = "shorter_side"
    decoder: Decoder = "decord"

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        """The recipe that `plain()` wrote down."""
        return cls(**plain)

    def plain(self) -> dict[str, Any]:
        """The recipe as plain values."""
        return asdict(self)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, side, side, 3) of a clip's frames."""
        return (self.num_frames, self.side, self.side, 3)

    @property
    def name(self) -> str:
        """A file name that no other recipe has, with the version of the decoder in it."""
        shaped_by = {"format": FORMAT, **self.plain(), "decoder": decoder_version(self.decoder)}
        digest = hashlib.sha256(json.dumps(shaped_by, sort_keys=True).encode()).hexdigest()
        return f"{self.num_frames}x{self.side}-{self.resize}-{self.decoder}-{digest[:8]}"

    def squares(self, path: Path, span_seconds: tuple[float, float] | None = None) -> Squares:
        """Decodes a clip.

        Args:
            path: The video file.
            span_seconds: The part of it that is the clip, half-open; `None` is the whole file.

        Raises:
            ClipError: When it can't be decoded.
        """
        sampler = partial(linspace_indices, num_frames=self.num_frames)
        decoded = decode(path, sampler, span_seconds, self.decoder)
        frames = to_squares(decoded.frames, self.side, self.resize)
        return Squares(frames, decoded.video_frames, decoded.promised)
