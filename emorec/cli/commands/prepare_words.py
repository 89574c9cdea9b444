"""What `emorec prepare` says: tables and sentences."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rich.filesize import decimal as shown_size
from rich.markup import escape
from rich.table import Table

from emorec.data.download.ravdess_archives import RECORD_PAGE, RavdessArchive
from emorec.data.download.ravdess_jobs import Job
from emorec.data.download.ravdess_wanted import Missing, Wanted

BY_OTHER_MEANS = "--from FOLDER takes archives that were downloaded by other means"


def incomplete(wanted: Wanted, missing: Missing) -> Table:
    """The archives of which clips are missing, and how many clips are there."""
    table = Table("archive", title=f"incomplete: {escape(str(wanted.root))}", title_justify="left")
    table.add_column("clips there", justify="right")
    table.add_column("of", justify="right")
    for archive, lacking in missing.items():
        promised = len(archive.clips(wanted.modality))
        table.add_row(archive.name, str(promised - len(lacking)), str(promised))
    return table


def plan(wanted: Wanted, jobs: Sequence[Job], absent: Collection[RavdessArchive]) -> Table:
    """What is to be done with each archive."""
    table = Table("archive", title=f"for {escape(str(wanted.root))}", title_justify="left")
    table.add_column("size", justify="right")
    table.add_column("clips", justify="right")
    table.add_column("to do")
    planned = {job.archive: job for job in jobs}
    for archive in wanted.archives:
        if job := planned.get(archive):
            table.add_row(archive.name, shown_size(job.size), str(len(job.clips)), to_do(job))
        else:
            state = "not there" if archive in absent else "nothing: its clips are there"
            table.add_row(archive.name, "", "", state)
    return table


def to_do(job: Job) -> str:
    """What is to be done with an archive."""
    if job.remote is None or job.here_bytes >= job.size:
        return "unpack"
    if job.here_bytes:
        return f"download from {100 * job.here_bytes // job.size} % on, unpack"
    return "download, unpack"


def intention(jobs: Sequence[Job], root: Path, disk_bytes: int, free_bytes: int) -> str:
    """What is to be done with all of them, and what disk it takes."""
    coming = sum(max(0, job.size - job.here_bytes) for job in jobs if job.remote)
    clips = sum(len(job.clips) for job in jobs)
    archives = f"{len(jobs)} archive{'s' if len(jobs) > 1 else ''}"
    work = f"unpack {clips:,} clips of {archives}"
    if coming:
        work = f"download {shown_size(coming)} and {work}"
    return f"{work} to {root}: takes up to {shown_size(disk_bytes)} of {shown_size(free_bytes)} free disk"


def reasons(
    absent: Sequence[RavdessArchive], failures: Mapping[Job, str], folder: Path | None
) -> list[str]:
    """Why archives could not be had, a sentence for each; those that are not there share one."""
    told = [
        reason if job.archive.name in reason else f"{job.archive.name}: {reason}"
        for job, reason in sorted(failures.items(), key=lambda failure: failure[0].archive)
    ]
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        names = ", ".join(archive.name for archive in absent[:3])
        told.append(f"not in {folder}: {names}{more}")
    return told


def failed(reasons: Sequence[str], missing: Missing, wanted: Wanted, folder: Path | None) -> str:
    """The last line when some archives could not be had."""
    way_out = (
        BY_OTHER_MEANS
        if folder is None
        else f"get these archives from {RECORD_PAGE}, or choose --actors"
    )
    if len(missing) == len(reasons) == 1:
        return f"{reasons[0]}; {way_out}"
    return (
        f"{len(missing)} of {len(wanted.archives)} archives could not be had, as said above; "
        f"the same command tries them again, and {way_out}"
    )
