"""Weights that a training starts from have not seen its validation and test people."""

from pathlib import Path
from typing import Any

import pytest

from emorec.callbacks.held_out import check_weights
from emorec.data import RavdessDataModule
from emorec.data.split import make_split
from emorec.errors import UserError
from emorec.models import Fusion, LateFusion
from tests.refusal import refusal
from tests.report.made_checkpoints import write_checkpoint


@pytest.fixture
def trained_on_fold_1(tmp_path: Path) -> Path:
    """Weights of fold 1 of msaf6, in a file without the usual ending."""
    split = make_split("msaf6", 1)
    people = {"train": list(split.train), "val": list(split.val), "test": list(split.test)}
    record = {"name": "msaf6", "fold": 1, "hash": "0", "skipped": [], **people}
    network = LateFusion(backbone="mobilenet_v2", weights="none", num_frames=2, image_size=32)
    return write_checkpoint(tmp_path / "start.pth", network, split=record)


def data_of(drawn_clips: Path, fold: int) -> RavdessDataModule:
    return RavdessDataModule(root=str(drawn_clips), split="msaf6", fold=fold)


def test_weights_of_the_same_fold_are_taken_and_those_of_others_refused(
    trained_on_fold_1: Path, drawn_clips: Path, tmp_path: Path
) -> None:
    check_weights(str(trained_on_fold_1), data_of(drawn_clips, 1))
    with pytest.raises(UserError, match=r"actors 9-12 of split msaf6 were in train when .*start"):
        check_weights(str(trained_on_fold_1), data_of(drawn_clips, 2))
    for other in ("DEFAULT", "none", str(tmp_path / "missing.pth")):
        check_weights(other, data_of(drawn_clips, 2))


@pytest.mark.parametrize("within_fusion", [False, True])
def test_a_training_refuses_weights_that_saw_its_held_out_people(
    trained_on_fold_1: Path,
    drawn_clips: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    within_fusion: bool,
) -> None:
    settings: dict[str, Any] = {"backbone": "mobilenet_v2", "weights": str(trained_on_fold_1)}
    model, flags = LateFusion, [f"--model.{name}={value}" for name, value in settings.items()]
    if within_fusion:
        part = {"class_path": "emorec.models.LateFusion", "init_args": settings}
        model, flags = Fusion, [f"--model.networks={ {'left': part, 'right': part} }"]
    data = ("--data", "emorec.data.RavdessDataModule", "--data.root", drawn_clips)
    small = ("--data.num_frames", "2", "--data.image_size", "32", "--data.num_workers", "0")
    fold = ("--data.split", "msaf6", "--data.fold", "2", "--trainer.max_epochs", "1")
    named = ("--model", f"emorec.models.{model.__name__}")
    line = refusal(capsys, "fit", *named, *flags, *data, *small, *fold)
    assert "actors 9-12 of split msaf6 were in train when" in line
    assert not list(Path().glob("lightning_logs/**/*.ckpt"))
