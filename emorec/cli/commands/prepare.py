"""`emorec prepare`: download RAVDESS, check it, and decode its frames for training."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from emorec.errors import UserError
from emorec.image_size import ImageSize


def prepare(
    dataset: Literal["ravdess"] = "ravdess",
    /,
    *,
    root: str | None = None,
    actors: str = "1-24",
    channel: Literal["speech", "song", "both"] = "speech",
    modality: Literal["av", "video", "both"] = "av",
    from_: str | None = None,
    keep_archives: bool = False,
    num_downloads: int = 3,
    cache: str = "auto",
    num_frames: int = 6,
    image_size: ImageSize = 112,
    face: Literal["none", "crop", "align"] = "align",
    dry_run: bool = False,
    verify: bool = False,
) -> None:
    """Download RAVDESS from Zenodo, check it, unpack it, and decode its frames for training.

    Clips that are there already are kept, so an interrupted call is finished by the same call.

    Args:
        dataset: The data set to prepare; only ravdess.
        root: The folder to fill; by default the one that EMOREC_RAVDESS_ROOT names.
        actors: Which of the 24, as in `1-24` or `1-4,23,24`.
        channel: Spoken clips, sung clips, or both.
        modality: Clips with sound, their silent twins, or both.
        from_: Unpack the archives in this folder instead of downloading them.
        keep_archives: Keep downloaded archives, in ROOT/.archives.
        num_downloads: Archives at a time.
        cache: Where decoded frames are stored, as data.cache: auto, none or a folder.
        num_frames: As data.num_frames; this, image_size and face are by default those of configs/cnn_lstm.yaml.
        image_size: As data.image_size.
        face: As data.face.
        dry_run: Only print what would be done, and the disk space it takes.
        verify: Only check that all clips and frames are there and intact.

    Raises:
        UserError: When an argument is invalid, an archive can't be downloaded, or the folder can't take the clips.
    """
    # late: --help does without the libraries that these need
    from emorec.cli.commands.prepare_steps import (
        complete,
        decode_frames,
        verify_clips,
        verify_frames,
    )
    from emorec.console import make_console
    from emorec.data.download import ravdess
    from emorec.data.sets.ravdess.parser import ROOT_VARIABLE, parse_actors

    folder = root or os.environ.get(ROOT_VARIABLE)
    if not folder:
        raise UserError(f"no folder for {dataset}: name it with --root DIR or {ROOT_VARIABLE}")
    for name, number in (("num_downloads", num_downloads), ("num_frames", num_frames)):
        if number < 1:
            raise UserError(f"{name} is {number}: it has to be at least 1")
    path = Path(folder).expanduser()
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is not a folder: name one with --root DIR")
    archives = ravdess.archives_of(parse_actors(actors), channel)
    selection = ravdess.Selection(path, tuple(archives), modality)
    console = make_console(soft_wrap=True)
    if verify:
        verify_clips(selection, console)
        if cache != "none":
            verify_frames(cache, console)
        return
    if selection.missing():
        complete(
            selection,
            console,
            from_folder=Path(from_).expanduser() if from_ else None,
            num_downloads=num_downloads,
            keep_archives=keep_archives,
            dry_run=dry_run,
        )
    else:
        if not dry_run and (path / ravdess.UNFINISHED_FOLDER).exists():
            # not while another call is running, nor in a folder that can't be written to
            with suppress(UserError), ravdess.exclusive(path):
                ravdess.remove_leftovers(selection)
        console.print(f"nothing to do: all {selection} are in {path}")
    if not dry_run and cache != "none":
        decode_frames(
            selection,
            console,
            channel=channel,
            num_frames=num_frames,
            image_size=image_size,
            face=face,
            cache=cache,
        )
