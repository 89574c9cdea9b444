"""What is known of clips and of the frames kept of them: an SQLite file beside the frames."""

import contextlib
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from emorec.data.clip import Clip, Half

MANIFEST = "manifest.sqlite"
"""Its name in a cache folder."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, digest TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS recipes (
    recipe TEXT PRIMARY KEY, settings TEXT NOT NULL, seen_size INTEGER, seen_mtime_ns INTEGER, used REAL
);
CREATE TABLE IF NOT EXISTS clips (
    recipe TEXT NOT NULL, clip TEXT NOT NULL, file TEXT NOT NULL, status TEXT NOT NULL, error TEXT,
    slot INTEGER, shape TEXT, checksum INTEGER, video_frames INTEGER, face_frames INTEGER,
    PRIMARY KEY (recipe, clip)
) WITHOUT ROWID;
"""

BUSY_SECONDS = 60.0
"""How long one process waits for another that writes."""

Fingerprint = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""


class Part(NamedTuple):
    """What of a clip decides its frames: the file, the span of it, and the half of its picture."""

    path: Path
    span_seconds: tuple[float, float] | None = None
    half: Half | None = None

    @property
    def called(self) -> Path:
        """The file, and behind its name the span where it is not all of it.

        >>> str(Part(Path("films/a.avi"), (0.5, 2)).called), str(Part(Path("films/a.avi")).called)
        ('films/a.avi from 0.5 to 2 s', 'films/a.avi')
        """
        if self.span_seconds is None:
            return self.path
        return self.path.with_name(
            "{} from {:g} to {:g} s".format(self.path.name, *self.span_seconds)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of one clip under one recipe.

    Attributes:
        error: Why it can't be used; `None` when it can.
        slot: Position of its frames in the recipe's file; `None` where no frames are kept.
        checksum: CRC-32 of those frames.
        video_frames: Frames of the video that can be decoded.
        face_frames: Frames of the T in which a face was found; `None` where none was looked for.
    """

    error: str | None = None
    slot: int | None = None
    checksum: int | None = None
    video_frames: int | None = None
    face_frames: int | None = None


def part(clip: Clip) -> Part:
    """What of a clip decides its frames."""
    return Part(clip.path, clip.span_seconds, clip.half)


def fingerprint(path: Path) -> Fingerprint | None:
    """What tells the file from a later one of that name; `None` when it is not there or may not be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if os.access(path, os.R_OK) else None


def content_digest(path: Path) -> str:
    """128 bits of the file's content, the same wherever the file lies.

    Raises:
        OSError: When it can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def clip_key(digest: str, clip: Clip) -> str:
    """Names a clip by the content of its file and its part of it.

    >>> from dataclasses import replace
    >>> clip = Clip(path=Path("a.mp4"), label=0, actor=1, take="a", span_seconds=(0.5, 2))
    >>> clip_key("e3b0", clip)
    'e3b0@0.5-2'
    >>> clip_key("e3b0", replace(clip, span_seconds=(1234.561, 1234.564)))
    'e3b0@1234.561-1234.564'
    """
    span = "" if clip.span_seconds is None else "@{:.9g}-{:.9g}".format(*clip.span_seconds)
    return f"{digest}{span}{f'/{clip.half}' if clip.half else ''}"


class Manifest:
    """The SQLite file of a cache folder. Any number of processes may use it at once.

    Args:
        path: The file, made when missing; ":memory:" forgets all when it is closed.

    Raises:
        OSError: When it is neither there nor can be made.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = path
        try:
            self._database = self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) or path == ":memory:":
                raise OSError(f"can't use {path}: {error}") from error
            # no database any more: what it knew can be found out again
            Path(path).unlink()
            self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        # no transaction but those of `writing`
        database = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            with contextlib.suppress(sqlite3.OperationalError):  # may be read alone
                database.executescript(SCHEMA)
            database.execute("SELECT count(*) FROM recipes").fetchone()
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._database.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """What is written within it is there wholly or not at all.

        Raises:
            OSError: When the file can't be written.
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            with self._database:  # commits, or takes all back
                yield
        except sqlite3.OperationalError as error:
            raise OSError(f"can't write {self.path}: {error}") from error

    def digests(self) -> dict[str, tuple[Fingerprint, str]]:
        """Absolute path -> what the file was when it was read, and the digest of its content."""
        rows = self._database.execute("SELECT path, size, mtime_ns, digest FROM files")
        return {path: ((size, mtime_ns), digest) for path, size, mtime_ns, digest in rows}

    def entries(self, recipe: str) -> dict[str, Entry]:
        """Clip key -> what is known of the clip under the recipe."""
        rows = self._database.execute(
            "SELECT clip, error, slot, checksum, video_frames, face_frames FROM clips WHERE recipe = ?",
            (recipe,),
        )
        return {
            key: Entry(error=error, slot=slot, checksum=crc, video_frames=frames, face_frames=faces)
            for key, error, slot, crc, frames, faces in rows
        }

    def add_recipe(self, recipe: str, settings: Mapping[str, Any]) -> bool:
        """Whether the recipe is new here."""
        added = self._database.execute(
            "INSERT OR IGNORE INTO recipes (recipe, settings) VALUES (?, ?)",
            (recipe, json.dumps(settings)),
        )
        return added.rowcount > 0

    def add(self, recipe: str, key: str, clip: Clip, entry: Entry, shape: tuple[int, ...]) -> None:
        """Keeps what was found out about a clip."""
        self._database.execute(
            "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                recipe,
                key,
                clip.path.name,
                "broken" if entry.error else "ready",
                entry.error,
                entry.slot,
                json.dumps(shape),
                entry.checksum,
                entry.video_frames,
                entry.face_frames,
            ),
        )

    def add_digest(self, path: Path, seen: Fingerprint, digest: str) -> None:
        """Keeps the digest of a file's content."""
        self._database.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
            (str(path.absolute()), *seen, digest),
        )

    def drop(self, recipe: str, keys: Iterable[str]) -> None:
        """Forgets clips under a recipe."""
        self._database.executemany(
            "DELETE FROM clips WHERE recipe = ? AND clip = ?", [(recipe, key) for key in keys]
        )

    def drop_recipe(self, recipe: str) -> None:
        """Forgets a recipe and all its clips."""
        self._database.execute("DELETE FROM clips WHERE recipe = ?", (recipe,))
        self._database.execute("DELETE FROM recipes WHERE recipe = ?", (recipe,))

    def seen(self, recipe: str) -> Fingerprint | None:
        """The recipe's frames file as it was when all its checksums were last known to be right."""
        row = self._database.execute(
            "SELECT seen_size, seen_mtime_ns FROM recipes WHERE recipe = ?", (recipe,)
        ).fetchone()
        return None if row is None or row[0] is None else (row[0], row[1])

    def see(self, recipe: str, seen: Fingerprint | None) -> None:
        """Notes the frames file as it is now, and when it was used."""
        size, mtime_ns = seen or (None, None)
        self._database.execute(
            "UPDATE recipes SET seen_size = ?, seen_mtime_ns = ?, used = ? WHERE recipe = ?",
            (size, mtime_ns, time.time(), recipe),
        )

    def recipes(self) -> list[tuple[str, dict[str, Any], int, int, float | None]]:
        """Name, settings, clips that are ready, clips that are broken, and when last used, of each recipe."""
        rows = self._database.execute(
            "SELECT recipe, settings, "
            "(SELECT count(*) FROM clips c WHERE c.recipe = r.recipe AND status = 'ready'), "
            "(SELECT count(*) FROM clips c WHERE c.recipe = r.recipe AND status = 'broken'), used "
            "FROM recipes r ORDER BY recipe"
        )
        return [(name, json.loads(text), *rest) for name, text, *rest in rows]
