"""Settings that all clips of a synthetic data set share."""

from dataclasses import dataclass

from emorec.errors import UserError

# Of all even widths up to 262, those where decord 0.6.0 takes its own padding for pixels.
_WIDTHS_DECORD_FAILS_AT = (16, 24, 48, 72)


DRAWN = "drawn by emorec synth"
"""Begins the comment in the file of each drawn clip."""


@dataclass(frozen=True, kw_only=True)
class ClipSettings:
    """Settings of all clips of a data set; their text is stored in the clips.

    Attributes:
        width: Pixels, even (H.264 stores colour at half the size), and none of the few that decord can't read.
        height: Pixels, even.
        num_frames: Frames of a clip. At 46, the equally spaced 4, 6, 10 or 16 frames are the same ones forwards and
            backwards, as 3, 5, 9 and 15 divide 45.
        fps: Frames per second.
        sound: Whether the audio-visual clips have their sound.
        seed: Changes the actors and their takes.

    >>> str(ClipSettings(width=64, height=48))
    'drawn by emorec synth: 64x48 pixels, 46 frames at 25 fps, sound, seed 0'
    """

    width: int = 112
    height: int = 112
    num_frames: int = 46
    fps: int = 25
    sound: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            pixels = getattr(self, name)
            if pixels < 16 or pixels % 2:
                raise UserError(f"{name} is {pixels}: choose an even number of pixels from 16 on")
        if self.width in _WIDTHS_DECORD_FAILS_AT:
            raise UserError(f"width is {self.width}: decord can't read that; choose a little more")
        for name, least in (("num_frames", 1), ("fps", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise UserError(f"{name} is {getattr(self, name)}: choose {least} or more")

    def __str__(self) -> str:
        sound = "sound" if self.sound else "no sound"
        size = f"{self.width}x{self.height} pixels, {self.num_frames} frames at {self.fps} fps"
        return f"{DRAWN}: {size}, {sound}, seed {self.seed}"
