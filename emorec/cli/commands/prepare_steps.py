"""The steps of `emorec prepare`: download and unpack archives, check clips, decode frames."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.filesize import decimal as size_text

from emorec.cli.commands.prepare_output import JobsProgress, missing_table, plan_summary, plan_table
from emorec.data.download import ravdess
from emorec.data.download.ravdess import Job, RavdessArchive, Selection
from emorec.errors import UserError
from emorec.image_size import ImageSize
from emorec.io import disk_errors, free_bytes
from emorec.text import first_few, listed_files, plural

FROM_HINT = "--from FOLDER unpacks archives that you downloaded yourself"


def complete(
    selection: Selection,
    console: Console,
    *,
    from_folder: Path | None,
    num_downloads: int,
    keep_archives: bool,
    dry_run: bool,
) -> None:
    """Download and unpack the missing clips, or print what that would be.

    Args:
        selection: The clips to have in the end.
        console: Where to report.
        from_folder: Folder of archives; without one they are downloaded from Zenodo.
        num_downloads: Archives at a time.
        keep_archives: Keep downloaded archives.
        dry_run: Change nothing.

    Raises:
        UserError: When some clips can't be downloaded or unpacked.
    """
    # late: the network libraries take long to import
    from emorec.data.download.zenodo import record_files

    try:
        files = record_files(ravdess.RECORD) if from_folder is None else {}
    except UserError as error:
        raise UserError(f"{error}; {FROM_HINT}") from error

    def plan() -> tuple[list[Job], list[RavdessArchive]]:
        if from_folder is None:
            return ravdess.plan_downloads(selection, files), []
        return ravdess.plan_unpacking(selection, from_folder)

    root = selection.root
    jobs, absent = plan()
    required = ravdess.required_bytes(jobs, num_downloads, keep_archives=keep_archives)
    with disk_errors(root):
        free = free_bytes(root)
    if dry_run:
        console.print(plan_table(selection, jobs, absent))
    if jobs:
        console.print(plan_summary(jobs, root, required, free))
    if required > free:
        raise UserError(
            f"not enough disk in {root}: {size_text(required)} are needed and {size_text(free)} are free "
            "(make room, choose fewer --actors, or another --root)"
        )
    if dry_run:
        return
    begin = time.monotonic()
    with ravdess.exclusive(root):
        jobs, absent = plan()  # again, because another call may have run meanwhile
        progress = JobsProgress(jobs)
        try:
            with progress:
                ravdess.run_jobs(
                    jobs, root, progress, num_downloads=num_downloads, keep_archives=keep_archives
                )
        except KeyboardInterrupt:
            console.print("stopped; run the same command again to resume")
            raise
        ravdess.remove_leftovers(selection)
    check_complete(selection, console, absent, progress.failures, from_folder)
    minutes, seconds = divmod(round(time.monotonic() - begin), 60)
    console.print(f"all {selection} are in {root} ({minutes} min {seconds} s)")


def check_complete(
    selection: Selection,
    console: Console,
    absent: Sequence[RavdessArchive],
    failures: Mapping[Job, str],
    from_folder: Path | None,
) -> None:
    """Report why clips are missing in the end, if any are.

    Args:
        selection: The clips to have.
        console: Where to report.
        absent: Archives that are not in `from_folder`.
        failures: The failed jobs, with the reason.
        from_folder: Folder of archives; `None` when they were downloaded.

    Raises:
        UserError: When clips are missing.
    """
    missing = selection.missing()
    if not missing:
        return
    reasons = [
        reason if job.archive.name in reason else f"{job.archive.name}: {reason}"
        for job, reason in sorted(failures.items(), key=lambda failure: failure[0].archive)
    ]
    if absent:
        names = first_few([archive.name for archive in absent], limit=3)
        reasons.append(f"not in {from_folder}: {names}")
    remedy = (
        f"download these archives from {ravdess.RECORD_PAGE}, or choose --actors"
        if from_folder
        else FROM_HINT
    )
    if len(missing) == len(reasons) == 1:
        raise UserError(f"{reasons[0]}; {remedy}")
    console.print(missing_table(selection))
    for reason in reasons:
        console.print(reason)
    raise UserError(
        f"{len(missing)} of {len(selection.archives)} archives failed, see above; "
        f"run the same command again, or {remedy}"
    )


def verify_clips(selection: Selection, console: Console) -> None:
    """Report whether all selected clips are there and intact.

    Raises:
        UserError: When one is not.
    """
    if missing := selection.missing():
        console.print(missing_table(selection))
        lacking = sum(map(len, missing.values()))
        raise UserError(
            f"{lacking:,} of {selection} are not in {selection.root}: "
            "emorec prepare without --verify downloads them"
        )
    files = ravdess.clip_files(selection.root)
    paths = [files[str(name)] for name in selection.clips]
    damaged = [(path, damage) for path in paths if (damage := ravdess.damage_of(path))]
    if damaged:
        raise UserError(
            f"{len(damaged):,} of {selection} are damaged, delete them and run emorec prepare again: "
            f"{listed_files(damaged)}"
        )
    console.print(f"all {selection} in {selection.root} are there and intact")


def decode_frames(
    selection: Selection,
    console: Console,
    *,
    channel: Literal["speech", "song", "both"],
    num_frames: int,
    image_size: ImageSize,
    face: Literal["none", "crop", "align"],
    cache: str,
) -> None:
    """Decode the frames of clips that are not in the cache yet, as training will need them.

    Args:
        selection: The clips.
        console: Where to report.
        channel: As data.channel.
        num_frames: As data.num_frames.
        image_size: As data.image_size.
        face: As data.face.
        cache: As data.cache.

    Raises:
        UserError: When there is no room in the cache, or all clips are damaged.
    """
    # late: NumPy and OpenCV take long to import
    from emorec.data.cache.build import build_cache
    from emorec.data.preprocessing import FrameSpec
    from emorec.data.sets.ravdess.parser import find_clips
    from emorec.image_size import format_size, parse_image_size, size_before_crop

    actors = {archive.actor for archive in selection.archives}
    folder = find_clips(selection.root, modality=selection.modality, channel=channel)
    clips = [clip for clip in folder.clips if clip.actor in actors]
    size = parse_image_size(image_size)
    spec = FrameSpec(
        num_frames=num_frames,
        size=size_before_crop(size),
        face=face,
    )
    reader = build_cache(clips, spec, cache, workers=os.cpu_count() or 1, required=face != "none")
    decoded = f"{len(clips) - len(reader.errors):,} of {plural(len(clips), 'clip')}"
    console.print(
        f"frames of {decoded} are in {reader.folder} ({num_frames} of {format_size(size)} pixels each)",
    )
    for clip, reason in reader.errors.items():
        console.print(f"damaged: {clip.path}: {reason}")
    if reader.errors:
        console.print("delete the damaged clips and run emorec prepare again")
    if reader.faceless:
        console.print(f"no face found in {plural(len(reader.faceless), 'clip')}")


def verify_frames(cache: str, console: Console) -> None:
    """Compare every frame in the cache with its checksum; the next run decodes damaged ones again.

    Raises:
        UserError: When the damage can't be recorded.
    """
    # late: NumPy takes long to import
    from emorec.data.cache.store import resolve_cache, verify_cache

    folder = resolve_cache(cache)
    damaged = verify_cache(folder)
    for name, count in damaged.items():
        console.print(f"{name}: {count or 'no'} damaged clip{'s' * (count != 1)}")
    if not damaged:
        console.print(f"no frames in {folder}")
