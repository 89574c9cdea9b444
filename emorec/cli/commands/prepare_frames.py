"""The last part of `emorec prepare`: the frames of all clips are decoded into the cache, or checked there."""

import os
from dataclasses import dataclass
from typing import Literal

from rich.console import Console

from emorec.data.cache.build import build_cache, check_broken
from emorec.data.cache.store import resolve_cache, verify_cache
from emorec.data.download.ravdess_wanted import Wanted
from emorec.data.faces.detector_file import find_detector
from emorec.data.preprocessing import FrameSpec
from emorec.data.ravdess import find_clips
from emorec.image_size import ImageSize, format_size, parse_image_size, size_before_crop


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
    size = parse_image_size(frames.image_size)
    spec = FrameSpec(
        num_frames=frames.num_frames,
        size=size_before_crop(size),
        face_detector=find_detector() if frames.face == "crop" else None,
    )
    reader = build_cache(
        clips,
        spec,
        frames.cache,
        workers=os.cpu_count() or 1,
        required=frames.face == "crop",
    )
    check_broken(reader.errors, len(clips), "skip")
    kept = f"{len(clips) - len(reader.errors):,} of {len(clips):,} clips"
    console.print(
        f"frames of {kept} are in {reader.folder} ({frames.num_frames} of {format_size(size)} pixels each)",
        markup=False,
    )
    for clip, reason in reader.errors.items():
        console.print(f"broken: {clip.path}: {reason}", markup=False)
    if reader.errors:
        console.print("delete what is broken, and emorec prepare brings it anew")
    if reader.faceless:
        console.print(f"no face is found in {len(reader.faceless)} of them", markup=False)


def verify_frames(cache: str, console: Console) -> None:
    """Compares every frame in the cache with its checksum; damaged ones are made anew by the next run.

    Args:
        cache: "auto" or a folder.
        console: Where it is said.

    Raises:
        UserError: When what is damaged can't be noted.
    """
    folder = resolve_cache(cache)
    damaged = verify_cache(folder)
    for name, count in damaged.items():
        console.print(f"{name}: {count or 'no'} damaged clip{'s' * (count != 1)}", markup=False)
    if not damaged:
        console.print(f"no frames are kept in {folder}", markup=False)
