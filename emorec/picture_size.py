"""Height and width of pictures, in pixels: rows come first, as in the pictures' own shape."""

from collections.abc import Sequence

from emorec.errors import UserError

Size = tuple[int, int]
"""Height and width; a plain tuple, so that checkpoints hold plain values alone."""

ImageSize = int | Size
"""As users give it: the side of squares, or height and width."""


def size_of(given: int | Sequence[int]) -> Size:
    """Height and width, of the side of squares or of the two.

    Raises:
        UserError: When it is no size.

    >>> size_of(224), size_of([60, 100])
    ((224, 224), (60, 100))
    >>> size_of(0)
    Traceback (most recent call last):
    emorec.errors.UserError: image_size is 0: give the pixels of a side, or height and width such as [60, 100]
    """
    sides = [given, given] if isinstance(given, int) else list(given)
    if len(sides) != 2 or min(sides) < 1:
        raise UserError(
            f"image_size is {given}: give the pixels of a side, or height and width such as [60, 100]"
        )
    return sides[0], sides[1]


def in_words(size: Size) -> str:
    """Height x width.

    >>> in_words((60, 100))
    '60 x 100'
    """
    height, width = size
    return f"{height} x {width}"


def frames_in_words(num_frames: int, size: Size) -> str:
    """So many frames of a size.

    >>> frames_in_words(1, (96, 96)), frames_in_words(20, (60, 100))
    ('1 frame of 96 x 96 pixels', '20 frames of 60 x 100 pixels')
    """
    return f"{num_frames} frame{'s' * (num_frames != 1)} of {in_words(size)} pixels"
