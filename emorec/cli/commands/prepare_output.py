"""Progress bars and tables of `emorec prepare`."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.filesize import decimal as size_text
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from emorec.console import make_progress
from emorec.data.download.ravdess import Job, RavdessArchive, Selection
from emorec.text import plural


class JobsProgress:
    """A progress bar for each running job and one for all; a finished job becomes a line. See `JobListener`.

    Args:
        jobs: What will be done.
        console: For the bars; by default standard error, where it is a terminal.

    Attributes:
        failures: The failed jobs, with the reason.
    """

    def __init__(self, jobs: Sequence[Job], console: Console | None = None) -> None:
        self.failures: dict[Job, str] = {}
        self._lock = threading.Lock()  # jobs run in several threads
        self._bars: dict[Job, tuple[str, TaskID]] = {}
        self._totals = {job: job.size if job.remote else job.unpacked_bytes for job in jobs}
        self._completed = {job: job.present_bytes if job.remote else 0 for job in jobs}
        self._num_finished = 0
        self._progress = make_progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),  # as wide as the terminal allows
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            expand=True,
        )
        self._overall = self._progress.add_task(
            plural(len(jobs), "archive"),
            total=sum(self._totals.values()),
            completed=sum(self._completed.values()),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.stop()

    def downloaded(self, job: Job, num_bytes: int) -> None:
        """See `JobListener`."""
        with self._lock:
            self._completed[job] = num_bytes
            bar = self._bar(job, job.archive.name, job.size, start=num_bytes)
            self._progress.update(bar, completed=num_bytes)
            self._update_overall()

    def unpacked(self, job: Job, num_bytes: int) -> None:
        """See `JobListener`."""
        with self._lock:
            if not job.remote:
                self._completed[job] += num_bytes
                self._update_overall()
            name = job.archive.name.removeprefix("Video_").removesuffix(".zip")
            bar = self._bar(job, f"unpacking {name}", job.unpacked_bytes)
            self._progress.update(bar, advance=num_bytes)

    def done(self, job: Job) -> None:
        """See `JobListener`."""
        with self._lock:
            self._completed[job] = self._totals[job]
            done = "copied" if job.file.is_dir() else "unpacked"
            self._finish(job, f"{plural(len(job.clips), 'clip')} {done}")

    def failed(self, job: Job, reason: str) -> None:
        """See `JobListener`."""
        with self._lock:
            self.failures[job] = reason
            self._finish(job, "failed")

    def _bar(self, job: Job, description: str, total: int, start: int = 0) -> TaskID:
        """The bar of a job's current step, replacing that of the step before."""
        current, bar = self._bars.get(job, ("", self._overall))
        if current != description:
            if current:
                self._progress.remove_task(bar)
            # started with the bytes of an earlier call, which would distort the speed
            bar = self._progress.add_task(description, total=total, completed=start)
            self._bars[job] = (description, bar)
        return bar

    def _finish(self, job: Job, outcome: str) -> None:
        if job in self._bars:
            self._progress.remove_task(self._bars.pop(job)[1])
        self._num_finished += 1
        self._update_overall()
        print(  # above the bars, where standard output is a terminal too
            f"{job.archive.name}: {outcome} ({self._num_finished} of {len(self._totals)} archives)",
            flush=True,
        )

    def _update_overall(self) -> None:
        self._progress.update(self._overall, completed=sum(self._completed.values()))


def plan_table(
    selection: Selection, jobs: Sequence[Job], absent: Sequence[RavdessArchive]
) -> Table:
    """Return what will be done with each archive."""
    table = Table(
        "archive", title=Text(f"for {selection.root}", style="table.title"), title_justify="left"
    )
    table.add_column("size", justify="right")
    table.add_column("clips", justify="right")
    table.add_column("to do")
    planned = {job.archive: job for job in jobs}
    for archive in selection.archives:
        if job := planned.get(archive):
            table.add_row(archive.name, size_text(job.size), str(len(job.clips)), steps(job))
        else:
            state = "archive not found" if archive in absent else "nothing: its clips are there"
            table.add_row(archive.name, "", "", state)
    return table


def steps(job: Job) -> str:
    """Return what will be done with an archive."""
    if not job.missing_bytes:
        return "copy" if job.file.is_dir() else "unpack"
    if job.present_bytes:
        return f"download from {100 * job.present_bytes // job.size} % on, unpack"
    return "download, unpack"


def plan_summary(jobs: Sequence[Job], root: Path, required: int, free: int) -> str:
    """Return what will be done with all archives, and the disk space it takes."""
    clips = plural(sum(len(job.clips) for job in jobs), "clip")
    work = f"unpack {clips} of {plural(len(jobs), 'archive')}"
    if to_download := sum(job.missing_bytes for job in jobs):
        work = f"download {size_text(to_download)} and {work}"
    return f"{work} to {root}: takes up to {size_text(required)} of {size_text(free)} free disk"


def missing_table(selection: Selection) -> Table:
    """Return the incomplete archives with the number of clips present and in all."""
    title = Text(f"incomplete: {selection.root}", style="table.title")
    table = Table("archive", title=title, title_justify="left")
    table.add_column("clips there", justify="right")
    table.add_column("of", justify="right")
    for archive, missing in selection.missing().items():
        total = len(archive.clips(selection.modality))
        table.add_row(archive.name, str(total - len(missing)), str(total))
    return table
