"""Files written whole or not at all, and what they contain in a few digits."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from emorec.errors import UserError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its name only once it is complete and on the disk.

    A full disk, an exception or a kill in between leaves the former file as it was. There is one writer at a time.

    Raises:
        OSError: When the folder or the file can't be written.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp(), "new", "numbers.txt")
    >>> with whole_file(target) as file:
    ...     _ = file.write(b"1 2 3")
    >>> target.read_text()
    '1 2 3'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def files_below(folder: Path, refuse: Callable[[OSError], None] | None = None) -> list[Path]:
    """All files below a folder, sorted folder by folder; links are followed, what is hidden is left out.

    A folder to which several links lead comes once, so that links in a circle do no harm.

    Args:
        folder: Where to look.
        refuse: Is told of folders that can't be read; they are passed over when not given.

    >>> import tempfile
    >>> top = Path(tempfile.mkdtemp(), "top")
    >>> for path in (top / "a" / "1.mp4", top / ".hidden" / "2.mp4"):
    ...     path.parent.mkdir(parents=True)
    ...     path.touch()
    >>> (top / "a" / "again").symlink_to(top)
    >>> [path.relative_to(top).as_posix() for path in files_below(top)]
    ['a/1.mp4']
    """
    files: list[Path] = []
    seen: set[str] = set()
    for inner, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if (real := os.path.realpath(inner)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += (Path(inner, name) for name in sorted(names) if not name.startswith("."))
    return files


def refuse_folder(error: OSError) -> None:
    """For `files_below`, where all files have to be known.

    Raises:
        UserError: Always.
    """
    raise UserError(f"can't read {error.filename}: {error.strerror} (change its permissions)")


def sha256_of(path: Path) -> str:
    """What a file contains, as 64 hexadecimal digits.

    Raises:
        OSError: When it can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
