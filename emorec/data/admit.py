"""Which clips a run works on: all, all but the broken ones, or none when it should not start."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from emorec.data.clip import Clip
from emorec.data.file_lists import listed
from emorec.data.folders import cache_folder
from emorec.data.frame_store import NoRoomError
from emorec.data.look_through import BrokenClip, LookedThrough, look_through
from emorec.data.recipe import Recipe
from emorec.errors import UserError

log = logging.getLogger(__name__)


def admit(
    clips: Sequence[Clip],
    recipe: Recipe,
    *,
    cache: str,
    on_error: Literal["refuse", "skip"],
    workers: int,
) -> LookedThrough:
    """Looks through the clips and refuses to go on where that was asked for.

    Args:
        clips: Those that are needed.
        recipe: What their frames are to be like.
        cache: "auto", "none" or a folder; see `ClipDataModule`.
        on_error: "refuse" to go on with a broken clip, or "skip" it.
        workers: Processes that decode.

    Raises:
        UserError: When a clip is broken and none may be, all are, or the cache that was asked for can't be used.
    """
    folder = cache_folder() if cache in ("auto", "none") else Path(cache).expanduser()
    look = partial(look_through, clips, recipe, folder, workers=workers)
    try:
        looked = look(keep_frames=cache != "none")
    except NoRoomError as error:
        if cache != "auto":
            raise
        log.warning("no cache, so every epoch decodes anew: %s", error)
        looked = look(keep_frames=False)
    broken = looked.broken
    if broken and on_error == "refuse":
        raise UserError(
            f"{len(broken)} of {len(clips)} clips can't be used: {list_broken(broken)}; "
            "replace them or leave them out with --data.on_error skip"
        )
    if len(broken) == len(clips):
        raise UserError(f"none of the {len(clips)} clips can be used: {list_broken(broken)}")
    return looked


def list_broken(broken: Sequence[BrokenClip]) -> str:
    """Broken clips and what is wrong with them, on one line."""
    return listed([(clip.path, clip.reason) for clip in broken])
