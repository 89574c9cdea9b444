"""`predictions.csv` says exactly what the network said, and can be read back."""

import csv
import errno
import os
from pathlib import Path

import pytest
import torch

from emorec.errors import UserError
from emorec.evaluation.calibration import calibrated
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions
from emorec.evaluation.predictions import read_predictions, write_predictions

CLASSES = ("neutral", "happy", "sad")
PATHS = ("Actor_01/a.mp4", "Actor_02/b, with a comma.mp4", 'Actor_02/c "quoted" é.mp4')
ACTORS = (1, 2, 2)


def three() -> Predictions:
    logits = torch.tensor([[0.5, 2.25, -1.0], [3.0, 0.0, 0.0], [-300.0, 0.0, 300.0]])
    return Predictions(torch.tensor([0, 1, 2]), torch.tensor([1, 2, 2]), logits)


def write(path: Path, predictions: Predictions) -> None:
    write_predictions(path, predictions, paths=PATHS, actors=ACTORS, class_names=CLASSES)


def test_the_columns_are_the_documented_ones_and_a_row_says_one_clip(tmp_path: Path) -> None:
    write(tmp_path / "predictions.csv", three())
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "actor", "emotion", "predicted", "confidence", *CLASSES]
    assert [row[:4] for row in rows] == [
        [PATHS[0], "1", "happy", "happy"],
        [PATHS[1], "2", "sad", "neutral"],
        [PATHS[2], "2", "sad", "sad"],
    ]
    for row, probabilities in zip(rows, three().probabilities.tolist(), strict=True):
        assert [float(value) for value in row[5:]] == pytest.approx(probabilities)
        assert row[4] == max(row[5:], key=float)


def test_what_was_written_is_read_back_and_has_the_same_figures(tmp_path: Path) -> None:
    write(tmp_path / "predictions.csv", three())
    read = read_predictions(tmp_path / "predictions.csv")
    assert read.paths == PATHS
    assert read.class_names == CLASSES
    assert torch.equal(read.predictions.target, three().target)
    assert torch.equal(read.predictions.predicted, three().predicted)
    torch.testing.assert_close(read.predictions.probabilities, three().probabilities)
    written, again = summarize(three()), summarize(read.predictions)
    assert again.loss == pytest.approx(written.loss, rel=1e-6)
    assert again.ece == pytest.approx(written.ece, abs=1e-6)
    assert again.per_class == written.per_class


def test_calibrated_probabilities_stand_beside_the_raw_ones(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    surer = calibrated(three(), 0.5)
    write_predictions(
        path, three(), paths=PATHS, actors=ACTORS, class_names=CLASSES, calibrated=surer
    )
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header[5:] == [*CLASSES, "calibrated neutral", "calibrated happy", "calibrated sad"]
    for row, raw, other in zip(
        rows, three().probabilities.tolist(), surer.probabilities.tolist(), strict=True
    ):
        assert [float(value) for value in row[5:8]] == pytest.approx(raw)
        assert [float(value) for value in row[8:]] == pytest.approx(other)
        assert float(row[4]) == pytest.approx(max(raw))  # confidence is the raw one
    read = read_predictions(path)
    assert read.class_names == CLASSES
    assert torch.equal(read.predictions.predicted, three().predicted)
    torch.testing.assert_close(read.predictions.probabilities, three().probabilities)
    assert read.calibrated is not None
    assert torch.equal(read.calibrated.target, three().target)
    torch.testing.assert_close(read.calibrated.probabilities, surer.probabilities)


def test_a_file_without_calibrated_columns_has_none(tmp_path: Path) -> None:
    write(tmp_path / "predictions.csv", three())
    assert read_predictions(tmp_path / "predictions.csv").calibrated is None


@pytest.mark.parametrize("num_clips", [0, 1])
def test_few_calibrated_predictions_are_read_back(tmp_path: Path, num_clips: int) -> None:
    path = tmp_path / "predictions.csv"
    index = torch.arange(num_clips)
    few = Predictions(index, index, torch.zeros(num_clips, 3))
    names = ["clip.mp4"] * num_clips
    write_predictions(
        path, few, paths=names, actors=names, class_names=CLASSES, calibrated=calibrated(few, 2.0)
    )
    read = read_predictions(path)
    assert read.class_names == CLASSES
    assert read.calibrated is not None
    assert read.calibrated.logits.shape == (num_clips, 3)


def test_an_unknown_truth_is_an_empty_field(tmp_path: Path) -> None:
    unknown = Predictions(torch.arange(3), torch.tensor([-1, 0, 1]), torch.zeros(3, 3))
    write(tmp_path / "predictions.csv", unknown)
    read = read_predictions(tmp_path / "predictions.csv")
    assert read.predictions.target.tolist() == [-1, 0, 1]


def test_no_predictions_are_a_header_alone(tmp_path: Path) -> None:
    empty = torch.zeros(0, dtype=torch.int64)
    none = Predictions(empty, empty, torch.zeros(0, 3))
    path = tmp_path / "predictions.csv"
    write_predictions(path, none, paths=[], actors=[], class_names=CLASSES)
    assert path.read_text().count("\n") == 1
    read = read_predictions(path)
    assert len(read.predictions) == 0
    assert read.predictions.logits.shape == (0, 3)


def test_a_file_name_that_is_not_unicode_survives(tmp_path: Path) -> None:
    name = b"Actor_01/caf\xe9.mp4".decode("utf-8", errors="surrogateescape")
    one = Predictions(torch.tensor([0]), torch.tensor([0]), torch.zeros(1, 3))
    path = tmp_path / "predictions.csv"
    write_predictions(path, one, paths=[name], actors=["x"], class_names=CLASSES)
    assert read_predictions(path).paths == (name,)


def test_a_failed_write_leaves_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "predictions.csv"
    write(path, three())
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write(path, Predictions(torch.arange(3), torch.zeros(3).long(), torch.zeros(3, 3)))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["predictions.csv"]


@pytest.mark.parametrize(
    ("paths", "actors", "names"),
    [(PATHS[:2], ACTORS, CLASSES), (PATHS, ACTORS[:2], CLASSES), (PATHS, ACTORS, CLASSES[:2])],
)
def test_a_list_of_another_length_is_refused(
    tmp_path: Path, paths: tuple[str, ...], actors: tuple[int, ...], names: tuple[str, ...]
) -> None:
    path = tmp_path / "predictions.csv"
    with pytest.raises(ValueError, match=r"expected \(3, 3, 3\) paths, actors and class names"):
        write_predictions(path, three(), paths=paths, actors=actors, class_names=names)
    assert not path.exists()


GOOD = "path,actor,emotion,predicted,confidence,calm,sad\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is no predictions file"),
        ("path,actor\n", "is no predictions file"),
        ("path,actor,emotion,predicted,confidence\n", "is no predictions file"),
        (GOOD + "a.mp4,1,calm,calm,0.9,0.9\n", "clip 1 has 6 fields, not 7"),
        (
            GOOD + "a.mp4,1,calm,calm,0.9,0.9,0.1\nb.mp4,1,angry,calm,1,1,0\n",
            "clip 2 can't be read",
        ),
        (GOOD + "a.mp4,1,calm,calm,much,much,little\n", "clip 1 can't be read"),
        (GOOD + "a.mp4\n", "clip 1 can't be read"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=complaint) as error:
        read_predictions(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"can't read .*none\.csv: No such file"):
        read_predictions(tmp_path / "none.csv")
