"""What is drawn at random for a picture, as plain numbers: whoever has them can do it, on whatever device."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Draw(NamedTuple):
    """How a frame is made from a picture.

    Attributes:
        source: (2, 3): the pixel in column x, row y shows what lies at `source @ (x, y, 1)` of the picture, in pixels.
        contrast: What grey levels are multiplied with.
        brightness: What is then added to them, in grey levels.
    """

    source: npt.NDArray[np.float64]
    contrast: float = 1.0
    brightness: float = 0.0

    @property
    def numbers(self) -> tuple[float, ...]:
        """The eight of them in a row, as `DeviceAugment` wants them.

        >>> Draw(np.array([[-1, 0, 230], [0, 1, 9]]), contrast=1.1).numbers
        (-1.0, 0.0, 230.0, 0.0, 1.0, 9.0, 1.1, 0.0)
        """
        return (*map(float, self.source.flat), self.contrast, self.brightness)
