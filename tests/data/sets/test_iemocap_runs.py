"""IEMOCAP from the command line: utterances, speakers, and the leak of the random split."""

import contextlib
import csv
import json
from pathlib import Path

import pytest

from emorec import checkpoint
from emorec.cli import main
from emorec.data.sets.iemocap.split import SPEAKERS
from tests.iemocap_set import DIALOGUES, name_of

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

SMALL = (
    *("--model", "LateFusion", "--model.weights", "none", "--data", "IemocapDataModule"),
    *("--data.num_frames", "2", "--data.image_size", "16", "--data.batch_size", "8"),
    *("--data.num_workers", "0", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
)


@pytest.fixture(scope="module")
def runs(drawn_iemocap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that are trained and tested on two folds and on the random split of the seed study."""
    folder = tmp_path_factory.mktemp("runs")
    splits = (("--data.fold", "1"), ("--data.fold", "2"), ("--data.split", "seed_random"))
    with contextlib.chdir(folder):
        for number, flags in enumerate(splits):
            main(["fit", *SMALL, "--data.root", str(drawn_iemocap), *flags])
            best = f"lightning_logs/LateFusion/version_{number}/checkpoints/best.ckpt"
            main(["test", "--ckpt", best, "--trainer.accelerator", "cpu"])
    return folder / "lightning_logs" / "LateFusion"


def test_predictions_name_each_utterance_and_its_speaker(runs: Path) -> None:
    with (runs / "version_0" / "test" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    expected = {
        f"Ses01{dialogue}.avi#id={name_of(1, dialogue, turn)}": (f"Ses01{turn.speaker}", turn.code)
        for dialogue, turns in DIALOGUES.items()
        for turn in turns
        if turn.code in ("neu", "ang", "sad", "hap")
    }
    speakers = {row["path"].rpartition("/")[2]: (row["actor"], row["emotion"][:3]) for row in rows}
    assert speakers == expected
    metrics = json.loads((runs / "version_0" / "test" / "metrics.json").read_text())
    assert (metrics["split"]["name"], metrics["split"]["fold"]) == ("loso5", 1)
    assert metrics["split"]["test"] == ["Ses01F", "Ses01M"]


def compare(*runs: Path, out: Path) -> None:
    main(["compare", *map(str, runs), "--out", str(out), "--resamples", "100"])


def test_folds_are_compared_as_one_model(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(runs / "version_0", runs / "version_1", out=tmp_path)
    report = " ".join(capsys.readouterr().out.split())
    assert "16 clips of 4 actors" in report
    assert "LEAK" not in report


def test_the_comparison_marks_the_leak_of_the_random_split(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(runs / "version_2", out=tmp_path)
    report = " ".join(capsys.readouterr().out.split())
    assert "LEAK in LateFusion" in report
    for first, second in [("training", "validation"), ("training", "test"), ("validation", "test")]:
        assert f"Ses05M are in the {first} and the {second} set" in report


def test_only_the_random_split_may_test_training_people_with_a_note(
    runs: Path, drawn_iemocap: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaking = runs / "version_2" / "checkpoints" / "best.ckpt"
    assert checkpoint.read(leaking).split["train"] == list(SPEAKERS)
    main(["test", "--ckpt", str(leaking), "--trainer.accelerator", "cpu"])
    table = capsys.readouterr().out
    assert "unseen" not in table
    assert "actors it was trained with" in table
    for ckpt, flags in (
        (leaking, ("--data.split", "loso5", "--data.fold", "1")),
        (
            runs / "version_0" / "checkpoints" / "best.ckpt",
            ("--data.split", "seed_random", "--data.fold", "null"),
        ),
    ):
        with pytest.raises(SystemExit) as exit_info:
            main(["test", "--ckpt", str(ckpt), "--trainer.accelerator", "cpu", *flags])
        assert exit_info.value.code
        assert "was trained: it can't be measured on them" in capsys.readouterr().err
