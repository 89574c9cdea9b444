"""The last part of `emorec prepare`: the frames of all clips are decoded into the cache, or checked there."""

import os
from dataclasses import dataclass
from typing import Literal

from rich.console import Console

from emorec.data.admit import admit
from emorec.data.cache.folders import kept_in
from emorec.data.cache.kept import verify
from emorec.data.download.ravdess_wanted import Wanted
from emorec.data.faces.detector_file import find_detector
from emorec.data.ravdess import find_clips
from emorec.data.recipe import Recipe
from emorec.data.resize import size_to_crop
from emorec.picture_size import ImageSize, in_words, size_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What the frames are to be like, in the words of a data module.

    Attributes:
        num_frames: T.
        image_size: As data.image_size.
        face: "crop" cuts out the face.
        cache: "auto" or a folder.
    """

    num_frames: int
    image_size: ImageSize
    face: Literal["none", "crop"]
    cache: str


def decode_frames(
    wanted: Wanted, channel: Literal["speech", "song", "both"], frames: Frames, console: Console
) -> None:
    """Decodes into the cache what is not there yet, and says what came of it.

    Args:
        wanted: Where the clips are, whose, and of which modality.
        channel: Spoken clips, sung clips, or both.
        frames: What they are to be like.
        console: Where it is said.

    Raises:
        UserError: When there is no room in the cache, or all clips are broken.
    """
    actors = {archive.actor for archive in wanted.archives}
    folder = find_clips(wanted.root, modality=wanted.modality, channel=channel)
    clips = [clip for clip in folder.clips if clip.actor in actors]
    size = size_of(frames.image_size)
    recipe = Recipe(
        num_frames=frames.num_frames,
        size=size_to_crop(size),
        face_detector=find_detector() if frames.face == "crop" else None,
    )
    looked = admit(
        clips,
        recipe,
        cache=frames.cache,
        on_error="skip",
        face_missing="center",
        workers=os.cpu_count() or 1,
    )
    kept = f"{len(clips) - len(looked.broken):,} of {len(clips):,} clips"
    place = looked.frames.path.parent if looked.frames else None
    console.print(
        f"frames of {kept} are in {place} ({frames.num_frames} of {in_words(size)} pixels each)",
        markup=False,
    )
    for broken in looked.broken:
        console.print(f"broken: {broken.path}: {broken.reason}", markup=False)
    if looked.broken:
        console.print("delete what is broken, and emorec prepare brings it anew")
    if looked.faceless:
        console.print(f"no face is found in {len(looked.faceless)} of them", markup=False)


def verify_frames(cache: str, console: Console) -> None:
    """Compares every frame in the cache with its checksum; damaged ones are made anew by the next run.

    Args:
        cache: "auto" or a folder.
        console: Where it is said.

    Raises:
        UserError: When what is damaged can't be noted.
    """
    folder = kept_in(cache)
    damaged = verify(folder)
    for name, count in damaged.items():
        console.print(f"{name}: {count or 'no'} damaged clip{'s' * (count != 1)}", markup=False)
    if not damaged:
        console.print(f"no frames are kept in {folder}", markup=False)
