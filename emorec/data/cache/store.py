"""Store of decoded clips: one .npy file a clip, and an SQLite database of checksums, file digests and broken clips.

<cache>/cache.sqlite                      the database
<cache>/10x256x256-...-1f0c2b9a/          the frames of one specification
<cache>/10x256x256-...-1f0c2b9a/KEY.npy   the frames of one clip, named by the content of its file
<cache>/10x256x256-...-1f0c2b9a.lock      held by the process that fills this folder
"""

import contextlib
import hashlib
import io
import logging
import os
import re
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from filelock import FileLock, Timeout

from emorec.errors import UserError
from emorec.io import atomic_write, cache_folder

if TYPE_CHECKING:
    import numpy.typing as npt

log = logging.getLogger(__name__)

DATABASE = "cache.sqlite"

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, digest TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS clips (
    spec TEXT NOT NULL, clip TEXT NOT NULL, file TEXT NOT NULL,
    error TEXT, checksum INTEGER, size INTEGER, mtime_ns INTEGER, video_frames INTEGER, face_frames INTEGER,
    PRIMARY KEY (spec, clip)
) WITHOUT ROWID;
"""

BUSY_SECONDS = 60.0
"""How long one process waits for another one that writes to the database."""

LOCK_MESSAGE_SECONDS = 5.0
"""How long a process waits for another one that fills the cache before it logs a warning."""

_OURS = re.compile(
    r"(sound-|embedding-)?\d+x\d+(x\d+)?-.*|landmarks-\d+-.*|cache\.sqlite.*"
)  # users may keep other files in the folder

Fingerprint = tuple[int, int]
"""Size in bytes and modification time in nanoseconds of a file."""


class CacheError(UserError):
    """The cache can't be created or filled in its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """A row of the database: one clip under one specification.

    Attributes:
        error: Why the clip can't be used; `None` when it can.
        checksum: CRC-32 of its .npy file; `None` where nothing is stored.
        size: Of that file in bytes, when the checksum was last right.
        mtime_ns: Modification time of that file, when the checksum was last right.
        video_frames: Number of frames of the clip that can be decoded.
        face_frames: Number of the T frames in which the face was found; `None` without face detection.
    """

    error: str | None = None
    checksum: int | None = None
    size: int | None = None
    mtime_ns: int | None = None
    video_frames: int | None = None
    face_frames: int | None = None


_COLUMNS = ", ".join(field.name for field in fields(CacheEntry))


@dataclass(frozen=True, slots=True)
class CacheListing:
    """What the cache holds of one specification.

    Attributes:
        name: Of the specification.
        ready: Number of clips that are stored.
        broken: Number of clips that can't be used.
        num_bytes: Size on the disk.
        filled: When a clip was last added, in seconds since 1970.
    """

    name: str
    ready: int
    broken: int
    num_bytes: int
    filled: float


class CacheStore:
    """The part of a cache that holds one specification; any number of processes may use it at once.

    Args:
        folder: The cache.
        name: Of the specification.
        required: Whether the cache must be writable. Otherwise a database in memory takes its place where it is not.

    Raises:
        OSError: When it is required and can't be written to.
    """

    def __init__(self, folder: Path, name: str, *, required: bool = True) -> None:
        self.name = name
        self.folder = folder / name
        self._lock = folder / f"{name}.lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = _open_database(folder / DATABASE)
            if not required:
                with self.transaction():
                    pass
        except OSError:
            if required:
                raise
            self._database = _connect(":memory:")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._database.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything in the block or nothing.

        Raises:
            OSError: When the database can't be written to.
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            with self._database:  # commits, or rolls back after an exception
                yield
        except sqlite3.OperationalError as error:
            raise OSError(f"can't write the database of the cache: {error}") from error

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Wait for other processes that fill this part of the cache, and make them wait."""
        with wait_for_lock(self._lock, f"another process fills {self.folder}"):
            yield

    def known_digests(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Return the recorded digests of those source files that have not changed since."""
        rows = self._database.execute("SELECT path, size, mtime_ns, digest FROM files")
        recorded = {path: ((size, mtime_ns), digest) for path, size, mtime_ns, digest in rows}
        found = {path: recorded.get(str(path.absolute())) for path in paths}
        return {path: row[1] for path, row in found.items() if row and row[0] == fingerprint(path)}

    def add_digest(self, path: Path, fingerprint: Fingerprint, digest: str) -> None:
        """Record the digest of a source file."""
        self._database.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
            (str(path.absolute()), *fingerprint, digest),
        )

    def entries(self) -> dict[str, CacheEntry]:
        """Return all entries by the key of their clip."""
        rows = self._database.execute(
            f"SELECT clip, {_COLUMNS} FROM clips WHERE spec = ?",  # noqa: S608 - our own column names
            (self.name,),
        )
        names = [field.name for field in fields(CacheEntry)]
        return {key: CacheEntry(**dict(zip(names, row, strict=True))) for key, *row in rows}

    def intact_entries(self) -> dict[str, CacheEntry]:
        """Return the entries of broken clips, and of stored ones whose file was not touched since its last check."""
        return {
            key: entry
            for key, entry in self.entries().items()
            if entry.checksum is None or fingerprint(self.path(key)) == (entry.size, entry.mtime_ns)
        }

    def add(self, entries: Mapping[str, CacheEntry], files: Mapping[str, str]) -> None:
        """Add or replace entries, in one transaction.

        Args:
            entries: By the key of their clip.
            files: The name of each clip's source file, for people who read the database.

        Raises:
            OSError: When the database can't be written to.
        """
        marks = ", ".join("?" * (3 + len(fields(CacheEntry))))
        with self.transaction():
            self._database.executemany(
                f"INSERT OR REPLACE INTO clips VALUES ({marks})",  # noqa: S608
                [(self.name, key, files[key], *astuple(entry)) for key, entry in entries.items()],
            )

    def drop_damaged(self, *, check_all: bool = False, progress: bool = True) -> int:
        """Compare stored files with their checksums and forget the damaged ones; return how many there were.

        Args:
            check_all: Check files that were not touched since their last check, too.
            progress: Show a bar when it takes longer than two seconds.

        Raises:
            OSError: When the database can't be written to.
        """
        # late: the decoder subprocesses start without rich
        from emorec.data.cache.progress import with_progress

        stored = {key: entry for key, entry in self.entries().items() if entry.checksum is not None}
        untouched = {} if check_all else self.intact_entries()
        suspects = [key for key in stored if key not in untouched]
        if not suspects:
            return 0
        with ThreadPoolExecutor() as threads:  # reading and CRC-32 both release the GIL
            checked = with_progress(
                threads.map(checksum_of, map(self.path, suspects)),
                len(suspects),
                "checking cached clips",
                show=progress,
            )
            found = dict(zip(suspects, checked, strict=True))
        damaged = [key for key in suspects if found[key] != stored[key].checksum]
        with self.transaction():
            for key in suspects:
                size, mtime_ns = fingerprint(self.path(key)) or (None, None)
                self._database.execute(
                    "UPDATE clips SET size = ?, mtime_ns = ? WHERE spec = ? AND clip = ?",
                    (size, mtime_ns, self.name, key),
                )
            self._database.executemany(
                "DELETE FROM clips WHERE spec = ? AND clip = ?",
                [(self.name, key) for key in damaged],
            )
        return len(damaged)

    def path(self, key: str) -> Path:
        """Return the .npy file of a clip."""
        return self.folder / f"{key}.npy"


@contextlib.contextmanager
def wait_for_lock(file: Path, reason: str) -> Iterator[None]:
    """Hold a lock file within the block; after a few seconds of waiting for it, the reason is logged as a warning.

    Raises:
        OSError: When it can't be written.
    """
    lock = FileLock(file)
    try:
        held = lock.acquire(timeout=LOCK_MESSAGE_SECONDS)
    except Timeout:
        log.warning("%s: waiting for it", reason)
        held = lock.acquire()
    with held:
        yield


def write_clip(path: Path, content: "npt.NDArray[Any]", entry: CacheEntry) -> CacheEntry:
    """Write the frames or the sound of a clip atomically; return its entry with checksum and fingerprint.

    Raises:
        OSError: When it can't be written.
    """
    import numpy as np  # late: commands that only name the cache folder start without it

    buffer = io.BytesIO()
    np.save(buffer, content, allow_pickle=False)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())
    size, mtime_ns = fingerprint(path) or (None, None)
    checksum = zlib.crc32(buffer.getbuffer())
    return replace(entry, checksum=checksum, size=size, mtime_ns=mtime_ns)


def checksum_of(path: Path) -> int | None:
    """Return the CRC-32 of a file; `None` when it can't be read."""
    try:
        return zlib.crc32(path.read_bytes())
    except OSError:
        return None


def fingerprint(path: Path) -> Fingerprint | None:
    """Return size and modification time, which change when a file is replaced; `None` for an unreadable file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if os.access(path, os.R_OK) else None


def file_digest(path: Path) -> str:
    """Return 128 bits of the content of a file as hexadecimal digits.

    Raises:
        OSError: When it can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def file_digests(folder: Path, paths: Collection[Path]) -> dict[Path, str]:
    """Return the digests of source files; the database of the cache in `folder` saves reading known ones.

    Raises:
        OSError: When a file can't be read, or the database can't be written to.
    """
    if not paths:
        return {}
    # late: the decoder subprocesses start without rich
    from emorec.data.cache.progress import with_progress

    with CacheStore(folder, "", required=False) as store, ThreadPoolExecutor() as threads:
        digests = store.known_digests(paths)
        new = [path for path in paths if path not in digests]
        fingerprints = {path: fingerprint(path) for path in new}
        # reading and hashing both release the GIL
        results = threads.map(file_digest, new)
        read = dict(zip(new, with_progress(results, len(new), "comparing files"), strict=True))
        if read:
            with store.transaction():
                for path, digest in read.items():
                    before = fingerprints[path]
                    if before is not None:
                        store.add_digest(path, before, digest)
    return digests | read


def resolve_cache(cache: str) -> Path:
    """Return the folder that `data.cache` names: "auto", a folder, or "none", which still records broken clips."""
    return cache_folder() if cache in ("auto", "none") else Path(cache).expanduser()


def list_cache(folder: Path) -> list[CacheListing]:
    """Return what a cache holds; nothing when there is none."""
    if not (folder / DATABASE).is_file():
        return []
    with contextlib.closing(_open_database(folder / DATABASE)) as database:
        rows = database.execute(
            "SELECT spec, sum(error IS NULL), sum(error IS NOT NULL) FROM clips GROUP BY spec ORDER BY spec"
        ).fetchall()
    return [
        CacheListing(name, ready, broken, _size(folder / name), (folder / name).stat().st_mtime)
        for name, ready, broken in rows
        if (folder / name).is_dir()
    ]


def clear_cache(folder: Path, name: str = "all") -> int:
    """Remove the clips of a specification, or all that emorec stored in the folder, and return the freed bytes.

    Processes that use them decode their clips instead.

    Raises:
        UserError: When there is no such specification, or it can't be removed.
    """
    names = [listing.name for listing in list_cache(folder)]
    if name not in ("all", *names):
        raise UserError(f"no frames {name!r} in {folder}: {', '.join(names) or 'it is empty'}")
    freed = 0
    try:
        if names:
            with contextlib.closing(_open_database(folder / DATABASE)) as database, database:
                for each in names if name == "all" else [name]:
                    database.execute("DELETE FROM clips WHERE spec = ?", (each,))
        for path in folder.iterdir() if folder.is_dir() else []:
            if path.name in (name, f"{name}.lock") or (
                name == "all" and _OURS.fullmatch(path.name)
            ):
                freed += _size(path)
                _remove(path)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"can't clear {folder}: {reason}") from error
    return freed


def verify_cache(folder: Path) -> dict[str, int]:
    """Compare every stored clip with its checksum and forget the damaged ones, which the next run decodes anew.

    Returns:
        Number of damaged clips by the name of the specification.

    Raises:
        UserError: When the database can't be written to.
    """
    damaged = {}
    for listing in list_cache(folder):
        try:
            with CacheStore(folder, listing.name) as store:
                damaged[listing.name] = store.drop_damaged(check_all=True)
        except OSError as error:
            raise UserError(f"can't write to {folder}: {error.strerror or error}") from error
    return damaged


def _connect(path: Path | str) -> sqlite3.Connection:
    # no transactions but those of `transaction`
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        with contextlib.suppress(sqlite3.OperationalError):  # may be read-only
            database.executescript(SCHEMA)
        database.execute("SELECT count(*) FROM clips").fetchone()
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _open_database(path: Path) -> sqlite3.Connection:
    """Open the database; one that is corrupted is replaced, as its content can be found out again.

    Raises:
        OSError: When it can't be opened.
    """
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise OSError(f"can't use {path}: {error}") from error
        path.unlink()
        return _connect(path)


def _files(path: Path) -> Sequence[Path]:
    return list(path.iterdir()) if path.is_dir() else [path]


def _size(path: Path) -> int:
    return sum(each.stat().st_size for each in _files(path) if each.exists())


def _remove(path: Path) -> None:
    for each in _files(path):
        each.unlink(missing_ok=True)
    if path.is_dir():
        path.rmdir()
