"""Figures made of sums by actor are those of the clips themselves, in whatever resample."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from emorec.errors import UserError
from emorec.evaluation.counts import FIGURE_NAMES, ActorCounts, counts_of_seeds
from emorec.evaluation.scores import accuracy, macro_f1, uar
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions
from emorec.evaluation.predictions_file import PredictedClips
from tests.evaluation.simulated import clips_of, predicted_clips, random_clips, shuffled

ACTORS = [str(actor) for actor in (1, 10, 2, 24, 3)]
UNEVEN = [
    ACTORS[row] for row in np.random.default_rng(0).choice(5, 200, p=[0.5, 0.2, 0.2, 0.06, 0.04])
]


def figures_of(clips: PredictedClips, repeats: np.ndarray) -> list[float]:
    """What `summarize` says when each clip is there as often as asked."""
    rows = torch.from_numpy(np.repeat(np.arange(len(repeats)), repeats))
    said = clips.predictions
    summary = summarize(Predictions(torch.arange(len(rows)), said.target[rows], said.logits[rows]))
    return [getattr(summary, name) for name in FIGURE_NAMES]


@pytest.mark.parametrize("by", ["actor", "clip"])
@pytest.mark.parametrize(
    ("num_classes", "occurring"),
    [
        pytest.param(8, 8, id="all eight classes"),
        pytest.param(8, 5, id="three classes never occur"),
        pytest.param(2, 1, id="one class alone occurs"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_unweighted_figures_are_those_of_the_report(
    by: str, num_classes: int, occurring: int, seed: int
) -> None:
    clips = random_clips(seed, UNEVEN, num_classes=num_classes, occurring=occurring)
    figures = ActorCounts.of(clips, by).figures()
    assert [float(figures[name][0]) for name in FIGURE_NAMES] == pytest.approx(
        figures_of(clips, np.ones(200, np.int64)), rel=1e-6, abs=1e-6
    )


def test_the_figures_are_scikit_learns() -> None:
    clips = random_clips(4, UNEVEN)
    figures = ActorCounts.of(clips).figures()
    truth, said = clips.predictions.target, clips.predictions.predicted
    assert figures["accuracy"] == pytest.approx(sk.accuracy_score(truth, said), rel=1e-12)
    assert figures["uar"] == pytest.approx(sk.balanced_accuracy_score(truth, said), rel=1e-12)
    assert figures["macro_f1"] == pytest.approx(
        sk.f1_score(truth, said, average="macro"), rel=1e-12
    )


def test_a_weighted_sum_has_the_figures_of_clips_that_are_repeated_as_often() -> None:
    clips = random_clips(1, UNEVEN)
    counts = ActorCounts.of(clips)
    weights = np.random.default_rng(2).multinomial(5, [0.2] * 5, size=20)
    weights[0] = 0, 0, 0, 5, 0  # one actor alone, who does not show every emotion
    figures = counts.figures(weights)
    rows = np.array([counts.actors.index(actor) for actor in clips.actors])
    for resample, weight in enumerate(weights):
        found = [float(figures[name][resample]) for name in FIGURE_NAMES]
        assert found == pytest.approx(figures_of(clips, weight[rows]), rel=1e-5, abs=1e-6)


def test_a_table_of_an_actor_is_the_confusion_matrix_of_the_actors_clips() -> None:
    clips = random_clips(3, UNEVEN)
    counts = ActorCounts.of(clips)
    assert sorted(counts.actors) == sorted(ACTORS)
    truth, said = clips.predictions.target.numpy(), clips.predictions.predicted.numpy()
    for actor, table in zip(counts.actors, counts.confusion, strict=True):
        own = np.array(clips.actors) == actor
        expected = sk.confusion_matrix(truth[own], said[own], labels=range(8))
        assert table.tolist() == expected.tolist()
        assert counts.calibration[counts.actors.index(actor), :, 0].sum() == own.sum()


def test_by_clip_every_clip_is_an_actor_of_its_own() -> None:
    clips = random_clips(3, UNEVEN)
    counts = ActorCounts.of(clips, by="clip")
    assert counts.actors == clips.paths
    assert counts.confusion.sum(axis=(1, 2)).tolist() == [1] * 200
    assert counts.confusion.sum(axis=0).tolist() == (
        ActorCounts.of(clips).confusion.sum(axis=0).tolist()
    )


def test_classes_that_occur_nowhere_are_in_no_mean() -> None:
    table = np.array([[3, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert float(accuracy(table)) == 3 / 6
    assert float(uar(table)) == (3 / 4 + 0) / 2
    assert float(macro_f1(table)) == pytest.approx((6 / 7 + 0 + 0) / 3)  # the third is said


def test_figures_are_taken_of_many_tables_at_once() -> None:
    tables = np.random.default_rng(0).integers(0, 9, (2, 3, 4, 4))
    for figure in (accuracy, uar, macro_f1):
        each = [[float(figure(table)) for table in row] for row in tables]
        assert figure(tables).tolist() == each


def test_certainty_belongs_to_the_last_bin() -> None:
    logits = torch.tensor([[1000.0, 0.0], [1000.0, 0.0], [3.0, 0.0]])
    clips = predicted_clips([0, 1, 0], logits, ["1", "1", "2"])
    calibration = ActorCounts.of(clips).calibration
    assert calibration[:, -1, :2].tolist() == [[2, 1], [1, 1]]
    assert calibration[0, -1, 2] == pytest.approx(2)
    assert calibration[:, :-1].sum() == 0


def test_calibrated_probabilities_of_double_precision_have_figures_too() -> None:
    clips = random_clips(0, UNEVEN)
    said = clips.predictions
    double = Predictions(said.index, said.target, said.logits.double() / 1.7)
    exact = PredictedClips(clips.paths, clips.actors, clips.class_names, double)
    assert float(ActorCounts.of(exact).figures()["ece"][0]) == pytest.approx(
        summarize(double).ece, abs=1e-6
    )


def test_a_network_that_has_diverged_has_a_calibration_error_that_is_no_number() -> None:
    clips = predicted_clips([0, 1, 0], torch.full((3, 2), math.nan), ["1", "1", "2"])
    figures = ActorCounts.of(clips).figures()
    assert math.isnan(figures["ece"][0])
    assert not math.isnan(figures["uar"][0])


def test_seeds_are_brought_into_one_order_whatever_folder_they_were_found_in() -> None:
    clips = random_clips(0, UNEVEN)
    one, other = counts_of_seeds([clips, shuffled(clips, 1, "/elsewhere")], by="clip")
    assert np.array_equal(one.confusion, other.confusion)
    assert np.allclose(one.calibration, other.calibration)


def test_some_of_the_clips_keep_all_that_was_said_of_them() -> None:
    clips = random_clips(0, UNEVEN)
    said = clips.predictions
    softer = Predictions(said.index, said.target, said.logits / 2)
    part = replace(clips, calibrated=softer).at([7, 3])
    assert part.paths == (clips.paths[7], clips.paths[3])
    assert part.actors == (UNEVEN[7], UNEVEN[3])
    assert part.calibrated is not None
    assert torch.equal(part.predictions.target, said.target[[7, 3]])
    assert torch.equal(part.calibrated.logits, said.logits[[7, 3]] / 2)


def test_clips_without_truth_have_no_figures() -> None:
    clips = clips_of([0, -1, 1], [0, 1, 1], ["1", "1", "2"])
    with pytest.raises(UserError, match=r"the emotion of 1/001\.mp4 is not known"):
        ActorCounts.of(clips)


def test_no_clips_have_no_figures() -> None:
    with pytest.raises(UserError, match="0 clips"):
        ActorCounts.of(predicted_clips([], torch.zeros(0, 3), []))


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        pytest.param(
            clips_of([0, 1], [0, 1], ["1", "2"]), r"002\.mp4 of actor 2", id="fewer clips"
        ),
        pytest.param(clips_of([0, 1, 1], [0, 1, 1], ["1", "2", "2"]), "another truth", id="truth"),
        pytest.param(clips_of([0, 1, 2], [0, 1, 1], ["1", "2", "3"]), "002.mp4", id="other actor"),
        pytest.param(
            clips_of([0, 1, 2], [0, 1, 1], ["1", "2", "2"], num_classes=4),
            "a, b, c and a, b, c, d",
            id="classes",
        ),
    ],
)
def test_predictions_of_other_clips_are_not_put_together(
    other: PredictedClips, complaint: str
) -> None:
    clips = clips_of([0, 1, 2], [0, 1, 2], ["1", "2", "2"])
    with pytest.raises(UserError, match=complaint):
        counts_of_seeds([clips, other])


def test_a_clip_that_is_there_twice_is_said_to_be() -> None:
    clips = clips_of([0, 1], [0, 1], ["1", "1"])
    twice = PredictedClips(
        paths=(*clips.paths, clips.paths[0]),
        actors=("1", "1", "1"),
        class_names=clips.class_names,
        predictions=Predictions(
            torch.arange(3),
            clips.predictions.target[[0, 1, 0]],
            clips.predictions.logits[[0, 1, 0]],
        ),
    )
    with pytest.raises(UserError, match="2 and 3 clips: some clip is there twice"):
        counts_of_seeds([clips, twice])


def test_no_predictions_at_all_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="no predictions"):
        counts_of_seeds([])
