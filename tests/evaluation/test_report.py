"""A report has the documented keys and files, and its table can be read anywhere."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from rich.console import Console

from emorec.data.labels import EMOTIONS
from emorec.evaluation.calibration import Calibration
from emorec.evaluation.classification_results import ClassificationResults
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions
from emorec.evaluation.predictions import read_predictions
from emorec.evaluation.report import metrics_json, metrics_table, write_report
from emorec.evaluation.run_facts import RunFacts

FACTS = RunFacts(
    split={
        "name": "seed",
        "fold": None,
        "train": [1, 2],
        "val": [21],
        "test": [23, 24],
        "hash": "0123abcd",
        "num_clips": {"train": 4},
    },
    model="emorec.models.CNNLSTM",
    num_parameters=11_967_048,
    gflops_per_clip=18.2,
    checkpoint="runs/best.ckpt",
    train_seconds=12.5,
    epochs=3,
)
FIGURES = ("accuracy", "uar", "macro_f1", "ece", "loss", "num_clips")
CALIBRATED = ("ece_calibrated", "temperature")
TABLES = ("classes", "confusion_matrix", "per_class", "split")
RUN = (
    *("model", "num_parameters", "gflops_per_clip", "checkpoint", "train_seconds", "epochs"),
    *("train_clips_per_second", "peak_memory_bytes", "trained_on"),
)
KEYS = [*FIGURES[:4], *CALIBRATED, *FIGURES[4:], "views", *TABLES, *RUN]


def predictions(num_clips: int = 40) -> Predictions:
    """Of the eight classes `sad` never occurs and `angry` is never said."""
    draw = torch.Generator().manual_seed(0)
    target = torch.randint(0, 8, (num_clips,), generator=draw)
    target[target == 3] = 2
    logits = torch.randn(num_clips, 8, generator=draw)
    logits[torch.arange(num_clips), target] += 2
    logits[:, 4] = -9
    return Predictions(torch.arange(num_clips), target, logits)


def printed(
    width: int,
    encoding: str = "utf-8",
    *,
    terminal: bool = False,
    calibration: Calibration | None = None,
    num_views: int = 1,
) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(file=file, width=width, force_terminal=terminal)
    console.print(
        metrics_table(
            summarize(predictions()),
            EMOTIONS,
            "CNNLSTM, [unseen] actors",
            calibration=calibration,
            num_views=num_views,
        )
    )
    file.seek(0)
    return file.read()


def test_the_json_has_exactly_the_documented_keys() -> None:
    content = metrics_json(summarize(predictions()), FACTS, EMOTIONS)
    assert list(content) == KEYS
    assert list(content["split"]) == ["name", "fold", "train", "val", "test", "hash"]
    assert list(content["per_class"]) == list(EMOTIONS)
    for scores in content["per_class"].values():
        assert list(scores) == ["accuracy", "precision", "recall", "f1", "support"]


def test_the_json_says_what_the_summary_says() -> None:
    summary = summarize(predictions())
    content = json.loads(json.dumps(metrics_json(summary, FACTS, EMOTIONS), allow_nan=False))
    for name in FIGURES:
        assert content[name] == getattr(summary, name)
    assert content["confusion_matrix"] == summary.confusion_matrix.tolist()
    assert content["classes"] == list(EMOTIONS)
    for label, name in enumerate(EMOTIONS):
        assert content["per_class"][name]["recall"] == summary.per_class[label].recall
        assert content["per_class"][name]["support"] == sum(content["confusion_matrix"][label])
    assert content["model"] == "emorec.models.CNNLSTM"


def test_a_loss_that_is_no_number_is_null() -> None:
    diverged = Predictions(torch.arange(2), torch.tensor([0, 1]), torch.full((2, 8), math.nan))
    content = metrics_json(summarize(diverged), FACTS, EMOTIONS)
    assert content["loss"] is None
    json.dumps(content, allow_nan=False)


def test_what_nobody_knows_of_a_run_is_null() -> None:
    content = metrics_json(summarize(predictions()), FACTS, EMOTIONS)
    assert [content[name] for name in (*CALIBRATED, *RUN[-3:])] == [None] * 5
    assert content["views"] == 1


def test_the_json_says_what_the_training_took_and_how_often_each_clip_was_looked_at() -> None:
    facts = replace(
        FACTS,
        train_clips_per_second=31.5,
        peak_memory_bytes=7_000_000_000,
        trained_on="cpu",
        num_views=10,
    )
    content = metrics_json(summarize(predictions()), facts, EMOTIONS)
    assert [content[name] for name in RUN[-3:]] == [31.5, 7_000_000_000, "cpu"]
    assert content["views"] == 10


def test_calibration_is_told_beside_the_raw_figures_which_stay(tmp_path: Path) -> None:
    said = predictions()
    calibration = Calibration.of(said, 1.75)
    write_report(
        tmp_path,
        summarize(said),
        FACTS,
        said,
        paths=["clip.mp4"] * len(said),
        actors=[23] * len(said),
        class_names=EMOTIONS,
        calibration=calibration,
    )
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["ece"] == summarize(said).ece
    assert content["ece_calibrated"] == calibration.ece != content["ece"]
    assert content["temperature"] == 1.75
    read = read_predictions(tmp_path / "predictions.csv")
    assert read.calibrated is not None
    for probabilities, temperature in ((read.predictions, 1.0), (read.calibrated, 1.75)):
        expected = (said.logits / temperature).softmax(dim=1)
        torch.testing.assert_close(probabilities.probabilities.float(), expected)


def test_the_caption_tells_both_calibration_errors_and_the_views() -> None:
    calibration = Calibration.of(predictions(), 1.75)
    plain, text = printed(80), printed(80, calibration=calibration, num_views=10)
    raw = f"calibration error {summarize(predictions()).ece:.1%}\n"
    lines, other = ([line.strip() for line in each.splitlines()] for each in (text, plain))
    assert any(line.endswith(raw.strip()) for line in lines)
    assert f"calibration error {calibration.ece:.1%} at temperature 1.75" in lines
    assert any(line.endswith("40 clips, 10 views of each") for line in lines)
    assert not any("temperature" in line or "views" in line for line in other)
    assert max(map(len, text.splitlines())) <= 80


def test_names_that_are_not_those_of_the_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        metrics_json(summarize(predictions()), FACTS, EMOTIONS[:7])


def test_a_report_is_three_files_that_agree(tmp_path: Path) -> None:
    said = predictions()
    folder = tmp_path / "run" / "test"
    paths = [f"Actor_23/{number}.mp4" for number in range(len(said))]
    write_report(
        folder,
        summarize(said),
        FACTS,
        said,
        paths=paths,
        actors=[23] * len(said),
        class_names=EMOTIONS,
    )
    names = {file.name for file in folder.iterdir()}
    assert names == {"metrics.json", "predictions.csv", "confusion_matrix.png"}
    content = json.loads((folder / "metrics.json").read_text())
    assert list(content) == KEYS
    read = read_predictions(folder / "predictions.csv")
    assert read.paths == tuple(paths)
    again = summarize(read.predictions)
    assert again.uar == content["uar"]
    assert again.confusion_matrix.tolist() == content["confusion_matrix"]
    picture = imread(folder / "confusion_matrix.png")
    assert picture.std() > 0.05


def test_the_table_has_a_line_per_class_their_mean_and_chance() -> None:
    summary = summarize(predictions())
    lines = printed(80).splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    happy = summary.per_class[2]
    expected = [f"{value:.1%}" for value in (happy.recall, happy.precision, happy.f1)]
    assert rows["happy"] == [*expected, str(happy.support)]
    assert rows["mean"] == [f"{summary.uar:.1%}", f"{summary.macro_f1:.1%}", "40"]
    assert [word for line in lines for word in line.split()].count("(chance") == 1
    assert "(chance 12.5%)" in printed(80)
    assert "CNNLSTM, [unseen] actors" in lines[0]


def test_a_figure_without_a_denominator_is_a_dash_in_the_table() -> None:
    rows = {line.split()[0]: line.split()[1:] for line in printed(80).splitlines() if line.strip()}
    assert rows["sad"][0] == "-"
    assert rows["angry"][1] == "-"


def test_the_table_fits_80_columns_and_is_plain_where_there_is_no_terminal() -> None:
    text = printed(80)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "\x1b[1m" in printed(80, terminal=True)


@pytest.mark.parametrize("width", [30, 80])
def test_the_table_can_be_printed_where_there_is_only_ascii(width: int) -> None:
    assert printed(width, "ascii").isascii()


def test_other_probabilities_of_the_same_clips_have_their_own_figures() -> None:
    target = torch.tensor([0, 1, 1])
    said = Predictions(torch.arange(3), target, torch.tensor([[2.0, 0], [1, 0], [0, 3]]))
    results = ClassificationResults(said, ["calm", "sad"])
    same = results.of_values(results.values())
    assert same.summary.logged == pytest.approx(results.summary.logged, abs=1e-6)
    right = results.of_values(np.eye(2, dtype=np.float32)[target.numpy()])
    assert right.summary.uar == 1
    assert right.predictions.logits.isfinite().all()
