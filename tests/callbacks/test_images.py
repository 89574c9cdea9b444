"""Images in TensorBoard."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from sklearn.metrics import confusion_matrix

from emorec.callbacks import Pictures
from emorec.callbacks.images import MAX_CLIPS, one_of_each
from emorec.evaluation.figures import confusion_figure, contact_sheet, figure_to_image
from tests.callbacks.conftest import EPOCHS, STEPS, MakeRun, Run


def test_each_validation_has_a_confusion_matrix_at_its_step(
    run: Run,
) -> None:
    images = run.images("val/confusion_matrix")
    assert [step for step, _ in images] == [step for step, _ in run.scalars("val/uar")]
    for epoch, ((_, image), collected) in enumerate(
        zip(images, run.witness.collected, strict=True), start=1
    ):
        predicted = collected.output.argmax(dim=1)
        matrix = confusion_matrix(collected.target, predicted, labels=range(8))
        uar = run.scores[epoch - 1]["uar"]
        title = f"validation, epoch {epoch}, UAR {uar:.1%}"
        figure = confusion_figure(matrix, run.data.class_names, title)
        np.testing.assert_array_equal(image, figure_to_image(figure))


def test_augmented_training_clips_of_the_first_epoch_are_logged_once(
    run: Run,
) -> None:
    ((step, image),) = run.images("train/clips_as_the_network_sees_them")
    assert step == 0
    clips = run.data.subsets["train"]
    positions = one_of_each([int(clip.label) for clip in clips], MAX_CLIPS)  # type: ignore[arg-type]
    frames = torch.stack([run.witness.first_epoch[position] for position in positions])
    names = [
        f"{run.data.class_names[int(clips[at].label)]}: {clips[at].path.stem}" for at in positions
    ]  # type: ignore[arg-type]
    np.testing.assert_array_equal(image, figure_to_image(contact_sheet(frames.numpy(), names)))


def test_the_logged_training_clips_are_of_eight_emotions_and_eight_actors(run: Run) -> None:
    clips = run.data.subsets["train"]
    positions = one_of_each([int(clip.label) for clip in clips], MAX_CLIPS)  # type: ignore[arg-type]
    assert len({clips[position].label for position in positions}) == MAX_CLIPS
    assert len({clips[position].actor for position in positions}) == MAX_CLIPS


def test_the_misclassified_clips_are_the_most_confident_errors_of_the_best_epoch(run: Run) -> None:
    uars = [scores["uar"] for scores in run.scores]
    best = run.witness.collected[uars.index(max(uars))]
    probabilities = best.output.double().softmax(1).numpy()
    predicted, true = probabilities.argmax(1), best.target.numpy()
    errors = [row for row in range(len(best)) if predicted[row] != true[row]]
    errors = sorted(errors, key=lambda row: -probabilities[row].max())[:MAX_CLIPS]
    names, clips = run.data.class_names, run.data.subsets["val"]
    captions = [
        f"{names[true[row]]}, classified as {names[predicted[row]]} "
        f"({probabilities[row].max():.0%}): {clips[int(best.index[row])].path.stem}"
        for row in errors
    ]
    dataset = run.data.dataset(clips)
    frames = np.stack([dataset[int(best.index[row])]["frames"].numpy() for row in errors])
    ((step, image),) = run.images("val/misclassified")
    assert step == STEPS * EPOCHS - 1
    np.testing.assert_array_equal(image, figure_to_image(contact_sheet(frames, captions)))


def test_without_errors_no_misclassified_clips_are_logged(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emorec.evaluation.task.Classification.worst", lambda *_: [])
    short_run = make_run(tmp_path, max_epochs=1, limit_train_batches=1)
    assert "val/misclassified" not in short_run.events.Tags()["images"]


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
def test_the_errors_of_the_best_epoch_survive_a_resumed_run_that_does_not_improve(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: dict[str, Any] = {"limit_train_batches": 4}
    first = make_run(tmp_path, max_epochs=1, **limits)
    ((_, before),) = first.images("val/misclassified")
    monkeypatch.setattr("emorec.callbacks.images.is_best", lambda _: False)
    last = tmp_path / "checkpoints" / "last.ckpt"
    second = make_run(tmp_path, max_epochs=2, ckpt_path=last, **limits)
    ((_, after),) = second.images("val/misclassified")
    np.testing.assert_array_equal(after, before)


def test_the_predictions_of_an_older_checkpoint_are_ignored() -> None:
    target = torch.arange(8)
    images = Pictures()
    images.load_state_dict({"best_score": 1.0, "best": (target, target, torch.eye(8))})
    assert images.state_dict() == {"worst": []}


def test_without_tensorboard_no_clip_is_decoded_for_an_image(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emorec.callbacks.images.contact_sheet", None)
    monkeypatch.setattr("emorec.evaluation.figures.confusion_figure", None)
    short_run = make_run(tmp_path, logger=False, max_epochs=1, limit_train_batches=1)
    assert isinstance(short_run.trainer, Trainer)
    assert short_run.trainer.state.finished


@pytest.mark.parametrize(
    ("labels", "limit", "chosen"),
    [
        ([0] * 4 + [1] * 4, 4, [0, 2, 5, 7]),  # round-robin over the classes
        ([2, 1, 0], 8, [2, 1, 0]),  # in label order, without repetition
        ([0, 1, 2, 3, 4, 5], 2, [0, 3]),  # more classes than the limit
        ([7], 8, [0]),
        ([], 8, []),
    ],
)
def test_clips_are_chosen_class_by_class(labels: list[int], limit: int, chosen: list[int]) -> None:
    assert one_of_each(labels, limit) == chosen
