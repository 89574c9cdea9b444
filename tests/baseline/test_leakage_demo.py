"""A random split rewards recognising people, a split by actor does not."""

from itertools import chain

import numpy as np
import pytest

from emorec.baseline import Classifier
from emorec.baseline.leakage_demo import Fold, compare_splits, shuffle_clips
from emorec.baseline.model_selection import LabelledFeatures

ACTORS, EMOTIONS, TAKES = 12, 4, 5
NAMES = ("calm", "happy", "sad", "angry")


def planted() -> LabelledFeatures:
    """Features that encode the actor and an actor-specific pattern of each emotion."""
    random = np.random.default_rng(0)
    own_ways = random.normal(size=(ACTORS, EMOTIONS, 80))
    clips = [
        (own_ways[actor, emotion] + 0.1 * random.normal(size=80), emotion)
        for actor in range(ACTORS)
        for emotion in range(EMOTIONS)
        for _ in range(TAKES)
    ]
    features, labels = zip(*clips, strict=True)
    return LabelledFeatures(np.array(features, np.float32), np.array(labels, np.int64))


def rows_of(*actors: int) -> np.ndarray:
    clips = EMOTIONS * TAKES
    return np.array([actor * clips + row for actor in actors for row in range(clips)])


def folds_by_actor() -> list[Fold]:
    folds = []
    for first in range(0, ACTORS, 3):
        test = [first, first + 1, first + 2]
        val = [(first + 3) % ACTORS, (first + 4) % ACTORS]
        train = [actor for actor in range(ACTORS) if actor not in test + val]
        folds.append(Fold(rows_of(*train), rows_of(*val), rows_of(*test)))
    return folds


@pytest.mark.parametrize("classifier", ["logistic", "rbf_svm"])
def test_features_of_identity_are_at_chance_by_actor_and_nearly_perfect_at_random(
    classifier: Classifier,
) -> None:
    results = [
        compare_splits(
            planted(), folds_by_actor(), [classifier], class_names=NAMES, seed=0, draws=2
        )
        for _ in range(2)
    ]
    assert results[0] == results[1]
    [result] = results[0]
    chance = 1 / EMOTIONS
    assert result.num_clips == ACTORS * EMOTIONS * TAKES
    assert result.by_actor < chance + 0.1
    assert len(result.at_random) == 2
    assert min(result.at_random) > 0.9


def test_a_random_split_keeps_the_sizes_tests_each_clip_once_and_mixes_the_people() -> None:
    folds = folds_by_actor()
    shuffled = shuffle_clips(folds, seed=5)
    for before, after in zip(folds, shuffled, strict=True):
        sides = (after.train, after.val, after.test)
        assert list(map(len, sides)) == list(map(len, (before.train, before.val, before.test)))
        assert len(set(chain(*sides))) == ACTORS * EMOTIONS * TAKES
        train_actors = set(after.train // (EMOTIONS * TAKES))
        assert set(after.test // (EMOTIONS * TAKES)) <= train_actors
    tests = [
        np.concatenate([fold.test for fold in each]) for each in (shuffled, shuffle_clips(folds, 5))
    ]
    assert sorted(tests[0]) == list(rows_of(*range(ACTORS)))
    assert np.array_equal(*tests)
    assert not np.array_equal(shuffled[0].test, shuffle_clips(folds, seed=6)[0].test)
