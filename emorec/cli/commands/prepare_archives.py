"""The part of `emorec prepare` that brings what is missing: from where, is there room, and how did it go."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal as shown_size

from emorec.cli.commands import prepare_words
from emorec.cli.commands.prepare_progress import JobsProgress
from emorec.data.download.disk import disk_errors, free_bytes
from emorec.data.download.download import RemoteFile
from emorec.data.download.lock import LockedError, locked
from emorec.data.download.ravdess_archives import RECORD, UNFINISHED, RavdessArchive
from emorec.data.download.ravdess_jobs import Job, disk_bytes, jobs_from_folder, jobs_from_zenodo
from emorec.data.download.ravdess_run import carry_out, tidy
from emorec.data.download.ravdess_wanted import Wanted
from emorec.data.download.zenodo import record_files
from emorec.errors import UserError


def bring(
    wanted: Wanted,
    console: Console,
    *,
    folder: Path | None,
    num_downloads: int,
    keep_archives: bool,
    dry_run: bool,
) -> None:
    """Downloads and unpacks what is missing, or says what that would be.

    Args:
        wanted: The clips to have in the end.
        console: Where it is told.
        folder: Archives that are here already; without it they come from Zenodo.
        num_downloads: Archives at a time.
        keep_archives: Keep what was downloaded.
        dry_run: Change nothing.

    Raises:
        UserError: When some of it can't be had.
    """
    files = _files_on_zenodo() if folder is None else {}
    jobs, absent = _plan(wanted, files, folder)
    needed = disk_bytes(jobs, num_downloads, keep_archives=keep_archives)
    with disk_errors(wanted.root):
        free = free_bytes(wanted.root)
    if dry_run:
        console.print(prepare_words.plan(wanted, jobs, absent))
    if jobs:
        console.print(prepare_words.intention(jobs, wanted.root, needed, free), markup=False)
    if needed > free:
        raise UserError(
            f"not enough disk in {wanted.root}: {shown_size(needed)} are needed and {shown_size(free)} are free "
            "(make room, choose fewer --actors, or another --root)"
        )
    if dry_run:
        return
    begin = time.monotonic()
    with alone_in(wanted.root):
        jobs, absent = _plan(wanted, files, folder)  # less, if another call was at work meanwhile
        progress = JobsProgress(jobs, console)
        try:
            with progress:
                carry_out(
                    jobs,
                    wanted.root,
                    progress,
                    num_downloads=num_downloads,
                    keep_archives=keep_archives,
                )
        except KeyboardInterrupt:
            console.print("stopped; the same command goes on from here")
            raise
        tidy(wanted)
    reasons = prepare_words.reasons(absent, progress.failures, folder)
    _check_complete(wanted, console, reasons, folder)
    minutes, seconds = divmod(round(time.monotonic() - begin), 60)
    console.print(f"all {wanted} are in {wanted.root} ({minutes} min {seconds} s)", markup=False)


@contextmanager
def alone_in(root: Path) -> Iterator[None]:
    """Keeps other calls out of a folder.

    Raises:
        UserError: When another one is at work there, or the folder can't be written to.
    """
    unfinished = root / UNFINISHED
    try:
        with disk_errors(root), locked(unfinished / ".lock", wait=False):
            yield
    except LockedError:
        raise UserError(
            f"another emorec prepare is at work in {root}: wait until it has ended, or stop it"
        ) from None
    finally:
        with suppress(OSError):  # what is half downloaded stays for the next call
            unfinished.rmdir()


def _files_on_zenodo() -> dict[str, RemoteFile]:
    try:
        return record_files(RECORD)
    except UserError as error:
        raise UserError(f"{error}; {prepare_words.BY_OTHER_MEANS}") from error


def _plan(
    wanted: Wanted, files: Mapping[str, RemoteFile], folder: Path | None
) -> tuple[list[Job], list[RavdessArchive]]:
    """The jobs, and the archives that can't be had."""
    if folder is None:
        return jobs_from_zenodo(wanted.missing(), files, wanted.root), []
    return jobs_from_folder(wanted.missing(), folder)


def _check_complete(
    wanted: Wanted, console: Console, reasons: Sequence[str], folder: Path | None
) -> None:
    missing = wanted.missing()
    if not missing:
        return
    if len(reasons) > 1 or len(missing) > 1:
        console.print(prepare_words.incomplete(wanted, missing))
        for reason in reasons:
            console.print(reason, markup=False)
    raise UserError(prepare_words.failed(reasons, missing, wanted, folder))
