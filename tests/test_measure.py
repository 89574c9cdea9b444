"""Evaluation from a checkpoint alone: moved files, calibration, views, and refusal of training actors."""

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emorec import checkpoint
from emorec.cli import main
from emorec.evaluation.calibration import fit_temperature
from emorec.evaluation.predictions import read_predictions
from tests.program import SMALL

pytestmark = pytest.mark.slow

CPU = ("--trainer.accelerator", "cpu")
FOLD_5 = ("--data.split", "msaf6", "--data.fold", "5")


@pytest.fixture(scope="module")
def best(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    arguments = ("--data.root", str(drawn_clips), "--trainer.max_epochs", "1")
    main(["fit", *SMALL, *arguments, "--trainer.default_root_dir", str(root)])
    (path,) = root.rglob("best.ckpt")
    return path


def test_results_of_a_moved_checkpoint_are_next_to_it(best: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copy(best, tmp_path / "mine.ckpt"))
    main(["test", "--ckpt", str(moved), *CPU])
    main(["test", "--ckpt", str(best), *CPU])
    files = [folder / "test" / "metrics.json" for folder in (tmp_path, best.parents[1])]
    moved_metrics, original_metrics = (json.loads(path.read_text()) for path in files)
    assert moved_metrics.pop("checkpoint") != original_metrics.pop("checkpoint")
    assert moved_metrics == original_metrics
    assert (original_metrics["num_clips"], original_metrics["split"]["test"]) == (15, [23, 24])


def test_predictions_list_every_clip_of_a_folder(best: Path, drawn_clips: Path) -> None:
    folder = drawn_clips / "Actor_22"
    main(["predict", "--ckpt", str(best), *CPU, "--data.root", str(folder)])
    with (best.parents[1] / "predict" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [str(path) for path in sorted(folder.glob("*.mp4"))]
    assert {row["actor"] for row in rows} == {"22"}


@pytest.mark.parametrize(
    ("command", "fold", "message"),
    [
        ("test", "1", "actors 1-4 of split msaf6 were in train"),
        ("test", "6", "actors 21-22 of split msaf6 were in val"),
        ("validate", "1", "actors 5-8 of split msaf6 were in train"),
    ],
)
def test_evaluation_on_training_actors_is_refused(
    best: Path, capsys: pytest.CaptureFixture[str], command: str, fold: str, message: str
) -> None:
    options = ("--data.split", "msaf6", "--data.fold", fold)
    with pytest.raises(SystemExit) as exit_info:
        main([command, "--ckpt", str(best), *CPU, *options])
    assert exit_info.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@dataclass(frozen=True)
class Results:
    """Results of a command in the run folder."""

    figures: dict[str, Any]
    header: list[str]
    rows: list[dict[str, str]]

    def probabilities(self, prefix: str = "") -> list[list[float]]:
        names = [f"{prefix}{name}" for name in self.header[5:13]]
        return [[float(row[name]) for name in names] for row in self.rows]


def evaluate(best: Path, command: str, *arguments: str) -> Results:
    main([command, "--ckpt", str(best), *CPU, *arguments])
    folder = best.parents[1] / command
    with (folder / "predictions.csv").open() as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    figures = folder / "metrics.json"
    metrics = json.loads(figures.read_text()) if figures.is_file() else {}
    return Results(metrics, list(reader.fieldnames or []), rows)


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_calibration_scales_the_probabilities_by_the_stored_temperature(
    best: Path, command: str
) -> None:
    content = best.read_bytes()
    (temperature,) = checkpoint.read(best).temperatures.values()
    raw, calibrated = evaluate(best, command), evaluate(best, command, "--calibrate")
    names = raw.header[5:]
    assert calibrated.header == [*raw.header, *(f"calibrated {name}" for name in names)]
    assert calibrated.probabilities() == raw.probabilities()
    expected = np.array(raw.probabilities()) ** (1 / temperature)
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.array(calibrated.probabilities("calibrated ")) == pytest.approx(expected, abs=1e-6)
    if command != "predict":
        new_keys = {"temperature", "ece_calibrated"}
        assert {name: raw.figures[name] for name in new_keys} == dict.fromkeys(new_keys)
        assert calibrated.figures["temperature"] == temperature
        assert calibrated.figures["ece_calibrated"] is not None
        assert {
            name: calibrated.figures[name] for name in calibrated.figures.keys() - new_keys
        } == {name: raw.figures[name] for name in raw.figures.keys() - new_keys}
    assert best.read_bytes() == content


def test_the_stored_temperature_is_fitted_to_the_validation_clips(best: Path) -> None:
    (temperature,) = checkpoint.read(best).temperatures.values()
    evaluate(best, "validate")
    task, table = read_predictions(best.parents[1] / "validate" / "predictions.csv")
    fitted = fit_temperature(task.target(table), task.output(table))
    # CSV files have nine digits
    assert fitted == pytest.approx(temperature, rel=1e-3)


def test_a_missing_temperature_can_be_fitted_to_the_validation_clips_only(
    best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checkpoints").mkdir()
    old = tmp_path / "checkpoints" / "old.ckpt"
    content = checkpoint.load(best)
    expected = content["emorec"]["temperatures"]
    content["emorec"]["temperatures"] = {}
    torch.save(content, old)
    for command in ("test", "predict"):
        with pytest.raises(SystemExit) as exit_info:
            main([command, "--ckpt", str(old), *CPU, "--calibrate"])
        assert exit_info.value.code == 2
        error = capsys.readouterr().err
        assert f"{old} has no temperature" in error
        assert f"emorec validate --ckpt {old} --calibrate" in error
        assert error.count("\n") == 1
    # the test actors of this split are validation actors of that fold
    with pytest.raises(SystemExit):
        main(["validate", "--ckpt", str(old), *CPU, "--calibrate", *FOLD_5])
    assert "the validation actors of" in capsys.readouterr().err
    assert checkpoint.read(old).temperatures == {}
    validated = evaluate(old, "validate", "--calibrate")
    assert checkpoint.read(old).temperatures == pytest.approx(expected)
    assert validated.figures["temperature"] == checkpoint.read(old).temperatures[1]
    assert evaluate(old, "test", "--calibrate").figures["ece_calibrated"] is not None
    # it can still be trained further
    main(["fit", "--ckpt", str(old), "--trainer.max_epochs", "1"])


def test_views_are_averaged_to_one_prediction_per_clip(best: Path) -> None:
    single, averaged = evaluate(best, "test"), evaluate(best, "test", "--views", "10")
    assert (single.figures["views"], averaged.figures["views"]) == (1, 10)
    assert averaged.figures["num_clips"] == len(averaged.rows) == 15
    assert [row["path"] for row in averaged.rows] == [row["path"] for row in single.rows]
    assert averaged.probabilities() != single.probabilities()
    assert np.sum(averaged.probabilities(), axis=1) == pytest.approx(1.0)


def test_a_temperature_is_valid_for_its_number_of_views_only(
    best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = Path(shutil.copy(best, tmp_path / "mine.ckpt"))
    flags = ("--calibrate", "--views", "3")
    with pytest.raises(SystemExit):
        main(["test", "--ckpt", str(copied), *CPU, *flags])
    error = capsys.readouterr().err
    assert "has no temperature for 3 views of a clip" in error
    assert f"emorec validate --ckpt {copied} --calibrate --views 3" in error
    main(["validate", "--ckpt", str(copied), *CPU, *flags])
    temperatures = checkpoint.read(copied).temperatures
    assert temperatures.keys() == {1, 3}
    main(["test", "--ckpt", str(copied), *CPU, *flags])
    figures = json.loads((tmp_path / "test" / "metrics.json").read_text())
    assert (figures["temperature"], figures["views"]) == (temperatures[3], 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--views", "11"), "views is 11: choose 1 to 10"),
        (("--views", "0"), "views is 0: choose 1 to 10"),
        (("--views", "two"), "views: Expected a int. Got value: two"),
        (("--calibrate", "yes"), "yes"),
    ],
)
def test_invalid_views_and_arguments_are_refused(
    best: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["test", "--ckpt", str(best), *CPU, *arguments])
    assert exit_info.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_training_has_no_views_and_no_calibration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments in (("--views", "2"), ("--calibrate",)):
        with pytest.raises(SystemExit):
            main(["fit", *SMALL, *arguments])
        assert f"unrecognized arguments: {arguments[0]}" in capsys.readouterr().err


def test_metrics_include_the_speed_and_memory_of_the_training(best: Path) -> None:
    figures = evaluate(best, "test").figures
    record = checkpoint.read(best)
    assert figures["train_clips_per_second"] == record.train_clips_per_second
    assert figures["peak_memory_bytes"] == record.peak_memory_bytes
    assert (figures["trained_on"], record.trained_on) == ("cpu", "cpu")
