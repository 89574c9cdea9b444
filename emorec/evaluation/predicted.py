"""What was said of the clips of a test, whether classes or numbers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

Truth: TypeAlias = int | tuple[float, ...]
"""A class, or the numbers that are to be predicted."""


@dataclass(frozen=True, eq=False)
class Predicted(ABC):
    """The content of a predictions file, N clips in its order.

    Attributes:
        paths: N clip files as they were written.
        actors: N people, as text.
    """

    paths: tuple[str, ...]
    actors: tuple[str, ...]

    @property
    @abstractmethod
    def says(self) -> str:
        """What is said of each clip, in words."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Of the K classes or the R numbers."""

    @property
    @abstractmethod
    def truths(self) -> Sequence[Truth]:
        """N truths."""

    @property
    @abstractmethod
    def clip_names(self) -> list[str]:
        """N names that are the same on every machine: without the folder in which the data lie."""

    @abstractmethod
    def at(self, rows: Sequence[int]) -> Self:
        """Some of the clips, in the order of the rows."""

    @classmethod
    @abstractmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """The clips of several tests, one test after the other."""
