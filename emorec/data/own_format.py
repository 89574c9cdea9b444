"""Predictions as the makers of a data set want them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emorec.data.clip import Clip


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

    def smoothed(
        self,
        clips: Sequence[Clip],
        index: npt.NDArray[np.int64],
        values: npt.NDArray[np.float32],
    ) -> tuple[str, npt.NDArray[np.float32]] | None:
        """How predictions are smoothed before they are written, and what they become; `None` where they are not.

        Args:
            clips: What was measured.
            index: (N,) positions in it.
            values: (N, K) probabilities or (N, R) numbers.
        """
        del clips, index, values
        return None
