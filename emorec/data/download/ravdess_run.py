"""Bringing RAVDESS here, a few archives at a time; one that fails does not lose the others."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from emorec.data.download.disk import DiskFullError, disk_errors
from emorec.data.download.download import download, lock_of, part_of
from emorec.data.download.patience import StoppedError
from emorec.data.download.ravdess_archives import KEPT, UNFINISHED, unpack_clips
from emorec.data.download.ravdess_jobs import Job
from emorec.data.download.ravdess_wanted import Wanted
from emorec.errors import UserError

GOODBYE_SECONDS = 3.0
"""What threads get to let go of their files when all is stopped; at the end of the process they are gone anyway."""


class Watcher(Protocol):
    """Whoever shows how jobs go; called from several threads."""

    def downloaded(self, job: Job, num_bytes: int) -> None:
        """So many bytes of the archive are here by now."""

    def unpacked(self, job: Job, num_bytes: int) -> None:
        """So many more bytes of its clips were written."""

    def done(self, job: Job) -> None:
        """All its clips are here."""

    def failed(self, job: Job, reason: str) -> None:
        """It came to nothing."""


def carry_out(
    jobs: Sequence[Job], root: Path, watcher: Watcher, *, num_downloads: int, keep_archives: bool
) -> None:
    """Downloads and unpacks; whatever goes wrong with an archive is the watcher's to tell.

    Ctrl-C ends it soon. What is here by then stays, and the next call goes on from there.

    Args:
        jobs: From `jobs_from_zenodo` or `jobs_from_folder`.
        root: The folder that gets the clips.
        watcher: Is told how it goes.
        num_downloads: Archives at a time.
        keep_archives: Keep what was downloaded once it is unpacked.

    Raises:
        DiskFullError: When nothing more can be written.
    """
    todo: SimpleQueue[Job] = SimpleQueue()
    done: SimpleQueue[BaseException | None] = SimpleQueue()
    stop = threading.Event()
    for job in jobs:
        todo.put(job)

    def work() -> None:
        with suppress(Empty):
            while not stop.is_set():
                job = todo.get_nowait()
                done.put(_outcome(job, root, watcher, stop, keep_archives=keep_archives))

    # daemons, as a process must not wait for a silent server before it may end
    threads = [
        threading.Thread(target=work, daemon=True) for _ in range(min(num_downloads, len(jobs)))
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in jobs:
            if error := done.get():
                raise error
    finally:
        stop.set()
        end = time.monotonic() + GOODBYE_SECONDS
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))


def _outcome(
    job: Job, root: Path, watcher: Watcher, stop: threading.Event, *, keep_archives: bool
) -> BaseException | None:
    """What all jobs must end for, if anything."""
    try:
        _carry_out(job, root, watcher, stop, keep_archives=keep_archives)
    except DiskFullError as error:
        return error
    except UserError as error:
        watcher.failed(job, str(error))
    except BaseException as error:
        return error
    else:
        watcher.done(job)
    return None


def _carry_out(
    job: Job, root: Path, watcher: Watcher, stop: threading.Event, *, keep_archives: bool
) -> None:
    def wrote(num_bytes: int) -> None:
        watcher.unpacked(job, num_bytes)
        if stop.is_set():
            raise StoppedError

    if job.remote:
        download(job.remote, job.file, lambda there: watcher.downloaded(job, there), stop=stop)
    unpack_clips(job.file, job.archive, job.clips, root, wrote)
    if job.remote and job.file.parent.name == UNFINISHED:
        with disk_errors(job.file):
            if keep_archives:
                (root / KEPT).mkdir(exist_ok=True)
                job.file.replace(root / KEPT / job.archive.name)
            else:
                job.file.unlink()


def tidy(wanted: Wanted) -> None:
    """Removes what a killed call left behind: clips that were half written, and archives whose clips are all there.

    Raises:
        UserError: When a folder can't be read.
    """
    missing = wanted.missing()
    half_written = list(wanted.root.glob("Actor_[0-9][0-9]/.*.mp4.unfinished"))
    files = [
        wanted.root / UNFINISHED / each.name for each in wanted.archives if each not in missing
    ]
    with suppress(OSError):
        for left in (*half_written, *files, *map(part_of, files), *map(lock_of, files)):
            left.unlink(missing_ok=True)
