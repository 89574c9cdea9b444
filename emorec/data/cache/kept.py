"""What a cache folder holds, and how it is checked and cleared."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emorec.data.cache.any_recipe import recipe_of
from emorec.data.cache.frame_store import damaged_clips, frames_of
from emorec.data.cache.manifest import MANIFEST, Manifest, fingerprint
from emorec.errors import UserError

_OURS = re.compile(rf"(sound-)?\d+x\d+(x\d+)?-.*\.(frames|lock)|{re.escape(MANIFEST)}")
"""People may keep other things in the folder."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The frames that one recipe left in a cache.

    Attributes:
        name: Of the recipe.
        settings: The recipe as plain values.
        ready: Clips whose frames are there.
        broken: Clips that can't be used.
        num_bytes: What it takes on the disk.
        used: When it was last filled or checked, in seconds since 1970; `None` when never.
    """

    name: str
    settings: dict[str, Any]
    ready: int
    broken: int
    num_bytes: int
    used: float | None


def kept(folder: Path) -> list[Kept]:
    """What is in a cache; nothing when there is none."""
    if not (folder / MANIFEST).is_file():
        return []
    with Manifest(folder / MANIFEST) as manifest:
        rows = manifest.recipes()
    return [
        Kept(name, settings, ready, broken, _size(folder / f"{name}.frames"), used)
        for name, settings, ready, broken, used in rows
    ]


def clear(folder: Path, name: str = "all") -> int:
    """Removes the frames of a recipe, or all that emorec left in the folder, and returns the bytes that frees.

    Whoever reads these frames at the moment can go on: the disk is free when the last one is done.

    Raises:
        UserError: When there is no such recipe, or it can't be removed.
    """
    there = [one.name for one in kept(folder)]
    if name not in ("all", *there):
        raise UserError(f"no frames {name!r} in {folder}: {', '.join(there) or 'it is empty'}")
    freed = 0
    try:
        if there:
            with Manifest(folder / MANIFEST) as manifest, manifest.writing():
                for each in there if name == "all" else [name]:
                    manifest.drop_recipe(each)
        for path in folder.iterdir() if folder.is_dir() else []:
            if path.stem == name or (name == "all" and _OURS.fullmatch(path.name)):
                freed += _size(path)
                path.unlink()
    except OSError as error:
        raise UserError(f"can't clear {folder}: {error.strerror or error}") from error
    return freed


def verify(folder: Path) -> dict[str, int]:
    """Compares every frame in a cache with its checksum and forgets the damaged ones, which the next run makes anew.

    Returns:
        Recipe -> clips that were damaged.

    Raises:
        UserError: When what is damaged can't be noted.
    """
    found = {}
    for one in kept(folder):
        frames = frames_of(folder, recipe_of(one.settings), one.name)
        with Manifest(folder / MANIFEST) as manifest:
            seen = fingerprint(frames.path)
            damaged = damaged_clips(manifest, one.name, frames)
            try:
                with manifest.writing():
                    manifest.drop(one.name, damaged)
                    manifest.see(one.name, seen)
            except OSError as error:
                raise UserError(f"can't write to {folder}: {error.strerror or error}") from error
        found[one.name] = len(damaged)
    return found


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
