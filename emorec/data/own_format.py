"""Predictions as the makers of a data set want them."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import numpy.typing as npt


class OwnFormat(ABC):
    """What a data module is, too, whose data set has a format for predictions."""

    @abstractmethod
    def write_own_format(
        self, folder: Path, index: npt.NDArray[np.int64], values: npt.NDArray[np.float32]
    ) -> str:
        """Writes the predictions of all clips; says what was written, in a line.

        Args:
            folder: Where to.
            index: (N,) positions of the clips in the data module's `everything`.
            values: (N, K) probabilities or (N, R) numbers.
        """
