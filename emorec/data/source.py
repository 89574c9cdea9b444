"""Where the squares of a clip come from: its video, or the cache."""

from collections.abc import Callable, Mapping
from functools import partial

from emorec.data.cache.frames_file import FramesFile
from emorec.data.cache.manifest import Part, part
from emorec.data.clip import Clip
from emorec.data.decoding.deadline import within
from emorec.data.recipe import Recipe
from emorec.data.resize import Frames

TIMEOUT_SECONDS = 60.0
"""For one clip: about a hundred times what it takes."""

Source = Callable[[Clip], Frames]
"""A clip -> (T, side, side, C) uint8, memory that the caller may change."""


class DecodedSquares:
    """Decodes a clip each time it is asked for.

    Args:
        recipe: What the frames are like.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def __call__(self, clip: Clip) -> Frames:
        """(T, side, side, C) uint8.

        Raises:
            ClipError: When the clip can't be decoded, or that takes longer than a minute.
        """
        work = partial(self.recipe.squares, clip.path, clip.span_seconds, clip.half)
        return within(TIMEOUT_SECONDS, clip.path, work).frames


class CachedSquares:
    """Reads what was decoded before.

    Args:
        frames: The file they are in.
        slots: Where in it each clip is.
    """

    def __init__(self, frames: FramesFile, slots: Mapping[Part, int]) -> None:
        self.frames = frames
        self.slots = slots

    def __call__(self, clip: Clip) -> Frames:
        """(T, side, side, C) uint8.

        Raises:
            UserError: When the file was cut off.
            OSError: When it is not there any more.
        """
        return self.frames.read(self.slots[part(clip)])
