"""`emorec prepare`: from nothing to a data set that is whole, checked and ready."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from rich.console import Console

from emorec.cli.commands.actors import parse_actors
from emorec.data.download.mp4_boxes import what_is_missing
from emorec.data.download.ravdess_archives import UNFINISHED, Modality, archives_of
from emorec.data.download.ravdess_wanted import Wanted, clips_below
from emorec.data.ravdess import ROOT_VARIABLE
from emorec.errors import UserError
from emorec.image_size import ImageSize
from emorec.text import listed_files


def prepare(
    dataset: Literal["ravdess"] = "ravdess",
    /,
    *,
    root: str | None = None,
    actors: str = "1-24",
    channel: Literal["speech", "song", "both"] = "speech",
    modality: Modality = "av",
    from_: str | None = None,
    keep_archives: bool = False,
    num_downloads: int = 3,
    cache: str = "auto",
    num_frames: int = 10,
    image_size: ImageSize = 224,
    face: Literal["none", "crop"] = "none",
    dry_run: bool = False,
    verify: bool = False,
) -> None:
    """Download RAVDESS from Zenodo, check it, unpack it, and decode its frames for training.

    What is there already is kept, so a call that was cut short is finished by the same call.

    Args:
        dataset: What to prepare; there is only ravdess.
        root: The folder to fill; without it, the variable EMOREC_RAVDESS_ROOT says so.
        actors: Which of the 24, as in `1-24` or `1-4,23,24`.
        channel: Spoken clips, sung clips, or both.
        modality: Clips with sound, their silent twins, or both.
        from_: Unpack the archives in this folder instead of downloading them.
        keep_archives: Keep downloaded archives, in ROOT/.archives.
        num_downloads: Archives at a time.
        cache: Where decoded frames are kept, as data.cache: auto, none or a folder.
        num_frames: As data.num_frames.
        image_size: As data.image_size.
        face: As data.face.
        dry_run: Only say what would be done, and what disk it takes.
        verify: Only check that all is there and can be read.

    Raises:
        UserError: When an argument is impossible, an archive can't be had, or the folder can't take the clips.
    """
    named = root or os.environ.get(ROOT_VARIABLE)
    if not named:
        raise UserError(f"no folder for {dataset}: name it with --root DIR or {ROOT_VARIABLE}")
    if num_downloads < 1:
        raise UserError(f"num_downloads is {num_downloads}: it has to be at least 1")
    folder = Path(named).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is no folder: name one with --root DIR")
    wanted = Wanted(folder, tuple(archives_of(parse_actors(actors), channel)), modality)
    console = Console(highlight=False, soft_wrap=True)
    if verify:
        from emorec.cli.commands.prepare_frames import verify_frames

        check_clips(wanted, console)
        if cache != "none":
            verify_frames(cache, console)
        return
    if wanted.missing():
        from emorec.cli.commands.prepare_archives import (
            bring,  # late: it needs the network's libraries
        )

        bring(
            wanted,
            console,
            folder=Path(from_).expanduser() if from_ else None,
            num_downloads=num_downloads,
            keep_archives=keep_archives,
            dry_run=dry_run,
        )
    else:
        if not dry_run:
            _remove_leftovers(wanted)
        console.print(f"nothing to do: all {wanted} are in {wanted.root}", markup=False)
    if not dry_run and cache != "none":
        from emorec.cli.commands.prepare_frames import Frames, decode_frames  # late: numpy, OpenCV

        frames = Frames(num_frames=num_frames, image_size=image_size, face=face, cache=cache)
        decode_frames(wanted, channel, frames, console)


def _remove_leftovers(wanted: Wanted) -> None:
    """Tidies up after a call that was killed when all was there already."""
    if not (wanted.root / UNFINISHED).exists():
        return
    from emorec.cli.commands.prepare_archives import alone_in
    from emorec.data.download.ravdess_run import tidy

    # not if another call is at work, or the folder is another user's
    with suppress(UserError), alone_in(wanted.root):
        tidy(wanted)


def check_clips(wanted: Wanted, console: Console) -> None:
    """Says whether all the clips are there and their files can be read and are whole.

    Raises:
        UserError: When one is not.
    """
    if missing := wanted.missing():
        from emorec.cli.commands.prepare_words import incomplete

        console.print(incomplete(wanted, missing))
        lacking = sum(map(len, missing.values()))
        raise UserError(
            f"{lacking:,} of {wanted} are not in {wanted.root}: emorec prepare without --verify brings them"
        )
    there = clips_below(wanted.root)
    bad = []
    for path in (
        there[str(name)] for archive in wanted.archives for name in archive.clips(wanted.modality)
    ):
        try:
            lack = what_is_missing(path)
        except OSError as error:
            bad.append((path, error.strerror or str(error)))
        else:
            bad += [(path, f"{lack} is missing")] if lack else []
    if bad:
        raise UserError(
            f"{len(bad):,} of {wanted} are broken, delete them and emorec prepare brings them anew: {listed_files(bad)}"
        )
    console.print(f"all {wanted} in {wanted.root} are there and whole", markup=False)
