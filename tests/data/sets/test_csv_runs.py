"""A CSV file from the command line: fit, resume, test, predict, compare, baseline and study."""

import csv
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sklearn.metrics
import yaml

from emorec import checkpoint
from emorec.cli import main
from emorec.errors import UserError
from emorec.study.definition import read_definition
from emorec.study.plan import planned_runs
from emorec.study.runner import check_runs

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

ROOT = Path(__file__).parents[3]
EMOTIONS = {"happy": 3, "sad": 4, "angry": 5}
TINY = (
    *("--data.num_frames", "2", "--data.image_size", "32", "--data.batch_size", "8"),
    *("--data.num_workers", "0", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
)
NETWORK = ("--model", "emorec.models.EarlyFusionCNN", "--data", "emorec.data.CSVDataModule")
ON_CPU = ("--trainer.accelerator", "cpu", "--data.num_workers", "0")

Rows = list[list[str]]
Table = Callable[[str, Rows], Path]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    def write(name: str, rows: Rows) -> Path:
        path = tmp_path / name
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return path

    return write


@pytest.fixture
def rows(drawn_clips: Path) -> Rows:
    """Rows of absolute path, emotion and person of 72 clips."""
    return [
        [str(next(drawn_clips.rglob(f"*-01-{code:02d}-01-*-{actor:02d}.mp4"))), name, f"p{actor}"]
        for actor in range(1, 25)
        for name, code in EMOTIONS.items()
    ]


@pytest.fixture
def trained(
    rows: Rows, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Return a function that trains in an empty folder and returns the best checkpoint."""
    monkeypatch.chdir(tmp_path)
    path = table("clips.csv", [["path", "label", "group"], *rows])

    def run(*flags: str) -> Path:
        existing = set(tmp_path.rglob("best.ckpt"))
        main(["fit", *NETWORK, *TINY, "--data.root", str(path), *flags])
        (best,) = set(tmp_path.rglob("best.ckpt")) - existing
        return best

    return run


def read_predictions(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_test_needs_only_the_checkpoint_and_its_scores_equal_scikit_learn(
    trained: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    best = trained()
    record = checkpoint.read(best)
    assert record.class_names == ("angry", "happy", "sad")
    assert record.data["init_args"]["labels"] == ["angry", "happy", "sad"]
    assert "split by person, seed 0: actors p" in capsys.readouterr().out
    main(["test", "--ckpt", str(best), *ON_CPU])
    output = capsys.readouterr().out
    folder = best.parents[1] / "test"
    metrics, lines = json.loads((folder / "metrics.json").read_text()), read_predictions(folder)
    assert metrics["split"]["test"] == record.split["test"]
    assert {line["actor"] for line in lines} == set(record.split["test"])
    labels, predicted = ([line[key] for line in lines] for key in ("emotion", "predicted"))
    report = sklearn.metrics.classification_report(
        labels, predicted, labels=record.class_names, output_dict=True, zero_division=0
    )
    for name in record.class_names:
        figures, expected = metrics["per_class"][name], report[name]
        assert figures["recall"] == pytest.approx(expected["recall"])
        assert (figures["precision"] or 0) == pytest.approx(expected["precision"])
        assert figures["f1"] == pytest.approx(expected["f1-score"])
    for term in ("recall", "precision", "F1", "angry", "happy", "sad", "UAR"):
        assert term in output


def test_other_data_is_tested_with_the_class_order_of_the_checkpoint(
    trained: Callable[..., Path], rows: Rows, table: Table
) -> None:
    """The file has no `angry`, so its own classes would have other indices."""
    best = trained()
    renamed_rows = [
        [path, "Sad" if name == "sad" else name, f"new {speaker}"] for path, name, speaker in rows
    ]
    two = table(
        "two.csv", [["path", "label", "group"], *(r for r in renamed_rows if r[1] != "angry")]
    )
    everything = ("--data.val_share", "0", "--data.test_share", "1")
    main(["test", "--ckpt", str(best), "--data.root", str(two), *everything, *ON_CPU])
    metrics = json.loads((best.parents[1] / "test" / "metrics.json").read_text())
    assert metrics["classes"] == ["angry", "happy", "sad"]
    assert [sum(row) for row in metrics["confusion_matrix"]] == [0, 24, 24]


@pytest.mark.parametrize(
    ("change", "flags", "message"),
    [
        (
            (",sad,", ",joy,"),
            (),
            r"unknown labels joy; the classes are angry, happy, sad \(--data.labels\)",
        ),
        (
            ("", ""),
            ("--data.labels", "[sad, happy, angry]"),
            "classifies angry, happy, sad, and the",
        ),
        (("", ""), (), "actors p.* of split by person, seed 1 were in train when"),
    ],
)
def test_unknown_labels_and_training_people_are_refused(
    change: tuple[str, str],
    flags: tuple[str, ...],
    message: str,
    trained: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    best = trained()
    clips = best.parents[4] / "clips.csv"
    clips.write_text(clips.read_text().replace(*change, 1))
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["test", "--ckpt", str(best), "--data.split_seed", "1", *flags, *ON_CPU])
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1


def test_unlabelled_clips_are_predicted(
    trained: Callable[..., Path], rows: Rows, table: Table
) -> None:
    best = trained()
    path = table("new.csv", [["path", "start", "end"], *([row[0], "0", "0.1"] for row in rows[:5])])
    main(["predict", "--ckpt", str(best), "--data.root", str(path), *ON_CPU])
    lines = read_predictions(best.parents[1] / "predict")
    assert [line["path"] for line in lines] == [f"{row[0]}#t=0,0.1" for row in rows[:5]]
    assert {line["emotion"] for line in lines} == {""}
    assert {line["predicted"] for line in lines} <= {"angry", "happy", "sad"}


def test_a_run_is_resumed_with_its_classes(trained: Callable[..., Path]) -> None:
    best = trained()
    last = best.with_name("last.ckpt")
    main(["fit", "--ckpt", str(last), "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu"])
    assert checkpoint.read(last).epochs == 2
    assert checkpoint.read(last).class_names == ("angry", "happy", "sad")


def test_a_comparison_names_the_people(
    trained: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags in ((), ("--model.lr", "0.01")):
        main(["test", "--ckpt", str(trained("--data.test_share", "0.3", *flags)), *ON_CPU])
    capsys.readouterr()
    main(["compare", "lightning_logs", "--out", "report", "--resamples", "100"])
    output = capsys.readouterr().out
    assert "2 models on the same 21 clips of 7 actors (p" in output
    page = (tmp_path / "report" / "report.html").read_text()
    assert "emorec's first study" not in page  # scores on RAVDESS are not comparable
    tested = json.loads(next(tmp_path.rglob("metrics.json")).read_text())["split"]["test"]
    assert all(person in page for person in tested)


def test_without_people_clips_are_split_with_a_warning(
    trained: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.WARNING):
        best = trained("--data.group_column", "none")
    assert sum("training AND in test" in record.message for record in caplog.records) == 1
    output = capsys.readouterr().out
    assert "split by clip, seed 0: actors " in output
    more, clips = map(int, re.findall(r" and (\d+) more train \((\d+) clips\)", output)[0])
    assert (more, clips) == (clips - 3, 72 - 2 * 11)
    main(["test", "--ckpt", str(best), *ON_CPU])
    lines = read_predictions(best.parents[1] / "test")
    assert [line["actor"] for line in lines] == [line["path"] for line in lines]


@pytest.mark.nightly
def test_baselines_run_on_every_fold_of_hacer(
    hacer_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = ("--config", str(ROOT / "configs" / "hacer.yaml"), "--data.root", str(hacer_clips))
    flags = ("--features", "hog", "--classifier", "logistic", "--folds", "all")
    tiny = ("--data.num_frames", "2", "--data.image_size", "32", "--data.num_workers", "0")
    main(["baseline", *config, *flags, *tiny])
    folders = sorted(tmp_path.rglob("metrics.json"))
    tested = [json.loads(path.read_text())["split"]["test"] for path in folders]
    assert sorted(person for people in tested for person in people) == list("abcdefghij")
    second_run: Any = yaml.safe_load(folders[1].parents[1].joinpath("config.yaml").read_text())
    assert second_run["data"]["init_args"]["fold"] == 2


@pytest.mark.parametrize("study", ["hacer_heads", "hacer_tune"])
def test_the_studies_of_hacer_are_valid(study: str, hacer_clips: Path) -> None:
    definition = read_definition(ROOT / "configs" / "studies" / f"{study}.yaml")
    overrides = {"data.root": str(hacer_clips), "model.weights": "none"}
    check_runs(definition, [*planned_runs(definition, overrides).values()][:7])
    missing = [*planned_runs(definition, {**overrides, "data.root": "nowhere"}).values()]
    with pytest.raises(UserError, match="HACER is on Kaggle"):
        check_runs(definition, missing)
