"""What a measurement needs before it starts."""

import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from emorec.data.preprocessing import FrameSpec
from emorec.errors import UserError


def at_least_one(numbers: Mapping[str, int]) -> None:
    """Stops at a number that makes no sense.

    Raises:
        UserError: When one is below 1.
    """
    for name, number in numbers.items():
        if number < 1:
            raise UserError(f"{name} is {number}: choose 1 or more")


@contextmanager
def work_folder(place: str | None) -> Iterator[Path]:
    """A new folder that is gone with all that is in it afterwards.

    Args:
        place: Where it is made; else where the system keeps temporary files.

    Raises:
        UserError: When the place is not there or can't be written to.
    """
    where = Path(place or gettempdir()).expanduser()
    try:
        with TemporaryDirectory(prefix="emorec-bench-", dir=where) as folder:
            yield Path(folder)
    except OSError as error:
        raise UserError(f"can't work in {where}: {error.strerror or error}") from error


def refuse_without_room(folder: Path, needed: float) -> None:
    """Stops before a disk becomes full.

    Args:
        folder: On that disk.
        needed: Bytes that will be written.

    Raises:
        UserError: When there is too little room.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"this needs {needed / 1e9:.1f} GB in {folder.parent}, where {free / 1e9:.1f} GB are free: "
            "choose fewer clips, fewer pixels or another --folder"
        )


def clip_bytes(recipe: FrameSpec) -> int:
    """What the frames of a clip take.

    >>> clip_bytes(FrameSpec(num_frames=10, size=(256, 256)))
    1966080
    """
    return math.prod(recipe.shape)
