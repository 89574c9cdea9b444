"""A checkpoint alone is enough to measure its network, wherever it lies, but never on people who trained it."""

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
    words = ("--data.root", str(drawn_clips), "--trainer.max_epochs", "1")
    main(["fit", *SMALL, *words, "--trainer.default_root_dir", str(root)])
    (path,) = root.rglob("best.ckpt")
    return path


def test_a_checkpoint_that_was_moved_is_tested_beside_itself(best: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copy(best, tmp_path / "mine.ckpt"))
    main(["test", "--ckpt", str(moved), *CPU])
    main(["test", "--ckpt", str(best), *CPU])
    files = [folder / "test" / "metrics.json" for folder in (tmp_path, best.parents[1])]
    there, here = (json.loads(path.read_text()) for path in files)
    assert there.pop("checkpoint") != here.pop("checkpoint")
    assert there == here
    assert (here["num_clips"], here["split"]["test"]) == (15, [23, 24])


def test_a_prediction_names_every_clip_of_a_folder(best: Path, drawn_clips: Path) -> None:
    folder = drawn_clips / "Actor_22"
    main(["predict", "--ckpt", str(best), *CPU, "--data.root", str(folder)])
    with (best.parents[1] / "predict" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [str(path) for path in sorted(folder.glob("*.mp4"))]
    assert {row["actor"] for row in rows} == {"22"}


@pytest.mark.parametrize(
    ("command", "fold", "complaint"),
    [
        ("test", "1", "actors 1-4 of split msaf6 were in train"),
        ("test", "6", "actors 21-22 of split msaf6 were in val"),
        ("validate", "1", "actors 5-8 of split msaf6 were in train"),
    ],
)
def test_a_network_is_not_measured_on_actors_who_trained_it(
    best: Path, capsys: pytest.CaptureFixture[str], command: str, fold: str, complaint: str
) -> None:
    other = ("--data.split", "msaf6", "--data.fold", fold)
    with pytest.raises(SystemExit) as ended:
        main([command, "--ckpt", str(best), *CPU, *other])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


@dataclass(frozen=True)
class Measured:
    """The files of a command in the run's folder."""

    figures: dict[str, Any]
    header: list[str]
    rows: list[dict[str, str]]

    def probabilities(self, before: str = "") -> list[list[float]]:
        names = [f"{before}{name}" for name in self.header[5:13]]
        return [[float(row[name]) for name in names] for row in self.rows]


def measured(best: Path, command: str, *words: str) -> Measured:
    main([command, "--ckpt", str(best), *CPU, *words])
    folder = best.parents[1] / command
    with (folder / "predictions.csv").open() as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    figures = folder / "metrics.json"
    metrics = json.loads(figures.read_text()) if figures.is_file() else {}
    return Measured(metrics, list(reader.fieldnames or []), rows)


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_calibrated_probabilities_are_the_raw_ones_at_the_checkpoint_s_temperature(
    best: Path, command: str
) -> None:
    before = best.read_bytes()
    (temperature,) = checkpoint.read(best).temperatures.values()
    raw, both = measured(best, command), measured(best, command, "--calibrate")
    names = raw.header[5:]
    assert both.header == [*raw.header, *(f"calibrated {name}" for name in names)]
    assert both.probabilities() == raw.probabilities()
    expected = np.array(raw.probabilities()) ** (1 / temperature)
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.array(both.probabilities("calibrated ")) == pytest.approx(expected, abs=1e-6)
    if command != "predict":
        news = {"temperature", "ece_calibrated"}
        assert {name: raw.figures[name] for name in news} == dict.fromkeys(news)
        assert both.figures["temperature"] == temperature
        assert both.figures["ece_calibrated"] is not None
        assert {name: both.figures[name] for name in both.figures.keys() - news} == {
            name: raw.figures[name] for name in raw.figures.keys() - news
        }
    assert best.read_bytes() == before


def test_the_stored_temperature_is_the_one_of_the_validation_clips(best: Path) -> None:
    (temperature,) = checkpoint.read(best).temperatures.values()
    measured(best, "validate")
    task, table = read_predictions(best.parents[1] / "validate" / "predictions.csv")
    fitted = fit_temperature(task.target(table), task.output(table))
    # a csv file has nine digits
    assert fitted == pytest.approx(temperature, rel=1e-3)


def test_a_checkpoint_without_a_temperature_is_given_one_by_its_validation_clips_alone(
    best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checkpoints").mkdir()
    old = tmp_path / "checkpoints" / "old.ckpt"
    content = checkpoint.load(best)
    expected = content["emorec"]["temperatures"]
    content["emorec"]["temperatures"] = {}
    torch.save(content, old)
    for command in ("test", "predict"):
        with pytest.raises(SystemExit) as ended:
            main([command, "--ckpt", str(old), *CPU, "--calibrate"])
        assert ended.value.code == 2
        error = capsys.readouterr().err
        assert f"{old} has no temperature" in error
        assert f"emorec validate --ckpt {old} --calibrate" in error
        assert error.count("\n") == 1
    with pytest.raises(SystemExit):  # test actors of this split validate in that fold
        main(["validate", "--ckpt", str(old), *CPU, "--calibrate", *FOLD_5])
    assert "the validation actors of" in capsys.readouterr().err
    assert checkpoint.read(old).temperatures == {}
    validated = measured(old, "validate", "--calibrate")
    assert checkpoint.read(old).temperatures == pytest.approx(expected)
    assert validated.figures["temperature"] == checkpoint.read(old).temperatures[1]
    assert measured(old, "test", "--calibrate").figures["ece_calibrated"] is not None
    main(["fit", "--ckpt", str(old), "--trainer.max_epochs", "1"])  # it can still be resumed


def test_views_are_averaged_and_each_clip_counts_once(best: Path) -> None:
    one, ten = measured(best, "test"), measured(best, "test", "--views", "10")
    assert (one.figures["views"], ten.figures["views"]) == (1, 10)
    assert ten.figures["num_clips"] == len(ten.rows) == 15
    assert [row["path"] for row in ten.rows] == [row["path"] for row in one.rows]
    assert ten.probabilities() != one.probabilities()
    assert np.sum(ten.probabilities(), axis=1) == pytest.approx(1.0)


def test_a_temperature_is_for_as_many_views_as_it_was_fitted_to(
    best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = Path(shutil.copy(best, tmp_path / "mine.ckpt"))
    three = ("--calibrate", "--views", "3")
    with pytest.raises(SystemExit):
        main(["test", "--ckpt", str(mine), *CPU, *three])
    error = capsys.readouterr().err
    assert "has no temperature for 3 views of a clip" in error
    assert f"emorec validate --ckpt {mine} --calibrate --views 3" in error
    main(["validate", "--ckpt", str(mine), *CPU, *three])
    kept = checkpoint.read(mine).temperatures
    assert kept.keys() == {1, 3}
    main(["test", "--ckpt", str(mine), *CPU, *three])
    figures = json.loads((tmp_path / "test" / "metrics.json").read_text())
    assert (figures["temperature"], figures["views"]) == (kept[3], 3)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--views", "11"), "views is 11: choose 1 to 10"),
        (("--views", "0"), "views is 0: choose 1 to 10"),
        (("--views", "two"), "views: Expected a int. Got value: two"),
        (("--calibrate", "yes"), "yes"),
    ],
)
def test_other_views_and_words_are_refused(
    best: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["test", "--ckpt", str(best), *CPU, *words])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_a_training_looks_once_and_has_nothing_to_calibrate_by(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in (("--views", "2"), ("--calibrate",)):
        with pytest.raises(SystemExit):
            main(["fit", *SMALL, *words])
        assert f"unrecognized arguments: {words[0]}" in capsys.readouterr().err


def test_the_report_has_what_the_training_took(best: Path) -> None:
    figures = measured(best, "test").figures
    record = checkpoint.read(best)
    assert figures["train_clips_per_second"] == record.train_clips_per_second
    assert figures["peak_memory_bytes"] == record.peak_memory_bytes
    assert (figures["trained_on"], record.trained_on) == ("cpu", "cpu")
