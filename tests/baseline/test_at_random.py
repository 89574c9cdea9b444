"""A split at random rewards knowing people; a split by actor does not."""

from itertools import chain
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from emorec.baseline import at_random
from emorec.baseline.at_random import Fold, compare, shuffled
from emorec.baseline.choice import Described

ACTORS, EMOTIONS, TAKES = 12, 4, 5
NAMES = ("calm", "happy", "sad", "angry")


def planted() -> Described:
    """Clips that tell who is seen and how this person plays the emotion, and nothing that two people share."""
    random = np.random.default_rng(0)
    own_ways = random.normal(size=(ACTORS, EMOTIONS, 80))
    clips = [
        (own_ways[actor, emotion] + 0.1 * random.normal(size=80), emotion)
        for actor in range(ACTORS)
        for emotion in range(EMOTIONS)
        for _ in range(TAKES)
    ]
    features, labels = zip(*clips, strict=True)
    return Described(np.array(features, np.float32), np.array(labels, np.int64))


def of(*actors: int) -> list[int]:
    an_actor = EMOTIONS * TAKES
    return [actor * an_actor + place for actor in actors for place in range(an_actor)]


def folds_by_actor() -> list[Fold]:
    folds = []
    for first in range(0, ACTORS, 3):
        test = [first, first + 1, first + 2]
        val = [(first + 3) % ACTORS, (first + 4) % ACTORS]
        train = [actor for actor in range(ACTORS) if actor not in test + val]
        folds.append(Fold(of(*train), of(*val), of(*test)))
    return folds


@pytest.mark.parametrize("classifier", ["logistic", "rbf_svm"])
def test_a_planted_identity_is_worth_nothing_by_actor_and_everything_at_random(
    classifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_random, "lay_out", lambda asked, store: (planted(), folds_by_actor()))
    data = SimpleNamespace(class_names=NAMES, balance="none")
    asked: Any = SimpleNamespace(data=[data], classifiers=[classifier], draws=2, seed=0)
    store: Any = None
    (lesson,) = compare(asked, store, lambda _: None)
    chance = 1 / EMOTIONS
    assert lesson.num_clips == ACTORS * EMOTIONS * TAKES
    assert lesson.by_actor < chance + 0.1
    assert len(lesson.at_random) == 2
    assert min(lesson.at_random) > 0.9
    assert compare(asked, store, lambda _: None) == [lesson]


def test_a_split_at_random_keeps_the_sizes_tests_each_clip_once_and_mixes_the_people() -> None:
    folds = folds_by_actor()
    drawn = shuffled(folds, seed=5)
    for before, after in zip(folds, drawn, strict=True):
        sides = (after.train, after.val, after.test)
        assert [len(side) for side in sides] == [
            len(side) for side in (before.train, before.val, before.test)
        ]
        assert len(set(chain(*sides))) == ACTORS * EMOTIONS * TAKES
        known = {place // (EMOTIONS * TAKES) for place in after.train}
        assert {place // (EMOTIONS * TAKES) for place in after.test} <= known
    assert sorted(chain(*(fold.test for fold in drawn))) == of(*range(ACTORS))
    assert drawn != shuffled(folds, seed=6)
    assert drawn == shuffled(folds, seed=5)
