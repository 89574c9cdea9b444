"""What a classifier would seem to reach if clips instead of people were split: a lesson, no result.

Every clip of the data takes the place of another one, drawn at random. The sides keep their sizes, the choice of a
setting its rules: all that changes is that a person is on more than one side.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from emorec.baseline.asked import Asked
from emorec.baseline.choice import Chosen, Described, choose
from emorec.baseline.classifiers import Classifier
from emorec.baseline.feature_store import FeatureStore
from emorec.baseline.fold import Learnable, learnable, testable
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions, pooled

Places = Sequence[int]


@dataclass(frozen=True)
class Fold:
    """Positions of the clips on each side, in the features of all clips."""

    train: Places
    val: Places
    test: Places

    def where(self, takes_place_of: Mapping[int, int]) -> "Fold":
        """The same fold after clips took the places of others."""
        sides = (self.train, self.val, self.test)
        return Fold(*([takes_place_of[place] for place in side] for side in sides))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Shares of test clips that a classifier gets right, all folds together.

    Attributes:
        classifier: Which.
        num_clips: That were tested, in each draw.
        by_actor: When no test actor is known.
        at_random: When clips are split at random, one for each draw.
    """

    classifier: Classifier
    num_clips: int
    by_actor: float
    at_random: Sequence[float]


def compare(asked: Asked, store: FeatureStore, say: Callable[[str], None]) -> list[Lesson]:
    """Measures every classifier on the split by actor and on splits at random; nothing is written.

    Args:
        asked: What to measure.
        store: Gives the features.
        say: Is told what is done now; nothing, when others speak.

    Raises:
        UserError: For a mistake of the user.
    """
    everything, folds = lay_out(asked, store)
    names, balanced = asked.data[0].class_names, asked.data[0].balance != "none"
    lessons = []
    for classifier in asked.classifiers:
        accuracies = []
        learn = partial(choose, classifier, class_names=names, seed=asked.seed, balanced=balanced)
        for draw in range(asked.draws + 1):
            way = f"split at random {draw} of {asked.draws}" if draw else "split by actor"
            say(f"{classifier}, {way}")
            said = [
                _tested(everything, fold, learn)
                for fold in (shuffled(folds, asked.seed + draw) if draw else folds)
            ]
            accuracies.append(summarize(pooled(said)).accuracy)
        lessons.append(
            Lesson(
                classifier=classifier,
                num_clips=sum(len(fold.test) for fold in folds),
                by_actor=accuracies[0],
                at_random=accuracies[1:],
            )
        )
    say("")
    return lessons


def lay_out(asked: Asked, store: FeatureStore) -> tuple[Described, list[Fold]]:
    """The features of all clips that any fold uses, and where in them the sides of each fold are."""
    places: dict[str, int] = {}
    features: list[object] = []
    labels: list[int] = []
    folds = []
    for data in asked.data:
        known: Learnable = learnable(data, store)
        sides = [(data.sides["train"], known.train), (data.sides["val"], known.val)]
        tested, clips = testable(data, store)
        sides.append((clips, tested))
        for clips, described in sides:
            for clip, row, label in zip(clips, described.features, described.labels, strict=True):
                if clip.address not in places:
                    places[clip.address] = len(places)
                    features.append(row)
                    labels.append(int(label))
        folds.append(Fold(*([places[clip.address] for clip in clips] for clips, _ in sides)))
    return Described(np.stack(features), np.array(labels, np.int64)), folds  # type: ignore[arg-type]


def shuffled(folds: Sequence[Fold], seed: int) -> list[Fold]:
    """The folds after each clip took the place of another, the same one in all folds.

    So the test sides of a cross-validation still hold every clip once.

    >>> folds = [Fold([0, 1], [2], [3]), Fold([3, 2], [0], [1])]
    >>> drawn = shuffled(folds, seed=1)
    >>> [sorted([*fold.train, *fold.val, *fold.test]) for fold in drawn]
    [[0, 1, 2, 3], [0, 1, 2, 3]]
    """
    used = sorted({place for fold in folds for side in _sides(fold) for place in side})
    drawn = np.random.default_rng(seed).permutation(used).tolist()
    takes_place_of = dict(zip(used, drawn, strict=True))
    return [fold.where(takes_place_of) for fold in folds]


def _sides(fold: Fold) -> tuple[Places, Places, Places]:
    return fold.train, fold.val, fold.test


def _tested(everything: Described, fold: Fold, learn: Callable[..., Chosen]) -> Predictions:
    train, val, test = (
        Described(everything.features[side], everything.labels[side]) for side in _sides(fold)
    )
    return learn(train, val).predictions(test)
