"""Clips whose frames are in a cache of their own."""

from pathlib import Path

from emorec.bench.circumstances import num_cores
from emorec.bench.drawn import found_or_drawn
from emorec.bench.room import clip_bytes, refuse_without_room
from emorec.data.cache.look_through import look_through
from emorec.data.clip import Clip
from emorec.data.recipe import Recipe
from emorec.data.source import Source
from emorec.errors import UserError


def cached_clips(
    root: str | None, recipe: Recipe, work: Path, *, at_most: int
) -> tuple[list[Clip], Source]:
    """Clips that can be used, and what reads their frames from a cache.

    Args:
        root: Where RAVDESS was unzipped; without it and EMOREC_RAVDESS_ROOT clips are drawn.
        recipe: What the frames are like.
        work: A folder for drawn clips and the cache.
        at_most: So many.

    Raises:
        UserError: When there are none, or too little room.
    """
    found = found_or_drawn(root, work / "drawn")[:at_most]
    refuse_without_room(work, len(found) * clip_bytes(recipe))
    looked = look_through(found, recipe, work / "cache", keep_frames=True, workers=num_cores())
    broken = {one.path for one in looked.broken}
    kept = [clip for clip in found if clip.path not in broken]
    if not kept:
        raise UserError(f"none of the {len(found)} clips can be used")
    return kept, looked.source(recipe)
