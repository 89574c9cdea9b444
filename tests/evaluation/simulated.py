"""Predictions made by chance, and experiments whose truth is known because we made it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from emorec.evaluation.counts import ActorCounts
from emorec.evaluation.predictions import Predictions
from emorec.evaluation.predictions_file import PredictedClips

CLIPS_OF_CLASS = np.array([4, 8, 8, 8, 8, 8, 8, 8])
"""The 60 speech clips of an actor of RAVDESS; neutral has no strong takes."""

SKILL = np.array([1.5, 0.2, 1.0, -0.3, 0.9, 0.0, 0.7, -0.5])
"""Logit of the recall of each class with an average actor."""


def clips_of(
    truth: Sequence[int],
    said: Sequence[int],
    actors: Sequence[str],
    num_classes: int = 3,
    confidence: Sequence[float] | float = 0.9,
) -> PredictedClips:
    """Answers of a given confidence; the other classes share the rest."""
    sure = np.broadcast_to(np.asarray(confidence, np.float64), (len(said),))
    table = np.repeat((1 - sure[:, None]) / (num_classes - 1), num_classes, axis=1)
    table[np.arange(len(said)), said] = sure
    return predicted_clips(truth, torch.tensor(table).log().float(), actors)


def random_clips(
    seed: int, actors: Sequence[str], *, num_classes: int = 8, occurring: int = 8, skill: float = 1
) -> PredictedClips:
    """A clip for each of the actors named, logits that favour the truth by `skill`."""
    draw = np.random.default_rng(seed)
    truth = np.arange(len(actors)) % occurring
    logits = draw.normal(0, 1.5, (len(actors), num_classes))
    logits[np.arange(len(actors)), truth] += skill
    return predicted_clips(truth.tolist(), torch.tensor(logits).float(), actors)


def predicted_clips(
    truth: Sequence[int], logits: torch.Tensor, actors: Sequence[str]
) -> PredictedClips:
    """Clips 000.mp4, 001.mp4 and so on in a folder for each actor."""
    return PredictedClips(
        paths=tuple(f"{actor}/{number:03d}.mp4" for number, actor in enumerate(actors)),
        actors=tuple(actors),
        class_names=tuple("abcdefgh"[: logits.shape[1]]),
        predictions=Predictions(
            torch.arange(len(truth)), torch.tensor(truth, dtype=torch.int64), logits
        ),
    )


def shuffled(clips: PredictedClips, seed: int, folder: str) -> PredictedClips:
    """The same clips in another order, found in another folder."""
    order = np.random.default_rng(seed).permutation(len(clips.paths)).tolist()
    predictions = clips.predictions
    return PredictedClips(
        paths=tuple(f"{folder}/{clips.paths[row]}" for row in order),
        actors=tuple(clips.actors[row] for row in order),
        class_names=clips.class_names,
        predictions=Predictions(
            torch.arange(len(order)), predictions.target[order], predictions.logits[order]
        ),
    )


def answers(recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 8) recall of a class with an actor -> (..., 8, 8) how often it is taken for what."""
    taken_for = np.repeat((1 - recall[..., None]) / 7, 8, axis=-1)
    taken_for[..., np.arange(8), np.arange(8)] = recall
    return taken_for


def normal_actors(
    draw: np.random.Generator, shape: tuple[int, ...], spread: float = 0.8
) -> NDArray[np.float64]:
    """shape -> (*shape, 8) recalls: actors differ, and a little more in each class."""
    actor = draw.normal(0, spread, (*shape, 1))
    return _share(SKILL + actor + draw.normal(0, 0.3, (*shape, 8)))


def failing_actors(draw: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """shape -> (*shape, 8) recalls: about every tenth actor is hardly ever understood."""
    return _share(SKILL + np.where(draw.random((*shape, 1)) < 0.12, -2.5, 0.5))


def confusions(draw: np.random.Generator, recall: NDArray[np.float64]) -> NDArray[np.int64]:
    """(..., 8) recalls -> (..., 8, 8) what is counted of 60 clips an actor."""
    return draw.multinomial(CLIPS_OF_CLASS, answers(recall))


def counts_by_actor(confusion: NDArray[np.int64]) -> ActorCounts:
    """(A, 8, 8) -> an experiment of A actors."""
    names = tuple(map(str, range(len(confusion))))
    return ActorCounts(names, confusion, np.zeros((len(confusion), 15, 3)))


def counts_by_clip(confusion: NDArray[np.int64]) -> ActorCounts:
    """(A, 8, 8) -> the same clips, each an actor of its own."""
    cells = np.repeat(np.arange(64), confusion.sum(axis=0).ravel())
    return counts_by_actor(np.eye(64, dtype=np.int64)[cells].reshape(-1, 8, 8))


def _share(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-logit)))
