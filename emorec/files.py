"""Files written whole or not at all, and what they contain in a few digits."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


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


def sha256_of(path: Path) -> str:
    """What a file contains, as 64 hexadecimal digits.

    Raises:
        OSError: When it can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
