"""How the seed study of Aff-Wild2 varied its faces, drawn once a window."""

import math

import numpy as np

from emorec.data.draw import Draw

DEGREES = 15.0
SHIFT = 0.1
"""Of the side."""

SHEAR_DEGREES = 5.0
"""The study says that it shears, not how much."""

ZOOM = (0.9, 1.25)
"""How much of the picture is seen along a side: above 1 the face gets smaller."""

BRIGHTNESS = (0.5, 1.5)


def draw_like_the_seed(rng: np.random.Generator, side: int, image_size: int) -> Draw:
    """A rotation, shift, shear, zoom (of height and width by themselves), flip and brightness, each uniform.

    The study's program gave its generator the same seed for every picture, so that all pictures were turned and zoomed
    alike and nothing was varied; here each window has a draw of its own. What lies beyond the border is mirrored there
    (Keras repeats the outermost pixel).

    Args:
        rng: Decides everything.
        side: Of the square, in pixels.
        image_size: Of the result; where it is smaller, the centre of the square is varied.

    Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3; the order of the steps is that of Keras'
    `ImageDataGenerator`.

    >>> draw_like_the_seed(np.random.default_rng(0), 96, 96).source.round(2)
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
    middle, out = (side - 1) / 2, (image_size - 1) / 2
    source = np.array(((1, 0, middle), (0, 1, middle), (0, 0, 1)), dtype=float)
    for step in steps:
        source = source @ np.array(step)
    source = source @ ((1, 0, -out), (0, 1, -out), (0, 0, 1))
    return Draw(source[:2], contrast=brightness)
