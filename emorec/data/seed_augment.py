"""How the seed study of Aff-Wild2 varied its faces, drawn once a window."""

import math

import numpy as np
import numpy.typing as npt

from emorec.data.draw import Draw
from emorec.picture_size import Size

DEGREES = 15.0
SHIFT = 0.1
"""Of the side."""

SHEAR_DEGREES = 5.0
"""The study says that it shears, not how much."""

ZOOM = (0.9, 1.25)
"""How much of the picture is seen along a side: above 1 the face gets smaller."""

BRIGHTNESS = (0.5, 1.5)


def draw_like_the_seed(rng: np.random.Generator, size: Size, image_size: Size) -> Draw:
    """A rotation, shift, shear, zoom (of height and width by themselves), flip and brightness, each uniform.

    The study's program gave its generator the same seed for every picture, so that all pictures were turned and zoomed
    alike and nothing was varied; here each window has a draw of its own. What lies beyond the border is mirrored there
    (Keras repeats the outermost pixel).

    Args:
        rng: Decides everything.
        size: Of the picture.
        image_size: Of the result; where it is smaller, the centre of the picture is varied.

    Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3; the order of the steps is that of Keras'
    `ImageDataGenerator`.

    >>> draw_like_the_seed(np.random.default_rng(0), (96, 96), (96, 96)).source.round(2)
    array([[  1.22,   0.02, -19.46],
           [  0.09,   1.18, -17.96]])
    """
    turn = math.radians(rng.uniform(-DEGREES, DEGREES))
    down, right = rng.uniform(-SHIFT, SHIFT, 2) * image_size
    shear = math.radians(rng.uniform(-SHEAR_DEGREES, SHEAR_DEGREES))
    high, wide = rng.uniform(*ZOOM, 2)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    brightness = float(rng.uniform(*BRIGHTNESS))
    cos, sin = math.cos(turn), math.sin(turn)
    steps = (
        ((cos, -sin, 0), (sin, cos, 0), (0, 0, 1)),
        ((1, 0, right), (0, 1, down), (0, 0, 1)),
        ((1, -math.sin(shear), 0), (0, math.cos(shear), 0), (0, 0, 1)),
        ((flip * wide, 0, 0), (0, high, 0), (0, 0, 1)),
    )
    source = np.eye(3) + _shift_to_middle(size)
    for step in steps:
        source = source @ np.array(step)
    source = source @ (np.eye(3) - _shift_to_middle(image_size))
    return Draw(source[:2], contrast=brightness)


def _shift_to_middle(size: Size) -> npt.NDArray[np.float64]:
    """(3, 3): the last column of a map that moves the first pixel to the middle of a picture."""
    height, width = size
    return np.array(((0, 0, (width - 1) / 2), (0, 0, (height - 1) / 2), (0, 0, 0)))
