"""RAVDESS on Zenodo: which archive holds which clips, which are missing locally, and their download in parallel.

Source: Zenodo record 1188976, "Audio-Visual and Video-only files": `Video_Speech_Actor_01.zip` holds the 60 spoken
takes of actor 1 with sound and the same 60 without, `Video_Song_Actor_01.zip` the 44 and 44 sung ones.
"""

import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import FileIO
from itertools import product
from pathlib import Path, PureWindowsPath
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING, Literal, Protocol
from zipfile import BadZipFile, ZipFile

from emorec.data.sets.ravdess.parser import (
    CHANNELS,
    INTENSITIES,
    NUM_REPETITIONS,
    SINGERS,
    STATEMENTS,
    RavdessName,
    class_names,
)
from emorec.data.split import ACTORS
from emorec.errors import UserError
from emorec.io import DiskFullError, atomic_write, disk_errors, list_files, raise_unreadable
from emorec.text import plural

if TYPE_CHECKING:  # it loads the network libraries
    from emorec.data.download.http import RemoteFile

RECORD = 1188976
RECORD_PAGE = f"https://zenodo.org/records/{RECORD}"

UNFINISHED_FOLDER = ".unfinished"
"""Folder below the root for archives that are being downloaded; hidden, so that no clips are looked for in it."""

ARCHIVES_FOLDER = ".archives"
"""Folder below the root for downloaded archives that are to be kept."""

SOUND_SHARE = 1.2
"""By how much, at most, the requested clips of an archive are larger than the others: some have sound."""

STOP_SECONDS = 3.0
"""Time for threads to close their files after Ctrl-C."""

CHUNK_BYTES = 1 << 20

DAMAGED_ZIP = (
    *(BadZipFile, zlib.error, struct.error, EOFError),
    *(RuntimeError, ValueError, OverflowError),
)
"""What zipfile raises for a file that is not a zip or was altered."""

Channel = Literal["speech", "song"]
Modality = Literal["av", "video", "both"]


@dataclass(frozen=True, slots=True, order=True)
class RavdessArchive:
    """One archive of the record.

    Attributes:
        actor: 1 to 24.
        channel: "speech" or "song".

    >>> RavdessArchive(7, "song").name
    'Video_Song_Actor_07.zip'
    >>> len(RavdessArchive(7, "speech").clips("av")), len(RavdessArchive(7, "song").clips("both"))
    (60, 88)
    """

    actor: int
    channel: Channel

    @property
    def name(self) -> str:
        """File name of the archive."""
        return f"Video_{self.channel.capitalize()}_Actor_{self.actor:02d}.zip"

    def clips(self, modality: Modality = "both") -> tuple[RavdessName, ...]:
        """Return the clips that RAVDESS documents to be in it."""
        return tuple(
            RavdessName(
                modality=kind,
                channel=self.channel,
                emotion=emotion,
                intensity=intensity,
                statement=statement,
                repetition=repetition,
                actor=self.actor,
            )
            for kind, emotion, intensity, statement, repetition in product(
                ("av", "video") if modality == "both" else (modality,),
                class_names(self.channel),
                INTENSITIES,
                range(1, len(STATEMENTS) + 1),
                range(1, NUM_REPETITIONS + 1),
            )
            if (emotion, intensity) != ("neutral", "strong")
        )


def archives_of(
    actors: Iterable[int], channel: Literal["speech", "song", "both"]
) -> list[RavdessArchive]:
    """Return the archives that hold some actors' clips, actor by actor.

    Raises:
        UserError: When RAVDESS has no such actor, or none of them sang.

    >>> [archive.name for archive in archives_of([18, 17], "both")][1:]
    ['Video_Song_Actor_17.zip', 'Video_Speech_Actor_18.zip']
    """
    selected = sorted(set(actors))
    if unknown := [actor for actor in selected if actor not in ACTORS]:
        raise UserError(f"no actor {unknown[0]}: RAVDESS has {ACTORS[0]} to {ACTORS[-1]}")
    channels = CHANNELS if channel == "both" else (channel,)
    archives = [
        RavdessArchive(actor, each)
        for actor in selected
        for each in ("speech", "song")
        if each in channels and (each == "speech" or actor in SINGERS)
    ]
    if not archives:
        raise UserError("actor 18 did not sing: RAVDESS has no Video_Song_Actor_18.zip")
    return archives


@dataclass(frozen=True, slots=True)
class Selection:
    """The clips to have in a folder.

    Attributes:
        root: The folder.
        archives: The archives that hold the clips.
        modality: Which of their clips.

    >>> selection = Selection(Path("nowhere"), tuple(archives_of([3, 18], "both")), "av")
    >>> str(selection), [len(clips) for clips in selection.missing().values()]
    ('164 clips of 2 actors', [60, 44, 60])
    """

    root: Path
    archives: tuple[RavdessArchive, ...]
    modality: Modality

    @property
    def clips(self) -> list[RavdessName]:
        """All selected clips."""
        return [name for archive in self.archives for name in archive.clips(self.modality)]

    def missing(self) -> dict[RavdessArchive, list[RavdessName]]:
        """Return the clips that are not in the folder, for each archive that has some.

        Raises:
            UserError: When a folder can't be read.
        """
        present = clip_files(self.root)
        missing = {
            archive: [name for name in archive.clips(self.modality) if str(name) not in present]
            for archive in self.archives
        }
        return {archive: names for archive, names in missing.items() if names}

    def __str__(self) -> str:
        actors = len({archive.actor for archive in self.archives})
        return f"{plural(len(self.clips), 'clip')} of {plural(actors, 'actor')}"


def clip_files(root: Path) -> dict[str, Path]:
    """Return the mp4 files below a folder, however deep, by their stem. Empty files do not count.

    Raises:
        UserError: When a folder can't be read.
    """
    found: dict[str, Path] = {}
    for path in list_files(root, raise_unreadable if root.exists() else None):
        if path.suffix.lower() == ".mp4" and path.is_file() and path.stat().st_size:
            found.setdefault(path.stem, path)
    return found


def damage_of(path: Path) -> str | None:
    """Return what is wrong with an mp4 file, without decoding it; `None` if it is complete.

    Source: ISO/IEC 14496-12, section 4.2: a file is a sequence of boxes, each starting with its length and type.
    """
    offset, types = 0, set()
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            while offset < size:
                file.seek(offset)
                length, kind, long_length = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
                types.add(kind)
                # 1: the length has 64 bits; 0: the box reaches to the end of the file
                length = {1: long_length, 0: size - offset}.get(length, length)
                offset += max(length, 8)
    except OSError as error:
        return f"can't be read: {error.strerror}"
    if b"ftyp" not in types:
        return "not an mp4 file"
    return None if offset == size and types >= {b"moov", b"mdat"} else "cut off"


@dataclass(frozen=True, slots=True)
class Job:
    """An archive to download and unpack.

    Attributes:
        archive: The archive.
        clips: Those of its clips that are selected and missing.
        file: Where it lies or will lie; or the folder where its clips are unpacked already.
        size: In bytes.
        remote: Where it is downloaded from; `None` for an archive of the user's, which is left alone.
    """

    archive: RavdessArchive
    clips: tuple[RavdessName, ...]
    file: Path
    size: int
    remote: "RemoteFile | None" = None

    @property
    def present_bytes(self) -> int:
        """Size of what was downloaded before, completely or in part."""
        files = sorted(self.file.parent.glob(f"{self.file.name}*"))
        return min(files[0].stat().st_size, self.size) if files else 0

    @property
    def missing_bytes(self) -> int:
        """What is left to download."""
        return self.size - self.present_bytes if self.remote else 0

    @property
    def unpacked_bytes(self) -> int:
        """Size of its clips, of those in an archive estimated: videos hardly compress."""
        if self.file.is_dir():
            return self.size
        share = len(self.clips) / len(self.archive.clips())
        return round(SOUND_SHARE * share * self.size)


def plan_downloads(selection: Selection, files: Mapping[str, "RemoteFile"]) -> list[Job]:
    """Return what has to be downloaded.

    Args:
        selection: The clips to have.
        files: Files of Zenodo's record.

    Raises:
        UserError: When the record does not hold an archive.
    """
    jobs = []
    for archive, clips in selection.missing().items():
        if archive.name not in files:
            raise UserError(
                f"{RECORD_PAGE} does not list {archive.name}: it holds {len(files)} other files"
            )
        remote = files[archive.name]
        kept = selection.root / ARCHIVES_FOLDER / archive.name
        file = kept if kept.is_file() else selection.root / UNFINISHED_FOLDER / archive.name
        jobs.append(Job(archive, tuple(clips), file, remote.size, remote))
    return jobs


def plan_unpacking(selection: Selection, folder: Path) -> tuple[list[Job], list[RavdessArchive]]:
    """Return what has to be unpacked from a folder of archives, and the archives that are not in it.

    An archive whose clips are in the folder, however deep, is there as well: a browser may have unpacked it.

    Raises:
        UserError: When there is no such folder, or one in it can't be read.
    """
    if not folder.is_dir():
        raise UserError(
            f"no such folder: {folder} (--from is the folder of archives from {RECORD_PAGE})"
        )
    selected = selection.missing()
    archived = all((folder / archive.name).is_file() for archive in selected)
    unpacked = {} if archived else clip_files(folder)
    jobs, absent = [], []
    for archive, clips in selected.items():
        file = folder / archive.name
        if file.is_file():
            jobs.append(Job(archive, tuple(clips), file, file.stat().st_size))
        elif present := [unpacked[str(name)] for name in clips if str(name) in unpacked]:
            size = sum(path.stat().st_size for path in present)
            jobs.append(Job(archive, tuple(clips), folder, size))
        else:
            absent.append(archive)
    return jobs, absent


def required_bytes(jobs: Sequence[Job], num_downloads: int, *, keep_archives: bool) -> int:
    """Return the disk space that the jobs need at most, beyond what they use already."""
    downloads = sorted(job.missing_bytes for job in jobs)
    concurrent = downloads if keep_archives else downloads[-num_downloads:]
    return sum(concurrent) + sum(job.unpacked_bytes for job in jobs)


class JobListener(Protocol):
    """Follows the jobs; called from several threads."""

    def downloaded(self, job: Job, num_bytes: int) -> None:
        """Receive the number of bytes of the archive present."""

    def unpacked(self, job: Job, num_bytes: int) -> None:
        """Receive the number of bytes of its clips that were just written."""

    def done(self, job: Job) -> None:
        """Receive a job whose clips are all unpacked."""

    def failed(self, job: Job, reason: str) -> None:
        """Receive a job that could not be downloaded or unpacked, and the reason."""


class StoppedError(Exception):
    """Ends a job because all others end."""


def run_jobs(
    jobs: Sequence[Job],
    root: Path,
    listener: JobListener,
    *,
    num_downloads: int,
    keep_archives: bool,
) -> None:
    """Download and unpack archives in parallel; a failure of one does not affect the others.

    Ctrl-C ends it within seconds. What is there by then stays, and the next call resumes.

    Args:
        jobs: From `plan_downloads` or `plan_unpacking`.
        root: The folder that gets the clips.
        listener: Follows the jobs.
        num_downloads: Number of archives at a time.
        keep_archives: Keep downloaded archives once they are unpacked.

    Raises:
        DiskFullError: When the disk is full.
    """
    queue: SimpleQueue[Job] = SimpleQueue()
    outcomes: SimpleQueue[BaseException | None] = SimpleQueue()
    stop = threading.Event()
    for job in jobs:
        queue.put(job)

    def work() -> None:
        with suppress(Empty):
            while not stop.is_set():
                job = queue.get_nowait()
                outcomes.put(_outcome(job, root, listener, stop, keep_archives=keep_archives))

    # daemon threads, because a process must not wait for a silent server before it can end
    threads = [
        threading.Thread(target=work, daemon=True) for _ in range(min(num_downloads, len(jobs)))
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in jobs:
            if error := outcomes.get():
                raise error
    finally:
        stop.set()
        end = time.monotonic() + STOP_SECONDS
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))


def _outcome(
    job: Job, root: Path, listener: JobListener, stop: threading.Event, *, keep_archives: bool
) -> BaseException | None:
    """Run a job; return the error that all others have to end for, too."""
    try:
        _run_job(job, root, listener, stop, keep_archives=keep_archives)
    except DiskFullError as error:
        return error
    except UserError as error:
        listener.failed(job, str(error))
    except BaseException as error:
        return error
    else:
        listener.done(job)
    return None


def _run_job(
    job: Job, root: Path, listener: JobListener, stop: threading.Event, *, keep_archives: bool
) -> None:
    from emorec.data.download.http import download

    def progress(report: Callable[[Job, int], None]) -> Callable[[int], None]:
        def call(num_bytes: int) -> None:
            if stop.is_set():
                raise StoppedError
            report(job, num_bytes)

        return call

    if job.remote:
        download(job.remote, job.file, progress(listener.downloaded))
    unpack(job.file, job.clips, root, progress(listener.unpacked))
    if job.remote and job.file.parent.name == UNFINISHED_FOLDER:
        with disk_errors(job.file):
            if keep_archives:
                (root / ARCHIVES_FOLDER).mkdir(exist_ok=True)
                job.file.replace(root / ARCHIVES_FOLDER / job.archive.name)
            else:
                job.file.unlink()


def clip_path(root: Path, name: RavdessName) -> Path:
    """Return where a clip is unpacked.

    >>> clip_path(Path("ravdess"), RavdessName.parse("01-01-03-02-01-02-07")).as_posix()
    'ravdess/Actor_07/01-01-03-02-01-02-07.mp4'
    """
    return root / f"Actor_{name.actor:02d}" / f"{name}.mp4"


def unpack(
    file: Path,
    clips: Iterable[RavdessName],
    root: Path,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write clips of an archive below the root; each takes its name only once it is complete and its checksum right.

    No name in the archive decides where anything is written: its clips are found by their file names, wherever it has
    them, and go to `clip_path`.

    Args:
        file: The archive, or a folder of its clips.
        clips: The clips to write.
        root: The folder that gets `Actor_01` and so on.
        progress: Called with the number of bytes of each piece that was written; may raise to stop it.

    Raises:
        UserError: When the archive can't be read, is damaged or lacks a clip, or a clip can't be written.
    """
    clips = list(clips)
    try:
        with disk_errors(file), _openers(file) as openers:
            if lacking := [f"{name}.mp4" for name in clips if str(name) not in openers]:
                raise UserError(
                    f"{file} lacks {len(lacking)} of {len(clips)} clips, such as {lacking[0]}"
                )
            for name in clips:
                target = clip_path(root, name)
                with (
                    openers[str(name)]() as member,
                    disk_errors(target),
                    atomic_write(target) as out,
                ):
                    while chunk := member.read(CHUNK_BYTES):  # checks the CRC at the end
                        out.write(chunk)
                        if progress is not None:
                            progress(len(chunk))
    except DAMAGED_ZIP as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file} is damaged ({reason}): delete it and download it again") from error


@contextmanager
def _openers(file: Path) -> Iterator[Mapping[str, Callable[[], IO[bytes]]]]:
    """Return what opens each clip of an archive or a folder, by the clip's stem."""
    if file.is_dir():
        yield {stem: partial(FileIO, path) for stem, path in clip_files(file).items()}
        return
    with ZipFile(file) as archive:
        # as on Windows: some archives have backslashes between the folders
        paths = {PureWindowsPath(info.filename): info for info in archive.infolist()}
        yield {
            path.stem: partial(archive.open, info)
            for path, info in paths.items()
            if path.suffix.lower() == ".mp4"
        }


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Keep other calls of `emorec prepare` out of a folder.

    Raises:
        UserError: When another one is running there, or the folder can't be written to.
    """
    from filelock import FileLock, Timeout

    unfinished = root / UNFINISHED_FOLDER
    with disk_errors(root):
        unfinished.mkdir(parents=True, exist_ok=True)
        lock = FileLock(unfinished / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"another emorec prepare is running in {root}: wait until it has ended, or stop it"
            ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows can't while it is locked
            Path(lock.lock_file).unlink()
        lock.release()
        with suppress(OSError):  # incomplete downloads stay for the next call
            unfinished.rmdir()


def remove_leftovers(selection: Selection) -> None:
    """Remove what a killed call left: half-written clips, and archives whose clips are all there.

    Raises:
        UserError: When a folder can't be read.
    """
    missing = selection.missing()
    patterns = [
        f"{UNFINISHED_FOLDER}/{archive.name}*"
        for archive in selection.archives
        if archive not in missing
    ]
    with suppress(OSError):
        for pattern in (*patterns, "Actor_[0-9][0-9]/.*.mp4.unfinished"):
            for path in selection.root.glob(pattern):
                path.unlink(missing_ok=True)
