"""The folder of a run that came to nothing."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

WRITTEN_AT_THE_START = {"config.yaml", "hparams.yaml"}


def discard(folder: Path) -> None:
    """Removes the folder of a run that made no step, and the folders above it that only it had made necessary.

    A folder that another process writes to, because both took the same number, stays.
    """
    mine = f".{os.getpid()}."  # which TensorBoard's file has in its name
    files = [path for path in folder.rglob("*") if path.is_file()]
    if all(path.name in WRITTEN_AT_THE_START or mine in path.name for path in files):
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # others' runs are in them
            folder.parent.rmdir()
            folder.parent.parent.rmdir()


def concerns(path: str | None, folder: Path) -> bool:
    """Whether a path is the folder, in it, or above it.

    >>> concerns("/runs", Path("/runs/version_0")), concerns("/clips/a.mp4", Path("/runs/version_0"))
    (True, False)
    """
    if not path:
        return False
    one, other = Path(path).absolute(), folder.absolute()
    return one.is_relative_to(other) or other.is_relative_to(one)
