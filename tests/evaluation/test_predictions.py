"""`predictions.csv` round-trips exactly and can be aligned."""

import csv
import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

from emorec.errors import UserError
from emorec.evaluation.predictions import align, pool, read_predictions, write_predictions
from emorec.evaluation.task import Classification, Regression
from tests.evaluation.simulated import EIGHT, THREE, clips_of, random_clips, shuffled

TASK = Classification(("neutral", "happy", "sad"))
NUMBERS = Regression(("valence", "arousal"))
PATHS = ("Actor_01/a.mp4", "Actor_02/b, with a comma.mp4", 'Actor_02/c "quoted" é.mp4')
LOGITS = np.array([[0.5, 2.25, -1.0], [3.0, 0.0, 0.0], [-300.0, 0.0, 300.0]])


def three(
    target: ArrayLike = (1, 2, 2), logits: ArrayLike = LOGITS, temperature: float | None = None
) -> pd.DataFrame:
    return TASK.table(target, logits, paths=PATHS, actors=(1, 2, 2), temperature=temperature)


def read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


def test_the_file_has_the_documented_columns_and_a_row_per_clip(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions(path, TASK, three())
    header, rows = read_csv(path)
    assert header == ["path", "actor", "emotion", "predicted", "confidence", *TASK.names]
    assert [row[:4] for row in rows] == [
        [PATHS[0], "1", "happy", "happy"],
        [PATHS[1], "2", "sad", "neutral"],
        [PATHS[2], "2", "sad", "sad"],
    ]
    probabilities = TASK.values(LOGITS)
    np.testing.assert_allclose(np.array([row[5:] for row in rows], float), probabilities, rtol=1e-8)
    assert all(row[4] == max(row[5:], key=float) for row in rows)


def test_a_file_round_trips_with_the_same_scores(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions(path, TASK, three())
    task, table = read_predictions(path)
    assert task == TASK
    assert tuple(table["path"]) == PATHS
    assert TASK.target(table).tolist() == [1, 2, 2]
    np.testing.assert_allclose(TASK.values(TASK.output(table)), TASK.values(LOGITS), atol=1e-9)
    scores = TASK.evaluate(TASK.target(table), TASK.output(table))
    assert scores == pytest.approx(TASK.evaluate([1, 2, 2], LOGITS), rel=1e-6)
    write_predictions(tmp_path / "again.csv", task, table)
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


def test_calibrated_probabilities_are_separate_columns(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions(path, TASK, three(temperature=0.5))
    header, rows = read_csv(path)
    assert header[5:] == [*TASK.names, *(f"calibrated {name}" for name in TASK.names)]
    raw, calibrated = TASK.values(LOGITS), TASK.values(LOGITS / 0.5)
    np.testing.assert_allclose(np.array([row[5:8] for row in rows], float), raw, rtol=1e-8)
    np.testing.assert_allclose(np.array([row[8:] for row in rows], float), calibrated, rtol=1e-8)
    assert [float(row[4]) for row in rows] == pytest.approx(raw.max(axis=1).tolist())
    task, table = read_predictions(path)
    assert task == TASK
    np.testing.assert_allclose(TASK.values(TASK.output(table)), raw, atol=1e-9)
    calibrated_table = TASK.calibrated(table)
    assert calibrated_table is not None
    np.testing.assert_allclose(TASK.values(TASK.output(calibrated_table)), calibrated, atol=1e-9)
    assert list(calibrated_table.columns) == header[:8]
    assert TASK.calibrated(calibrated_table) is None


@pytest.mark.parametrize("temperature", [None, 2.0])
@pytest.mark.parametrize("num_clips", [0, 1])
def test_small_tables_round_trip(tmp_path: Path, num_clips: int, temperature: float | None) -> None:
    path = tmp_path / "predictions.csv"
    clips = ["clip.mp4"] * num_clips
    table = TASK.table(
        np.zeros(num_clips),
        np.zeros((num_clips, 3)),
        paths=clips,
        actors=clips,
        temperature=temperature,
    )
    write_predictions(path, TASK, table)
    assert path.read_text().count("\n") == 1 + num_clips
    task, loaded = read_predictions(path)
    assert task == TASK
    assert TASK.output(loaded).shape == (num_clips, 3)
    assert (TASK.calibrated(loaded) is None) == (temperature is None)


def test_an_unknown_truth_is_an_empty_field(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions(path, TASK, three(target=(-1, 0, 1)))
    _, table = read_predictions(path)
    assert table["emotion"].tolist() == ["", "neutral", "happy"]
    assert TASK.target(table).tolist() == [-1, 0, 1]
    numbers = NUMBERS.table([[np.nan, 0.5]], [[0, 0]], paths=["x"], actors=["y"])
    write_predictions(path, NUMBERS, numbers)
    assert path.read_text().splitlines()[1] == "x,y,,0.5,0,0"
    assert np.isnan(NUMBERS.target(read_predictions(path)[1])).tolist() == [[True, False]]


def test_numbers_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    rng = np.random.default_rng(4)
    target, output = rng.normal(0, 1, (2, 6, 2)).astype(np.float32)
    paths, actors = [f"film/{row:05d}.jpg" for row in range(6)], ["a"] * 3 + ["b"] * 3
    write_predictions(path, NUMBERS, NUMBERS.table(target, output, paths=paths, actors=actors))
    header, rows = read_csv(path)
    assert header == ["path", "actor", *NUMBERS.names, "predicted valence", "predicted arousal"]
    assert [row[:2] for row in rows] == list(map(list, zip(paths, actors, strict=True)))
    task, table = read_predictions(path)
    assert task == NUMBERS
    np.testing.assert_array_equal(NUMBERS.target(table), target)
    np.testing.assert_array_equal(NUMBERS.output(table), output)


def test_a_file_name_that_is_not_unicode_round_trips(tmp_path: Path) -> None:
    name = b"Actor_01/caf\xe9.mp4".decode("utf-8", errors="surrogateescape")
    path = tmp_path / "predictions.csv"
    write_predictions(path, TASK, TASK.table([0], np.zeros((1, 3)), paths=[name], actors=["x"]))
    _, table = read_predictions(path)
    assert table["path"].tolist() == [name]
    assert len(align(TASK, [table, table])) == 2


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "predictions.csv"
    write_predictions(path, TASK, three())
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_predictions(path, TASK, three(target=(0, 0, 0)))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["predictions.csv"]


@pytest.mark.parametrize(
    ("paths", "actors", "names"),
    [
        (PATHS[:2], (1, 2, 2), TASK.names),
        (PATHS, (1, 2), TASK.names),
        (PATHS, (1, 2, 2), ("a", "b")),
    ],
)
def test_mismatched_lengths_are_refused(
    paths: tuple[str, ...], actors: tuple[int, ...], names: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"expected \(3, 3, 3\) paths, actors and names"):
        Classification(names).table((1, 1, 1), LOGITS, paths=paths, actors=actors)
    with pytest.raises(ValueError, match=r"expected \(3, 3, 3\) paths, actors and names"):
        Regression(names).table(LOGITS, LOGITS, paths=paths, actors=actors)


HEADER = "path,actor,emotion,predicted,confidence,calm,sad\n"
NUMBER_HEADER = "path,actor,valence,predicted valence\n"


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("", "is not a predictions file"),
        ("path,actor\n", "is not a predictions file"),
        ("path,actor,emotion,predicted,confidence\n", "is not a predictions file"),
        (NUMBER_HEADER.replace("predicted", "guessed"), "is not a predictions file"),
        (HEADER + "a.mp4,1,calm,calm,0.9,0.9\n", "clip 1 has 6 fields, not 7"),
        (HEADER + "a.mp4\n", "clip 1 has 1 fields, not 7"),
        (HEADER + "a.mp4,1,calm,calm,1,1,0\nb.mp4,1,angry,calm,1,1,0\n", "emotion angry"),
        (HEADER + "a.mp4,1,calm,calm,much,much,little\n", "column confidence: .*'much'"),
        (HEADER + "a.mp4,1,calm,calm,,0,1\n", "column confidence"),
        (NUMBER_HEADER + "a/1.jpg,1,0.1,much\n", "column predicted valence: .*'much'"),
    ],
)
def test_a_malformed_file_is_refused_in_one_line(tmp_path: Path, content: str, value: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=value) as error:
        read_predictions(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"can't read .*none\.csv: No such file"):
        read_predictions(tmp_path / "none.csv")


ACTORS = [str(actor) for actor in np.random.default_rng(0).integers(1, 12, 60)]


def test_tables_are_aligned_in_any_order_and_folder() -> None:
    clips = random_clips(0, ACTORS)
    first, second = align(EIGHT, [clips, shuffled(clips, 1, "/elsewhere")])
    assert first.index.equals(second.index)
    assert first.index.is_monotonic_increasing
    pd.testing.assert_frame_equal(first.drop(columns="path"), second.drop(columns="path"))


def test_clips_of_the_same_name_are_aligned_in_the_order_of_their_paths() -> None:
    folders = ["take2", "take1", "take3"]
    logits = np.eye(3)[[1, 0, 2]]
    clips = THREE.table(
        [0, 0, 0], logits, paths=[f"{folder}/a.mp4" for folder in folders], actors=["1"] * 3
    )
    moved = clips.assign(path=[f"/data/{folder}/a.mp4" for folder in folders]).iloc[[2, 0, 1]]
    first, second = align(THREE, [clips, moved])
    assert first["predicted"].tolist() == second["predicted"].tolist() == ["a", "b", "c"]


def test_videos_are_distinguished_by_their_folder() -> None:
    paths = ["x/film1/1.jpg", "x/film2/1.jpg"]
    table = NUMBERS.table(np.zeros((2, 2)), [[0, 0], [1, 1]], paths=paths, actors=["?"] * 2)
    moved = table.assign(path=["/y/film1/1.jpg", "/y/film2/1.jpg"]).iloc[::-1]
    first, second = align(NUMBERS, [table, moved])
    assert NUMBERS.output(first).tolist() == NUMBERS.output(second).tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("second", "difference"),
    [
        pytest.param(clips_of([0, 1], [0, 1], ["1", "2"]), r"002\.mp4 of actor 2", id="fewer"),
        pytest.param(clips_of([0, 1, 1], [0, 1, 1], ["1", "2", "2"]), "another truth", id="truth"),
        pytest.param(clips_of([0, 1, 2], [0, 1, 1], ["1", "2", "3"]), r"002\.mp4", id="actor"),
        pytest.param(
            clips_of([0, 1, 2], [0, 1, 1], ["1", "2", "2"], num_classes=4),
            "a, b, c, d and a, b, c",
            id="classes",
        ),
        pytest.param(
            pd.concat([clips_of([0, 1, 2], [0, 1, 2], ["1", "2", "2"]).iloc[[0, 1, 2, 0]]]),
            r"000\.mp4 of actor 1 .* 3 and 4 clips",
            id="a clip twice",
        ),
    ],
)
def test_predictions_of_different_clips_are_refused(second: pd.DataFrame, difference: str) -> None:
    clips = clips_of([0, 1, 2], [0, 1, 2], ["1", "2", "2"])
    with pytest.raises(UserError, match=difference):
        align(THREE, [clips, second])


def test_an_empty_list_of_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="no predictions"):
        align(EIGHT, [])


def test_folds_are_pooled_into_one_test() -> None:
    clips = random_clips(0, ACTORS)
    pooled = pool(EIGHT, [clips.iloc[40:], clips.iloc[:40]])
    [expected] = align(EIGHT, [clips])
    pd.testing.assert_frame_equal(pooled, expected)
