"""Where the pictures and the sound of a clip come from: its files, or the cache."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from emorec.data.cache.frames_file import FramesFile
from emorec.data.cache.manifest import Part, part
from emorec.data.clip import Clip
from emorec.data.recipe import Recipe
from emorec.data.resize import Frames
from emorec.data.sound.sound_recipe import Samples, SoundRecipe
from emorec.data.video.reader import run_with_timeout

TIMEOUT_SECONDS = 60.0
"""For one clip: about a hundred times what it takes."""

Source = Callable[[Clip], Frames]
"""A clip -> (T, H, W, C) uint8, memory that the caller may change."""

SoundSource = Callable[[Clip], Samples]
"""The same of a clip's sound, whose file is the clip's path -> (samples,) int16."""


class DecodedPictures:
    """Decodes a clip each time it is asked for.

    Args:
        recipe: What the frames are like.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def __call__(self, clip: Clip) -> Frames:
        """(T, H, W, C) uint8.

        Raises:
            ClipError: When the clip can't be decoded, or that takes longer than a minute.
        """
        work = partial(self.recipe.pictures, clip.path, clip.span_seconds, clip.half)
        return run_with_timeout(TIMEOUT_SECONDS, clip.path, work).frames


class DecodedSound:
    """Decodes the sound of a clip each time it is asked for.

    Args:
        recipe: What the samples are like.
    """

    def __init__(self, recipe: SoundRecipe) -> None:
        self.recipe = recipe

    def __call__(self, clip: Clip) -> Samples:
        """(samples,) int16.

        Raises:
            ClipError: When the sound can't be decoded, or that takes longer than a minute.
        """
        work = partial(self.recipe.samples, clip.path, clip.span_seconds)
        return run_with_timeout(TIMEOUT_SECONDS, clip.path, work)


class Cached:
    """Reads what was decoded before.

    Args:
        frames: The file they are in.
        slots: Where in it each clip is.
    """

    def __init__(self, frames: FramesFile, slots: Mapping[Part, int]) -> None:
        self.frames = frames
        self.slots = slots

    def __call__(self, clip: Clip) -> Any:
        """What was kept of the clip: its pictures or its samples.

        Raises:
            UserError: When the file was cut off.
            OSError: When it is not there any more.
        """
        return self.frames.read(self.slots[part(clip)])
