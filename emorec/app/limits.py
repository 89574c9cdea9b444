"""What the page takes: neither files that fill the disk nor films that keep everybody else waiting."""

from dataclasses import dataclass
from pathlib import Path

from emorec.errors import UserError
from emorec.inference.timeline_picture import clock_time

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest and the longest video that is taken.

    Attributes:
        megabytes: Of the file, 1,000,000 bytes each.
        seconds: Of the film.

    Raises:
        UserError: When one is not above 0.
    """

    megabytes: float = 200
    seconds: float = 300

    def __post_init__(self) -> None:
        for name, number in (("max_megabytes", self.megabytes), ("max_seconds", self.seconds)):
            if not number > 0:
                raise UserError(f"--{name} is {number:g}: it has to be above 0")

    @property
    def bytes(self) -> int:
        """Of the file."""
        return int(self.megabytes * MEGABYTE)

    @property
    def sentence(self) -> str:
        """What the page says of them.

        >>> Limits().sentence
        'Videos of up to 200 MB and 5:00 minutes'
        """
        return f"Videos of up to {self.megabytes:g} MB and {_long(self.seconds)}"

    def refuse_large(self, path: Path) -> None:
        """Stops at a file that is too large, or that is not there any more.

        Raises:
            UserError: When it is.
        """
        try:
            size = path.stat().st_size
        except OSError:
            raise UserError("the video is not here any more: please choose it again") from None
        if size > self.bytes:
            raise UserError(
                f"{path.name} has {size / MEGABYTE:.1f} MB: this page takes up to {self.megabytes:g} MB"
            )
        if size == 0:
            raise UserError(f"{path.name} is empty: please choose another video")

    def refuse_long(self, path: Path, seconds: float) -> None:
        """Stops at a film that is too long.

        Raises:
            UserError: When it is.
        """
        if seconds > self.seconds:
            raise UserError(
                f"{path.name} is {_long(seconds)} long: this page takes up to {_long(self.seconds)}, "
                "so please cut out the part that matters"
            )


def _long(seconds: float) -> str:
    """A length in words.

    >>> _long(45), _long(90)
    ('45 seconds', '1:30 minutes')
    """
    if seconds < 60:
        return f"{seconds:.3g} seconds"
    return f"{clock_time(seconds, seconds)} {'hours' if seconds >= 3600 else 'minutes'}"
