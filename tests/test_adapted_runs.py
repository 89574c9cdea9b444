"""Runs of a network of landmarks that is adapted to people: fit, test, enrolment."""

import json
from pathlib import Path

import pandas as pd
import pytest

from emorec.cli import main
from tests.refusal import refusal

ACTORS = (1, 21, 23)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in the layout of RAVDESS: clips of three actors that are large enough to show a face."""
    from emorec.data.synthetic.clips import write_dataset
    from emorec.data.synthetic.settings import ClipSettings

    root = tmp_path_factory.mktemp("faces")
    small = ClipSettings(width=96, height=96, num_frames=6, sound=False)
    write_dataset(root, actors=ACTORS, takes=1, settings=small, num_workers=0)
    return root


@pytest.fixture(scope="module")
def run(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of a training that adapts to people."""
    folder = tmp_path_factory.mktemp("adapted")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(
            [
                *(
                    "fit",
                    "--model",
                    "LandmarkRNN",
                    "--model.mixup",
                    "0.2",
                    "--trainer.max_epochs",
                    "2",
                ),
                *(
                    "--data",
                    "RavdessDataModule",
                    "--data.root",
                    str(clips),
                    "--data.num_frames",
                    "3",
                ),
                *("--data.frames", "false", "--data.landmarks", "true", "--data.augment", "true"),
                *("--data.adapt", "person", "--data.num_workers", "0", "--data.batch_size", "8"),
                *("--data.allow_missing_actors", "true", "--trainer.accelerator", "cpu"),
            ]
        )
    return folder / "lightning_logs/LandmarkRNN/version_0"


def measure(run: Path, *flags: str) -> None:
    main(["test", "--ckpt", str(run / "checkpoints/best.ckpt"), "--data.num_workers", "0", *flags])


def test_tensorboard_shows_faces_and_blendshapes(run: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run))
    events.Reload()
    images = events.Tags()["images"]
    assert {"train/faces_as_the_network_sees_them", "val/misclassified_blendshapes"} <= {*images}


def test_a_test_says_by_which_clips_it_was_adapted(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(run)
    assert "all unlabelled clips of the person" in " ".join(capsys.readouterr().out.split())
    measure(run, "--enrol", "3")
    measure(run, "--enrol", "1", "--enrol_classes", "[neutral,calm]")
    adapted = {
        name: json.loads((run / name / "metrics.json").read_text())["adapted"]
        for name in ("test", "test_enrol_3", "test_enrol_1_neutral_calm")
    }
    assert adapted == {
        "test": "all unlabelled clips of the person",
        "test_enrol_3": "3 other unlabelled clips of the person",
        "test_enrol_1_neutral_calm": "1 other clips of the person, chosen among those labelled neutral or calm",
    }
    predictions = [pd.read_csv(run / name / "predictions.csv") for name in adapted]
    assert not predictions[0].equals(predictions[1])


def test_videos_are_adapted_and_every_file_says_by_what(
    run: Path,
    clips: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second, third = sorted((clips / "Actor_01").glob("*.mp4"))[:3]
    ckpt = str(run / "checkpoints/best.ckpt")
    for out, flags, text in (
        ("auto", (), "the whole video"),
        ("running", ("--adapt", "running"), "the video so far"),
        ("enrolled", ("--enrol", str(second), str(third)), "0 s of enrolled videos"),
    ):
        main(["predict", str(first), "--ckpt", ckpt, "--out", str(tmp_path / out), *flags])
        assert f"adapted to each person by {text}" in capsys.readouterr().out.splitlines()
        assert "adapted by only 0 s of face" in caplog.messages[-1]
        folder = tmp_path / out / first.stem
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["adapted_by"] == text
        assert summary["network"]["adapt"] == "person"
        assert set(pd.read_csv(folder / "timeline.csv")["adapted_by"]) == {text}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--enrol", "0"), ("--enrol is 0", "at least 1")),
        (("--enrol", "2", "--enrol_classes", "[merry]"), ("merry", "neutral, calm")),
        (("--enrol", "50"), ("--enrol 50", "23 has 7")),
        (("--enrol_classes", "[calm]"), ("--enrol_classes", "--enrol N")),
        (("--enrol", "2", "--data.adapt", "none"), ("--enrol", "--data.adapt person")),
    ],
)
def test_mistakes_are_told(
    run: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], words: tuple[str, ...]
) -> None:
    error = refusal(capsys, "test", "--ckpt", run / "checkpoints/best.ckpt", *flags)
    assert all(word in error for word in words)


def test_a_network_of_pixels_can_not_be_adapted(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    error = refusal(
        capsys,
        *("fit", "--model", "EarlyFusionCNN", "--data", "RavdessDataModule", "--data.root", clips),
        *("--data.image_size", "32", "--data.num_frames", "2", "--data.adapt", "person"),
        *("--data.allow_missing_actors", "true", "--data.num_workers", "0"),
        *("--trainer.max_epochs", "1", "--trainer.logger", "false"),
    )
    assert "data.adapt is person and EarlyFusionCNN has no features to adapt" in error
