"""Height and width of frames in pixels: rows first, as in the shape of an array."""

from collections.abc import Sequence

from emorec.errors import UserError

Size = tuple[int, int]
"""(height, width); a plain tuple, because checkpoints hold plain values only."""

ImageSize = int | Size
"""As users write it: the side of a square, or height and width."""

CROP_SHARE = 7 / 8
"""Side of a random crop as a share of the frame it is taken from: 224 of 256, 112 of 128."""


def parse_image_size(image_size: int | Sequence[int]) -> Size:
    """Return height and width.

    Raises:
        UserError: When it is neither one positive number nor two.

    >>> parse_image_size(224), parse_image_size([60, 100])
    ((224, 224), (60, 100))
    >>> parse_image_size(0)
    Traceback (most recent call last):
    emorec.errors.UserError: image_size is 0: give the pixels of a side, or height and width such as [60, 100]
    """
    sides = [image_size, image_size] if isinstance(image_size, int) else list(image_size)
    if len(sides) != 2 or min(sides) < 1:
        raise UserError(
            f"image_size is {image_size}: give the pixels of a side, or height and width such as [60, 100]"
        )
    return sides[0], sides[1]


def size_before_crop(size: Size) -> Size:
    """Return the size of the frames from which crops of a given size are taken.

    >>> size_before_crop((224, 224)), size_before_crop((60, 100))
    ((256, 256), (69, 114))

    Source: Krizhevsky et al. 2012, section 4.1 (256, then 224).
    """
    height, width = size
    return round(height / CROP_SHARE), round(width / CROP_SHARE)


def format_size(size: Size) -> str:
    """Format height x width.

    >>> format_size((60, 100))
    '60 x 100'
    """
    height, width = size
    return f"{height} x {width}"


def format_frames(num_frames: int, size: Size) -> str:
    """Format a number of frames with their size.

    >>> format_frames(1, (96, 96)), format_frames(20, (60, 100))
    ('1 frame of 96 x 96 pixels', '20 frames of 60 x 100 pixels')
    """
    return f"{num_frames} frame{'s' * (num_frames != 1)} of {format_size(size)} pixels"
