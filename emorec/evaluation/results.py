"""What there is to say of a measured network, whatever it predicts: figures, a table, a picture, files."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.table import Table

from emorec.evaluation.run_facts import RunFacts


class Summary(Protocol):
    """The figures of a set of clips."""

    @property
    def logged(self) -> Mapping[str, float]:
        """What is logged of a validation or test, without its stage."""
        ...

    @property
    def score(self) -> float:
        """What chooses the best epoch; higher is better."""
        ...

    @property
    def progress(self) -> float:
        """What has to rise, or the learning rate falls."""
        ...


class Results(ABC):
    """What a network said of clips, and everything that is told of it.

    Attributes:
        predictions: Of N clips.
        summary: Their figures.
    """

    predictions: Any
    summary: Summary

    @property
    @abstractmethod
    def headline(self) -> str:
        """The score in words, such as "UAR 61.3%"."""

    @abstractmethod
    def picture(self, title: str) -> Figure:
        """Truth against prediction."""

    @abstractmethod
    def worst(self, limit: int) -> list[tuple[int, str]]:
        """Positions of the clips that were missed most, and what to say of each; at most `limit`."""

    @abstractmethod
    def table(self, title: str, *, num_views: int = 1) -> Table:
        """What is printed."""

    @abstractmethod
    def write(
        self, folder: Path, facts: RunFacts, *, paths: Sequence[str], actors: Sequence[str]
    ) -> None:
        """Writes `metrics.json`, `predictions.csv` and a picture.

        Args:
            folder: Where to; made if missing.
            facts: What else there is to say of the run.
            paths: N clip files in the order of the predictions.
            actors: N people in the same order.
        """

    @abstractmethod
    def write_predictions(self, path: Path, *, paths: Sequence[str], actors: Sequence[str]) -> None:
        """Writes `predictions.csv` alone: the truth need not be known."""

    @abstractmethod
    def of_values(self, values: NDArray[np.float32]) -> Self:
        """The same clips with other probabilities or numbers, (N, K) or (N, R)."""

    @abstractmethod
    def values(self) -> NDArray[np.float32]:
        """(N, K) probabilities or (N, R) numbers, for files of a data set's own."""
