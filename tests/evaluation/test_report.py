"""Documented keys and files of a report, and its table in any terminal."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray
from rich.console import Console
from sklearn.metrics import confusion_matrix

from emorec.data.clip import EMOTIONS
from emorec.evaluation.calibration import calibrate
from emorec.evaluation.predictions import read_predictions
from emorec.evaluation.report import (
    RunInfo,
    metrics_json,
    scores_table,
    split_remarks,
    write_report,
)
from emorec.evaluation.task import Classification, Regression

EMOTION = Classification(EMOTIONS)
NUMBERS = Regression(("valence", "arousal"))
RUN = RunInfo(
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
SCORES = ("accuracy", "uar", "macro_f1", "ece")
CALIBRATED = ("ece_calibrated", "temperature")
TABLES = ("classes", "confusion_matrix", "per_class", "split")
TRAINING = (
    *("model", "num_parameters", "gflops_per_clip", "checkpoint", "train_seconds", "epochs"),
    *("train_clips_per_second", "peak_memory_bytes", "trained_on"),
)
KEYS = [*SCORES, *CALIBRATED, "loss", "num_clips", "views", *TABLES, *TRAINING]


def outputs(num_clips: int = 40) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Eight classes; `sad` never occurs and `angry` is never predicted."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 8, num_clips)
    target[target == 3] = 2
    logits = rng.normal(size=(num_clips, 8))
    logits[np.arange(num_clips), target] += 2
    logits[:, 4] = -9
    return target, logits


TARGET, LOGITS = outputs()
PATHS = [f"Actor_23/{number}.mp4" for number in range(len(TARGET))]
ACTORS = ["23"] * len(TARGET)


def metrics(run: RunInfo = RUN) -> dict[str, Any]:
    return metrics_json(EMOTION, TARGET, LOGITS, run, paths=PATHS)


def printed(width: int, encoding: str = "utf-8", *, terminal: bool = False, **options: Any) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(file=file, width=width, force_terminal=terminal)
    console.print(scores_table(EMOTION, TARGET, LOGITS, "CNNLSTM, [unseen] actors", **options))
    file.seek(0)
    return file.read()


def test_the_json_has_exactly_the_documented_keys() -> None:
    content = metrics()
    assert list(content) == KEYS
    assert list(content["split"]) == ["name", "fold", "train", "val", "test", "hash"]
    assert list(content["per_class"]) == list(EMOTIONS)
    for scores in content["per_class"].values():
        assert list(scores) == ["accuracy", "precision", "recall", "f1", "support"]


def test_the_json_has_the_scores_of_the_clips() -> None:
    content = json.loads(json.dumps(metrics(), allow_nan=False))
    scores = EMOTION.evaluate(TARGET, LOGITS)
    assert {name: content[name] for name in scores} == scores
    assert content["num_clips"] == len(TARGET)
    assert content["classes"] == list(EMOTIONS)
    matrix = confusion_matrix(TARGET, LOGITS.argmax(axis=1), labels=range(8))
    assert content["confusion_matrix"] == matrix.tolist()
    for label, name in enumerate(EMOTIONS):
        row = content["per_class"][name]
        assert row["support"] == matrix[label].sum()
        assert row["recall"] == pytest.approx(matrix[label, label] / max(matrix[label].sum(), 1))
    assert content["per_class"]["sad"]["recall"] == content["per_class"]["angry"]["precision"] == 0
    assert content["model"] == "emorec.models.CNNLSTM"


def test_a_loss_that_is_not_a_number_is_null() -> None:
    nan = np.full((2, 8), math.nan)
    content = metrics_json(EMOTION, [0, 1], nan, RUN, paths=PATHS[:2])
    assert content["loss"] is None
    json.dumps(content, allow_nan=False)


def test_unknown_fields_of_a_run_are_null() -> None:
    content = metrics()
    assert [content[name] for name in (*CALIBRATED, *TRAINING[-3:])] == [None] * 5
    assert content["views"] == 1
    assert "smoothed" not in content


def test_the_json_has_training_cost_and_views() -> None:
    run = replace(
        RUN,
        train_clips_per_second=31.5,
        peak_memory_bytes=7_000_000_000,
        trained_on="cpu",
        num_views=10,
        smoothed={"how": "box of 3", "uar": 0.5},
    )
    content = metrics(run)
    assert [content[name] for name in TRAINING[-3:]] == [31.5, 7_000_000_000, "cpu"]
    assert content["views"] == 10
    assert content["smoothed"] == {"how": "box of 3", "uar": 0.5}


def test_calibrated_scores_are_reported_next_to_raw_ones(tmp_path: Path) -> None:
    write_report(
        tmp_path, EMOTION, TARGET, LOGITS, RUN, paths=PATHS, actors=ACTORS, temperature=1.75
    )
    content = json.loads((tmp_path / "metrics.json").read_text())
    raw = EMOTION.evaluate(TARGET, LOGITS)["ece"]
    calibrated = EMOTION.evaluate(TARGET, calibrate(LOGITS, 1.75))["ece"]
    assert content["ece"] == raw != calibrated == content["ece_calibrated"]
    assert content["temperature"] == 1.75
    _, table = read_predictions(tmp_path / "predictions.csv")
    calibrated_table = EMOTION.calibrated(table)
    assert calibrated_table is not None
    for probabilities, temperature in ((table, 1.0), (calibrated_table, 1.75)):
        np.testing.assert_allclose(
            EMOTION.values(EMOTION.output(probabilities)),
            EMOTION.values(LOGITS / temperature),
            atol=1e-8,
        )


def test_the_caption_has_both_calibration_errors_and_the_views() -> None:
    plain, text = printed(80), printed(80, temperature=1.75, num_views=10)
    raw = EMOTION.evaluate(TARGET, LOGITS)["ece"]
    calibrated = EMOTION.evaluate(TARGET, calibrate(LOGITS, 1.75))["ece"]
    lines, plain_lines = ([line.strip() for line in each.splitlines()] for each in (text, plain))
    assert any(line.endswith(f"calibration error {raw:.1%}") for line in lines)
    assert f"calibration error {calibrated:.1%} at temperature 1.75" in lines
    assert any(line.endswith("40 clips, 10 views of each") for line in lines)
    assert not any("temperature" in line or "views" in line for line in plain_lines)
    assert max(map(len, text.splitlines())) <= 80


def test_mismatched_class_names_are_refused(tmp_path: Path) -> None:
    seven = Classification(EMOTIONS[:7])
    with pytest.raises(ValueError, match="names"):
        write_report(tmp_path, seven, TARGET, LOGITS, RUN, paths=PATHS, actors=ACTORS)
    assert not list(tmp_path.iterdir())


def test_a_report_of_classes_is_three_files_that_agree(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "test"
    write_report(folder, EMOTION, TARGET, LOGITS, RUN, paths=PATHS, actors=ACTORS)
    names = {file.name for file in folder.iterdir()}
    assert names == {"metrics.json", "predictions.csv", "confusion_matrix.png"}
    content = json.loads((folder / "metrics.json").read_text())
    assert list(content) == KEYS
    task, table = read_predictions(folder / "predictions.csv")
    assert table["path"].tolist() == PATHS
    [sums] = task.sums(task.target(table), task.output(table))
    assert float(task.scores(sums)["uar"]) == content["uar"]
    assert imread(folder / "confusion_matrix.png").std() > 0.05


def test_a_report_of_numbers_has_the_scores_of_the_set_and_of_each_video(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    target = rng.uniform(-1, 1, (6, 2))
    output = 0.5 * target + rng.normal(0.1, 0.3, target.shape)
    paths = [f"cropped_aligned/{'ba'[clip // 3]}/0000{clip}.jpg" for clip in range(6)]
    actors = ["b"] * 3 + ["a"] * 3
    write_report(tmp_path, NUMBERS, target, output, RUN, paths=paths, actors=actors)
    content = json.loads((tmp_path / "metrics.json").read_text())
    scores = NUMBERS.evaluate(target, output)
    parts = ["num_clips", "views", "targets", "per_target", "per_video", "split"]
    assert list(content) == [*scores, *parts, *TRAINING]
    assert {name: content[name] for name in scores} == scores
    assert content["per_target"]["arousal"]["ccc"] == content["ccc_arousal"]
    assert list(content["per_video"]) == ["b", "a"]
    for rows, video in ((slice(3), "b"), (slice(3, 6), "a")):
        scores_of_video = content["per_video"][video]
        assert list(scores_of_video) == ["num_clips", *scores]
        assert scores_of_video.pop("num_clips") == 3
        assert scores_of_video == pytest.approx(NUMBERS.evaluate(target[rows], output[rows]))
    assert (tmp_path / "plane.png").stat().st_size > 1000
    _, table = read_predictions(tmp_path / "predictions.csv")
    assert table["path"].tolist() == paths


def test_a_report_of_a_diverged_network_is_written(tmp_path: Path) -> None:
    nan = np.full((3, 2), np.nan)
    write_report(tmp_path, NUMBERS, np.zeros((3, 2)), nan, RUN, paths=PATHS[:3], actors=["23"] * 3)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["ccc"] is content["loss"] is None
    write_report(
        tmp_path,
        EMOTION,
        [0, 1],
        nan[:2].repeat(4, axis=1),
        RUN,
        paths=PATHS[:2],
        actors=["23"] * 2,
    )
    assert json.loads((tmp_path / "metrics.json").read_text())["loss"] is None
    assert (tmp_path / "predictions.csv").read_text().splitlines()[1].endswith(",nan")


def test_the_table_has_a_row_per_class_their_mean_and_chance() -> None:
    lines = printed(80).splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    scores = EMOTION.evaluate(TARGET, LOGITS)
    happy = EMOTION.per_name(EMOTION.sums(TARGET, LOGITS)[0]).loc["happy"]
    expected = [f"{happy[name]:.1%}" for name in ("recall", "precision", "f1")]
    assert rows["happy"] == [*expected, str(int(happy["support"]))]
    assert rows["mean"] == [f"{scores['uar']:.1%}", f"{scores['macro_f1']:.1%}", "40"]
    assert [word for line in lines for word in line.split()].count("(chance") == 1
    assert "(chance 12.5%)" in printed(80)
    assert "CNNLSTM, [unseen] actors" in lines[0]


def test_the_table_of_numbers_has_a_row_per_number_and_their_mean() -> None:
    file, target = io.StringIO(), np.array([[0.5, -1.0], [-0.5, 1.0]])
    table = scores_table(NUMBERS, target, -target / 2, "title", num_views=2)
    Console(file=file, width=80).print(table)
    lines = [line.split() for line in file.getvalue().splitlines()]
    assert ["CCC", "PCC", "RMSE", "sign"] in lines
    assert ["arousal", "-0.800", "-1.000", "1.500", "0.0%"] in lines
    assert ["mean", "-0.800", "-1.000", "1.125", "0.0%"] in lines
    assert ["2", "clips,", "2", "views", "of", "each"] in lines


def test_a_score_without_a_denominator_is_a_dash_in_the_table() -> None:
    rows = {line.split()[0]: line.split()[1:] for line in printed(80).splitlines() if line.strip()}
    assert rows["sad"][0] == "-"
    assert rows["angry"][1] == "-"


def test_the_table_fits_80_columns_and_is_plain_without_a_terminal() -> None:
    text = printed(80)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "\x1b[1m" in printed(80, terminal=True)


@pytest.mark.parametrize("width", [30, 80])
def test_the_table_can_be_printed_in_ascii(width: int) -> None:
    assert printed(width, "ascii").isascii()


def test_remarks_mention_leaks_skipped_clips_and_faces() -> None:
    split: dict[str, Any] = {"train": [1, 2], "test": [3], "skipped": []}
    assert split_remarks(split) == []
    unusual = {
        "test": [2, 3],
        "skipped": ["a.mp4"],
        "face_detector": "YuNet",
        "faceless": ["b.mp4"],
    }
    leak, skipped, faces = split_remarks(split | unusual)
    assert "LEAK: 2" in leak
    assert "a.mp4" in skipped
    assert "YuNet" in faces
    assert "b.mp4" in faces
