"""Random predictions, and simulated experiments with known true scores."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from emorec.evaluation.task import Classification

EIGHT = Classification(tuple("abcdefgh"))
THREE = Classification(("a", "b", "c"))
TWO = Classification(("a", "b"))

CLIPS_OF_CLASS = np.array([4, 8, 8, 8, 8, 8, 8, 8])
"""The 60 speech clips of an actor of RAVDESS; neutral has no strong takes."""

SKILL = np.array([1.5, 0.2, 1.0, -0.3, 0.9, 0.0, 0.7, -0.5])
"""Logit of the recall of each class for an average actor."""


def clips_of(
    truth: Sequence[int],
    predicted: Sequence[int],
    actors: Sequence[str],
    num_classes: int = 3,
    confidence: Sequence[float] | float = 0.9,
) -> pd.DataFrame:
    """Predictions with chosen confidences; the other classes share the remaining probability."""
    confidences = np.broadcast_to(np.asarray(confidence, np.float64), (len(predicted),))
    rest = (1 - confidences[:, None]) / (num_classes - 1)
    probabilities = np.repeat(rest, num_classes, axis=1)
    probabilities[np.arange(len(predicted)), predicted] = confidences
    return table_of(truth, np.log(probabilities), actors)


def random_clips(
    seed: int, actors: Sequence[str], *, num_classes: int = 8, occurring: int = 8, skill: float = 1
) -> pd.DataFrame:
    """One clip per entry of `actors`; logits favour the true class by `skill`."""
    rng = np.random.default_rng(seed)
    truth = np.arange(len(actors)) % occurring
    logits = rng.normal(0, 1.5, (len(actors), num_classes))
    logits[np.arange(len(actors)), truth] += skill
    return table_of(truth, logits, actors)


def table_of(truth: ArrayLike, logits: NDArray[np.float64], actors: Sequence[str]) -> pd.DataFrame:
    """Table of clips 000.mp4, 001.mp4, ... in one folder per actor."""
    paths = [f"{actor}/{number:03d}.mp4" for number, actor in enumerate(actors)]
    task = Classification(tuple("abcdefgh"[: logits.shape[1]]))
    return task.table(truth, logits, paths=paths, actors=actors)


def shuffled(table: pd.DataFrame, seed: int, folder: str) -> pd.DataFrame:
    """The same clips in another order and another folder."""
    moved = table.assign(path=[f"{folder}/{path}" for path in table["path"]])
    return moved.iloc[np.random.default_rng(seed).permutation(len(table))]


def confusion_probabilities(recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 8) recall of a class for an actor -> (..., 8, 8) probability of each prediction."""
    probabilities = np.repeat((1 - recall[..., None]) / 7, 8, axis=-1)
    probabilities[..., np.arange(8), np.arange(8)] = recall
    return probabilities


def normal_actors(
    rng: np.random.Generator, shape: tuple[int, ...], spread: float = 0.8
) -> NDArray[np.float64]:
    """shape -> (*shape, 8) recalls: actors differ, and a little more in each class."""
    actor = rng.normal(0, spread, (*shape, 1))
    return _sigmoid(SKILL + actor + rng.normal(0, 0.3, (*shape, 8)))


def failing_actors(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """shape -> (*shape, 8) recalls: about one actor in ten has a very low recall."""
    return _sigmoid(SKILL + np.where(rng.random((*shape, 1)) < 0.12, -2.5, 0.5))


def confusions(rng: np.random.Generator, recall: NDArray[np.float64]) -> NDArray[np.int64]:
    """(..., 8) recalls -> (..., 8, 8) counts of 60 clips an actor."""
    return rng.multinomial(CLIPS_OF_CLASS, confusion_probabilities(recall))


def sums_by_actor(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """(A, 8, 8) -> sufficient statistics (A, S) of an experiment of A actors, without confidences and loss."""
    counts = confusion.reshape(len(confusion), 64).astype(np.float64)
    return np.pad(counts, ((0, 0), (0, 15 * 3 + 1)))


def sums_by_clip(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """(A, 8, 8) -> sufficient statistics with each clip as an actor."""
    cells = np.repeat(np.arange(64), confusion.sum(axis=0).ravel())
    return sums_by_actor(np.eye(64, dtype=np.int64)[cells].reshape(-1, 8, 8))


def _sigmoid(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-logit)))
