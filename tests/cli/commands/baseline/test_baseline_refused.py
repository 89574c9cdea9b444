"""Mistakes end in one line."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emorec.cli import main
from tests.cli.commands.baseline.measured_runs import TINY, error_of


@pytest.mark.parametrize(
    ("arguments", "value", "remedy"),
    [
        (["--classifier", "forest"], "forest", "random_forest"),
        (["--features", "gabor"], "gabor", "landmarks"),
        (["--clasifier", "all"], "clasifier", "did you mean"),
        (["--draws", "0"], "--draws is 0", "choose 1 or more"),
        (
            ["--folds", "all"],
            "split seed has no folds",
            "choose one of msaf6, luna5, emobox6, loso, loso5, speaker10",
        ),
        (
            ["--folds", "all", "--data.split", "msaf6", "--data.fold", "2"],
            "data.fold 2",
            "give one of them",
        ),
        (["--data.split", "msaf6"], "split msaf6", "--data.fold 1 to 6"),
        (["--data.num_frames", "0"], "num_frames", "0"),
        (["--trainer.max_epochs", "3"], "--trainer.max_epochs is for a training", "leave it out"),
        (["--model.backbone", "resnet50"], "--model.backbone", "--features, --backbone and"),
        (["--config", "none.yaml"], "can't read", "none.yaml"),
        (["--weights", "none.pth", "--features", "backbone"], "none.pth", "weights"),
        (["--backbone", "resnet19", "--features", "backbone"], "resnet19", "resnet18"),
        (["--out", "/dev/null/runs"], "can't write /dev/null/runs", "--out"),
        (
            ["--features", "landmarks", "--data.cache", "none"],
            "data.landmarks",
            "--data.cache auto",
        ),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str],
    value: str,
    remedy: str,
    drawn_clips: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = error_of(capsys, "--data.root", str(drawn_clips), *arguments)
    assert value in line
    assert remedy in line
    assert list(Path().iterdir()) == []


def test_an_emotion_without_training_clips_is_named(
    drawn_clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in drawn_clips.rglob("*.mp4"):
        actor = path.stem[-2:]
        if path.stem[6:8] != "04" or int(actor) > 20:
            folder = tmp_path / "clips" / actor
            folder.mkdir(parents=True, exist_ok=True)
            os.link(path, folder / path.name)
    assert "no training clip is sad" in error_of(capsys, "--data.root", str(tmp_path / "clips"))


def test_a_split_without_validation_actors_is_refused(
    drawn_clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("nobody_validates.py").write_text(
        "from emorec.data import RavdessDataModule\n"
        "from emorec.data.split import ClipIndex\n"
        "from emorec.data.split import Split\n\n\n"
        "class NobodyValidates(RavdessDataModule):\n"
        "    def find(self) -> ClipIndex:\n"
        "        split = Split('mine', None, train=(1, 2), val=(), test=(3,))\n"
        "        return ClipIndex(super().find().clips, split)\n"
    )
    options = ("--data", "nobody_validates.NobodyValidates", "--data.root", str(drawn_clips))
    assert "split mine has no validation actors" in error_of(capsys, *options)


def test_a_missing_actor_is_refused_or_logged_once_if_allowed(
    drawn_clips: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for path in drawn_clips.rglob("*.mp4"):
        if path.stem[-2:] != "07":
            (tmp_path / "clips").mkdir(exist_ok=True)
            os.link(path, tmp_path / "clips" / path.name)
    options = ("--data.root", str(tmp_path / "clips"), "--data.split", "msaf6", "--folds", "all")
    assert "no clip of val actor 7" in error_of(capsys, *options)
    logistic = ("--features", "hog", "--classifier", "logistic", *TINY)
    main(["baseline", *options, "--data.allow_missing_actors", "true", *logistic])
    assert caplog.text.count("actor 7") == 1
    assert len(list(Path().rglob("metrics.json"))) == 6


def test_ctrl_c_keeps_computed_features_and_ends_in_one_line(
    run_baseline: Callable[..., list[Path]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from emorec.baseline.features import HogFeatures

    describe, calls = HogFeatures.__call__, []

    def interrupt_at_call_21(self: HogFeatures, clip: Any) -> Any:
        calls.append(1)
        if len(calls) == 21:
            raise KeyboardInterrupt
        return describe(self, clip)

    monkeypatch.setattr(HogFeatures, "__call__", interrupt_at_call_21)
    with pytest.raises(SystemExit) as exit_info:
        run_baseline("--classifier", "logistic")
    assert exit_info.value.code == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "stopped; frames and features computed so far are kept: the same command continues"
    )
    assert list(Path().iterdir()) == []
    run_baseline("--classifier", "logistic")
    assert len(calls) == 21 + (160 - 20) + 15 + 15
