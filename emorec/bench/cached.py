"""Clips whose frames are in a cache of their own."""

from pathlib import Path

from emorec.bench.circumstances import num_cores
from emorec.bench.drawn import found_or_drawn
from emorec.bench.room import clip_bytes, refuse_without_room
from emorec.data.cache.build import build_cache
from emorec.data.clip import Clip
from emorec.data.preprocessing import FrameSpec, ReadFrames
from emorec.errors import UserError


def cached_clips(
    root: str | None, recipe: FrameSpec, work: Path, *, at_most: int
) -> tuple[list[Clip], ReadFrames]:
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
    looked = build_cache(found, recipe, str(work / "cache"), workers=num_cores())
    kept = [clip for clip in found if clip not in looked.errors]
    if not kept:
        raise UserError(f"none of the {len(found)} clips can be used")
    return kept, looked
