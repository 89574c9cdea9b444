"""Which clips a run works on: all, all but the broken ones, or none when it should not start."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from emorec.data.cache.any_recipe import AnyRecipe
from emorec.data.cache.folders import kept_in
from emorec.data.cache.frame_store import NoRoomError
from emorec.data.cache.look_through import BrokenClip, LookedThrough, look_through
from emorec.data.cache.manifest import Entry, part
from emorec.data.clip import Clip
from emorec.data.file_lists import listed
from emorec.data.recipe import Recipe
from emorec.errors import UserError

log = logging.getLogger(__name__)


NO_FACE = "no face is found in it"

FaceMissing = Literal["center", "skip", "error"]


def admit(
    clips: Sequence[Clip],
    recipe: Recipe,
    *,
    cache: str,
    on_error: Literal["refuse", "skip"],
    face_missing: FaceMissing,
    workers: int,
) -> LookedThrough:
    """Looks through the clips and refuses to go on where that was asked for.

    Args:
        clips: Those that are needed.
        recipe: What their frames are to be like.
        cache: "auto", "none" or a folder; see `ClipDataModule`.
        on_error: "refuse" to go on with a broken clip, or "skip" it.
        face_missing: Take the "center" of a clip without a face, "skip" it, or end with an "error".
        workers: Processes that decode.

    Raises:
        UserError: When a clip is broken or without a face and none may be, all are, or the cache that was asked for
            can't be used.
    """
    if recipe.num_frames == 0:  # nobody looks at them
        return LookedThrough({part(clip): Entry() for clip in clips}, None)
    if recipe.face_detector and cache == "none":
        raise UserError(
            "data.face crop needs a cache, so that faces are looked for once: "
            "choose --data.cache auto or a folder"
        )
    must_keep = recipe.face_detector is not None
    looked = look_where_asked(clips, recipe, cache=cache, workers=workers, must_keep=must_keep)
    refuse_broken(looked.broken, len(clips), on_error)
    faceless = [BrokenClip(path, NO_FACE) for path in looked.faceless]
    if faceless and face_missing == "error":
        raise UserError(
            f"{len(faceless)} of {len(clips)} clips can't be used: {list_broken(faceless)}; "
            "take their centre with --data.face_missing center or leave them out with skip"
        )
    return looked.without_faceless(NO_FACE) if face_missing == "skip" else looked


def look_where_asked(
    clips: Sequence[Clip],
    recipe: AnyRecipe,
    *,
    cache: str,
    workers: int,
    must_keep: bool = False,
) -> LookedThrough:
    """Looks through the clips and keeps what is decoded where that was asked for, or where there is room.

    Args:
        clips: Those that are needed.
        recipe: What their frames, or their sound, are to be like.
        cache: "auto", "none" or a folder; see `ClipDataModule`.
        workers: Processes that decode.
        must_keep: Whether nothing can be done without a cache.

    Raises:
        UserError: When the cache that was asked for can't be used.
    """
    folder = kept_in(cache)
    look = partial(look_through, clips, recipe, folder, workers=workers)
    try:
        return look(keep_frames=cache != "none")
    except NoRoomError as error:
        if cache != "auto" or must_keep:
            raise
        log.warning("no cache, so every epoch decodes anew: %s", error)
        return look(keep_frames=False)


def refuse_broken(
    broken: Sequence[BrokenClip], num_clips: int, on_error: Literal["refuse", "skip"]
) -> None:
    """Stops at broken clips where none may be, or where there are no others.

    Raises:
        UserError: At such clips, listed with what is wrong with them.
    """
    if broken and on_error == "refuse":
        raise UserError(
            f"{len(broken)} of {num_clips} clips can't be used: {list_broken(broken)}; "
            "replace them or leave them out with --data.on_error skip"
        )
    if broken and len(broken) == num_clips:
        raise UserError(f"none of the {num_clips} clips can be used: {list_broken(broken)}")


def tell(looked: LookedThrough, others: Sequence[tuple[Path, str]]) -> None:
    """Warns of clips that were left out or show no face, and of files that are no clips.

    Args:
        looked: The clips.
        others: Files that the data set does not know, each with the reason.
    """
    broken, faceless = looked.broken, looked.faceless
    if broken:
        kind = "clip" if any(clip.reason == NO_FACE for clip in broken) else "broken clip"
        clips = f"{len(broken)} {kind}{'s' * (len(broken) > 1)}"
        log.warning("left out %s: %s", clips, list_broken(broken))
    if faceless:
        clips = f"{len(faceless)} of {len(looked.entries)} clips"
        names = listed([(path, "") for path in faceless])
        log.warning("no face is found in %s, their centre is taken: %s", clips, names)
    if others:
        clips = f"{len(others)} files are no clips of this data set and were not used"
        log.warning("%s: %s", clips, listed([(Path(path.name), reason) for path, reason in others]))


def list_broken(broken: Sequence[BrokenClip]) -> str:
    """Broken clips and what is wrong with them, on one line."""
    return listed([(clip.path, clip.reason) for clip in broken])
