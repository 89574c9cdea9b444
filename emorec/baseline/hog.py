"""Histograms of oriented gradients, by OpenCV."""

import cv2
import numpy as np

from emorec.baseline.pooling import Floats
from emorec.data.decoding.decode import Frames

SIDE = 128
"""Pixels that a frame is shrunk to."""

CELL = 16
"""Pixels a side of the cells that each have a histogram; blocks of 2 x 2 cells are normalised together."""

NUM_BINS = 9
"""Orientations, over 180 degrees."""


class HogFeatures:
    """1,764 numbers a frame: 7 x 7 blocks of 2 x 2 cells with 9 orientations each.

    Attributes:
        name: "hog".
        version: What the features depend on.
        num_parameters: 0, for nothing was learnt.
        gflops_per_clip: Not known.

    Source: Dalal & Triggs 2005, "Histograms of oriented gradients for human detection".
    """

    name = "hog"
    num_parameters = 0
    gflops_per_clip = float("nan")

    def __init__(self) -> None:
        self.version = f"hog {SIDE} {CELL} {NUM_BINS} opencv {cv2.__version__}"
        block = (2 * CELL, 2 * CELL)
        cell = (CELL, CELL)
        self._describe = cv2.HOGDescriptor((SIDE, SIDE), block, cell, cell, NUM_BINS)

    def __call__(self, frames: Frames) -> Floats:
        """(T, H, W, C) uint8, RGB -> (T, 1764)."""
        small = (cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for frame in frames)
        grey = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in small)
        return np.stack([np.ravel(self._describe.compute(frame)) for frame in grey])
