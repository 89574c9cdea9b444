"""How `emorec prepare` shows its downloads: bars where somebody watches, lines where they are kept."""

import threading
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from emorec.data.download.ravdess_jobs import Job


class JobsProgress:
    """A bar for each archive on its way and one for all of them; what ends is a line.

    Args:
        jobs: What will be done.
        console: Where it is shown; without a terminal there are only lines.

    Attributes:
        failures: The jobs that came to nothing, and why.
    """

    def __init__(self, jobs: Sequence[Job], console: Console) -> None:
        self.failures: dict[Job, str] = {}
        self._console = console
        self._lock = threading.Lock()  # jobs run in several threads
        self._bars: dict[Job, tuple[str, TaskID]] = {}
        self._to_do = {job: job.size if job.remote else job.unpacked_bytes for job in jobs}
        self._did = {job: min(job.here_bytes, job.size) if job.remote else 0 for job in jobs}
        self._num_ended = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),  # as much as the terminal has room for
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            expand=True,
            disable=not console.is_terminal,
        )
        self._all = self._progress.add_task(
            f"{len(jobs)} archives",
            total=sum(self._to_do.values()),
            completed=sum(self._did.values()),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.stop()

    def downloaded(self, job: Job, num_bytes: int) -> None:
        """So many bytes of the archive are here by now."""
        with self._lock:
            self._did[job] = num_bytes
            bar = self._bar(job, job.archive.name, job.size, started_at=num_bytes)
            self._progress.update(bar, completed=num_bytes)
            self._progress.update(self._all, completed=sum(self._did.values()))

    def unpacked(self, job: Job, num_bytes: int) -> None:
        """So many more bytes of its clips were written."""
        with self._lock:
            if not job.remote:
                self._did[job] += num_bytes
                self._progress.update(self._all, completed=sum(self._did.values()))
            name = job.archive.name.removeprefix("Video_").removesuffix(".zip")
            bar = self._bar(job, f"unpacking {name}", job.unpacked_bytes)
            self._progress.update(bar, advance=num_bytes)

    def done(self, job: Job) -> None:
        """All its clips are here."""
        with self._lock:
            self._did[job] = self._to_do[job]
            self._end(job, f"{len(job.clips)} clips unpacked")

    def failed(self, job: Job, reason: str) -> None:
        """It came to nothing."""
        with self._lock:
            self.failures[job] = reason
            self._end(job, "failed")

    def _bar(self, job: Job, description: str, total: int, started_at: int = 0) -> TaskID:
        """The bar of what a job is doing, in place of that of what it did before."""
        before, bar = self._bars.get(job, ("", self._all))
        if before != description:
            if before:
                self._progress.remove_task(bar)
            # bytes of an earlier call are no speed of this one
            bar = self._progress.add_task(description, total=total, completed=started_at)
            self._bars[job] = (description, bar)
        return bar

    def _end(self, job: Job, outcome: str) -> None:
        if job in self._bars:
            self._progress.remove_task(self._bars.pop(job)[1])
        self._num_ended += 1
        self._progress.update(self._all, completed=sum(self._did.values()))
        self._console.print(
            f"{job.archive.name}: {outcome} ({self._num_ended} of {len(self._did)} archives)"
        )
