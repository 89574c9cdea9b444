"""Each archive of RAVDESS that is to be brought, and what that takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emorec.data.download.download import RemoteFile, part_of
from emorec.data.download.ravdess_archives import KEPT, RECORD_PAGE, UNFINISHED, RavdessArchive
from emorec.data.download.ravdess_wanted import Missing
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.errors import UserError

MODALITIES_DIFFER = 1.2
"""By so much, at most, may the clips asked for be larger than the others of their archive: some have sound."""


@dataclass(frozen=True, slots=True)
class Job:
    """An archive to be brought and unpacked.

    Attributes:
        archive: Which one.
        clips: Those of its clips that are wanted and not here.
        file: Where it lies or will lie.
        size: Its bytes.
        remote: Where it comes from; None when it is here and is to be left alone.
    """

    archive: RavdessArchive
    clips: tuple[RavdessName, ...]
    file: Path
    size: int
    remote: RemoteFile | None = None

    @property
    def here_bytes(self) -> int:
        """What is here already, perhaps not to be used after all."""
        places = (self.file, part_of(self.file))
        return next((place.stat().st_size for place in places if place.is_file()), 0)

    @property
    def unpacked_bytes(self) -> int:
        """About what its clips take: videos are packed as they are."""
        share = len(self.clips) / len(self.archive.clips())
        return round(MODALITIES_DIFFER * share * self.size)


def jobs_from_zenodo(missing: Missing, files: Mapping[str, RemoteFile], root: Path) -> list[Job]:
    """What is to be downloaded.

    Args:
        missing: What is wanted.
        files: What Zenodo's record holds.
        root: The folder of RAVDESS.

    Raises:
        UserError: When the record does not hold a file.
    """
    if absent := [archive.name for archive in missing if archive.name not in files]:
        raise UserError(
            f"{RECORD_PAGE} does not list {absent[0]}: it holds {len(files)} other files"
        )
    jobs = []
    for archive, clips in missing.items():
        remote = files[archive.name]
        kept = root / KEPT / archive.name
        file = kept if kept.is_file() else root / UNFINISHED / archive.name
        jobs.append(Job(archive, tuple(clips), file, remote.size or 0, remote))
    return jobs


def jobs_from_folder(missing: Missing, folder: Path) -> tuple[list[Job], list[RavdessArchive]]:
    """What is to be unpacked from a folder of archives, and the archives that are not in it.

    Raises:
        UserError: When there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(
            f"no such folder: {folder} (--from is where the archives of {RECORD_PAGE} are)"
        )
    jobs, absent = [], []
    for archive, clips in missing.items():
        file = folder / archive.name
        if file.is_file():
            jobs.append(Job(archive, tuple(clips), file, file.stat().st_size))
        else:
            absent.append(archive)
    return jobs, absent


def disk_bytes(jobs: Sequence[Job], num_downloads: int, *, keep_archives: bool) -> int:
    """What the jobs need of a disk at most, beyond what they have there already."""
    coming = sorted(max(0, job.size - job.here_bytes) for job in jobs if job.remote)
    at_once = coming if keep_archives else coming[-num_downloads:]
    return sum(at_once) + sum(job.unpacked_bytes for job in jobs)
