"""Room on a disk, and what it says when it can't take a file."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from emorec.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT}


class DiskFullError(UserError):
    """Nothing more can be written: whoever writes beside has no better luck."""


def free_bytes(folder: Path) -> int:
    """What can still be written where a folder lies or will lie.

    Raises:
        OSError: When nothing of the path is there, as with a disk that is not mounted.

    >>> abs(free_bytes(Path.cwd() / "not" / "made" / "yet") - free_bytes(Path.cwd())) < 1e9  # others write
    True
    """
    place = folder.absolute()
    return shutil.disk_usage(next(each for each in (place, *place.parents) if each.is_dir())).free


def remember_names(folder: Path) -> None:
    """Has the disk keep what was created and renamed in a folder, also when the power fails."""
    if os.name == "nt":  # which can't open folders, and needs no such thing
        return
    with suppress(OSError):  # some network drives refuse
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """What goes wrong with files within, as one line for people.

    Raises:
        DiskFullError: When the disk is full or the user's share of it is used up.
        UserError: When a file can't be read or written for another reason.
    """
    try:
        yield
    except OSError as error:
        where = error.filename or place
        if error.errno in _FULL:
            raise DiskFullError(
                f"the disk is full: can't write {where}; make room and give the same command again"
            ) from error
        raise UserError(
            f"can't use {where}: {error.strerror or error} (choose another folder or mend it)"
        ) from error
