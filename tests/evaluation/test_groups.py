"""Where a model fails is counted as scikit-learn counts it, group by group."""

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from emorec.errors import UserError
from emorec.evaluation.breakdown import accuracy_by_group, most_confused, reliability
from emorec.evaluation.groups import worst
from emorec.evaluation.intervals import Estimate, figures_with_intervals
from emorec.evaluation.metrics import summarize
from tests.evaluation.simulated import clips_of, random_clips, shuffled

ACTORS = [str(actor) for actor in range(1, 13) for _ in range(16)]
CLIPS = random_clips(0, ACTORS, skill=1.5)
RIGHT = (CLIPS.predictions.predicted == CLIPS.predictions.target).numpy()
KNOWN = {
    path: {"sex": "male" if int(actor) % 2 else "female", "statement": 1 + number % 2}
    for number, (path, actor) in enumerate(zip(CLIPS.paths, CLIPS.actors, strict=True))
}


def test_without_knowledge_of_the_clips_there_is_accuracy_by_actor() -> None:
    found = accuracy_by_group([CLIPS])
    assert list(found) == ["actor"]
    assert [each.group for each in found["actor"]] == [str(actor) for actor in range(1, 13)]
    for each in found["actor"]:
        own = np.array(ACTORS) == each.group
        assert each.accuracy == Estimate(pytest.approx(RIGHT[own].mean()), None)
        assert (each.num_clips, each.num_actors) == (16, 1)


def test_a_group_has_the_accuracy_and_interval_of_its_clips() -> None:
    found = accuracy_by_group([CLIPS], KNOWN, resamples=300, seed=4)
    assert list(found) == ["actor", "sex", "statement"]
    for grouping in ("sex", "statement"):
        for each in found[grouping]:
            rows = [
                row
                for row, path in enumerate(CLIPS.paths)
                if str(KNOWN[path][grouping]) == each.group
            ]
            part = CLIPS.at(rows)
            assert (
                each.accuracy == figures_with_intervals([part], resamples=300, seed=4)["accuracy"]
            )
            assert each.accuracy.value == pytest.approx(RIGHT[rows].mean())
            assert each.num_clips == len(rows) == 96
            assert each.num_actors == len(set(part.actors))
    assert [each.num_actors for each in found["sex"]] == [6, 6]
    assert [each.group for each in found["statement"]] == ["1", "2"]


def test_clips_of_which_nothing_is_known_are_left_out_of_the_grouping_alone() -> None:
    known = {path: groups for path, groups in KNOWN.items() if groups["sex"] == "female"}
    known[CLIPS.paths[0]] = {"statement": 1}
    found = accuracy_by_group([CLIPS], known, resamples=10)
    assert [(each.group, each.num_clips) for each in found["sex"]] == [("female", 96)]
    assert sum(each.num_clips for each in found["statement"]) == 97
    assert sum(each.num_clips for each in found["actor"]) == len(ACTORS)


def test_an_actor_is_who_the_predictions_say() -> None:
    found = accuracy_by_group([CLIPS], {path: {"actor": "somebody"} for path in CLIPS.paths})
    assert len(found["actor"]) == 12


def test_seeds_are_averaged_and_looked_up_by_the_paths_of_the_first() -> None:
    other = shuffled(random_clips(1, ACTORS), 2, "/elsewhere")
    found = accuracy_by_group([CLIPS, other], KNOWN, resamples=10)
    [female] = [each for each in found["sex"] if each.group == "female"]
    rows = [row for row, actor in enumerate(ACTORS) if int(actor) % 2 == 0]
    second = [row for row, actor in enumerate(other.actors) if int(actor) % 2 == 0]
    expected = [
        summarize(clips.at(own).predictions).accuracy
        for clips, own in ((CLIPS, rows), (other, second))
    ]
    assert female.accuracy.value == pytest.approx(np.mean(expected))


def test_the_worst_actor_is_the_one_least_often_understood() -> None:
    by_actor = {actor: RIGHT[np.array(ACTORS) == actor].mean() for actor in set(ACTORS)}
    found = worst(accuracy_by_group([CLIPS])["actor"])
    assert found.accuracy.value == pytest.approx(min(by_actor.values()))
    assert by_actor[found.group] == min(by_actor.values())
    with pytest.raises(ValueError, match="empty"):
        worst([])


def test_confusions_are_sorted_by_their_share_of_the_true_class() -> None:
    truth = [0] * 10 + [1] * 4 + [2] * 2
    said = [0] * 6 + [1] * 3 + [2] + [1, 1, 1, 0] + [2, 0]
    found = most_confused([clips_of(truth, said, ["1"] * 8 + ["2"] * 8)])
    assert [(each.truth, each.taken_for, each.num_clips, each.share) for each in found] == [
        ("c", "a", 1, 0.5),
        ("a", "b", 3, 0.3),
        ("b", "a", 1, 0.25),
        ("a", "c", 1, 0.1),
    ]
    assert len(most_confused([clips_of(truth, said, ["1"] * 16)], limit=2)) == 2


def test_confusions_are_those_of_scikit_learns_matrix_averaged_over_seeds() -> None:
    other = random_clips(1, ACTORS)
    matrix = np.mean(
        [
            sk.confusion_matrix(each.predictions.target, each.predictions.predicted)
            for each in (CLIPS, other)
        ],
        axis=0,
    )
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    np.fill_diagonal(shares, 0)
    found = most_confused([CLIPS, other], limit=100)
    assert len(found) == np.count_nonzero(shares)
    for each in found:
        i, j = "abcdefgh".index(each.truth), "abcdefgh".index(each.taken_for)
        assert each.num_clips == matrix[i, j]
        assert each.share == pytest.approx(shares[i, j])


def test_who_is_always_right_confuses_nothing() -> None:
    assert most_confused([clips_of([0, 1, 2], [0, 1, 2], ["1", "1", "2"])]) == ()


def test_the_reliability_diagram_is_scikit_learns() -> None:
    said = CLIPS.predictions
    right, confidence = calibration_curve(RIGHT, said.confidence.numpy(), n_bins=15)
    found = reliability([CLIPS])
    assert [each.accuracy for each in found] == pytest.approx(right.tolist())
    assert [each.confidence for each in found] == pytest.approx(confidence.tolist(), rel=1e-6)
    assert all(each.low <= each.confidence < each.high for each in found)
    assert sum(each.num_clips for each in found) == len(ACTORS)


def test_the_bins_add_up_to_the_calibration_error() -> None:
    bins = reliability([CLIPS])
    error = sum(each.num_clips * abs(each.accuracy - each.confidence) for each in bins)
    assert error / len(ACTORS) == pytest.approx(summarize(CLIPS.predictions).ece, abs=1e-6)


def test_the_bins_of_two_seeds_hold_the_clips_of_both() -> None:
    sure = clips_of([0, 0], [0, 0], ["1", "2"], confidence=0.9)
    doubting = clips_of([0, 0], [1, 0], ["1", "2"], confidence=0.5)
    low, high = reliability([sure, doubting])
    assert (low.num_clips, low.accuracy, low.confidence) == (1, 0.5, pytest.approx(0.5))
    assert (high.num_clips, high.accuracy, high.confidence) == (1, 1, pytest.approx(0.9))


def test_seeds_of_other_clips_are_refused() -> None:
    with pytest.raises(UserError, match="other clips"):
        accuracy_by_group([CLIPS, random_clips(0, ACTORS[1:])])
