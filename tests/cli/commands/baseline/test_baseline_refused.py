"""Mistakes end in one line."""

import gc
import json
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
import yaml

from emorec.cli import main
from emorec.data.split import make_split
from emorec.models import LateFusion
from tests.cli.commands.baseline.measured_runs import TINY, error_of
from tests.report.made_checkpoints import write_checkpoint


@pytest.mark.parametrize(
    ("arguments", "value", "remedy"),
    [
        (["--classifier", "forest"], "forest", "random_forest"),
        (["--features", "gabor"], "gabor", "landmarks"),
        (
            ["--features", "sound", "--data.sound_embedding", "yamnte"],
            "no sound embedding is called yamnte",
            "choose yamnet",
        ),
        (["--data.embedding_layer", "3", "--features", "sound"], "the layer is 3", "leave it out"),
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


def test_functionals_without_opensmile_name_the_extra_and_the_licence(
    drawn_clips: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("emorec.data.functionals.metadata.version", version)
    line = error_of(capsys, "--data.root", str(drawn_clips), "--features", "egemaps")
    assert "egemaps needs openSMILE" in line
    assert "pip install 'emorec[opensmile]'" in line
    assert "research and private use only" in line
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


@pytest.mark.nightly
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


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    """A folder of checkpoints that were trained on the first two folds of msaf6, each as fold_N.ckpt."""
    for fold in (1, 2):
        split = make_split("msaf6", fold)
        record = {"name": "msaf6", "fold": fold, "hash": "0", "skipped": []}
        people = {"train": list(split.train), "val": list(split.val), "test": list(split.test)}
        network = LateFusion(backbone="mobilenet_v2", weights="none", num_frames=2, image_size=32)
        write_checkpoint(tmp_path / f"fold_{fold}.ckpt", network, split={**record, **people})
    return tmp_path


def test_a_network_that_was_trained_on_people_of_the_fold_is_refused(
    checkpoints: Path, drawn_clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--data.root", str(drawn_clips), "--data.split", "msaf6")
    network = ("--features", "backbone", "--backbone", "mobilenet_v2", "--classifier", "logistic")
    of_fold_1 = ("--weights", str(checkpoints / "fold_1.ckpt"))
    line = error_of(capsys, *data, *network, *of_fold_1, "--data.fold", "2")
    assert "fold_1.ckpt was trained" in line
    assert "actors 9-12 of split msaf6 were in train" in line
    named = ("--weights", str(checkpoints / "fold_{fold}.ckpt"))
    line = error_of(capsys, *data, *network, *named, "--folds", "all")
    assert "no weights at" in line
    assert "fold_3.ckpt" in line
    line = error_of(capsys, "--data.root", str(drawn_clips), *network, *named)
    assert "the split has no folds" in line
    assert list(Path().iterdir()) == []


def test_the_network_of_one_fold_at_a_time_is_in_memory(
    drawn_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks: WeakSet[LateFusion] = WeakSet()
    in_memory: list[int] = []

    class Counted(LateFusion):
        def __init__(self, **settings: Any) -> None:
            in_memory.append(len(networks))
            super().__init__(**{**settings, "weights": "none"})
            networks.add(self)

    monkeypatch.setattr("emorec.baseline.features.LateFusion", Counted)
    monkeypatch.setattr("emorec.baseline.features.gflops_per_clip", lambda _: 0.0)
    monkeypatch.setattr("emorec.baseline.evaluate.evaluate", lambda *_, **__: [])
    monkeypatch.setattr("emorec.baseline.evaluate.print_results", lambda *_: None)
    monkeypatch.setattr("emorec.data.RavdessDataModule.prepare_data", lambda _: None)
    for fold in range(1, 7):
        (tmp_path / f"fold_{fold}.pth").touch()
    named = ("--weights", str(tmp_path / "fold_{fold}.pth"), "--backbone", "mobilenet_v2")
    data = ("--data.root", str(drawn_clips), "--data.split", "msaf6", "--folds", "all")
    gc.disable()  # nothing but the command itself frees a network
    try:
        main(["baseline", "--features", "backbone", *data, *named, *TINY])
    finally:
        gc.enable()
    assert in_memory == [0] * 6


@pytest.mark.nightly
def test_each_fold_has_the_features_of_its_own_network(
    checkpoints: Path, run_baseline: Callable[..., list[Path]]
) -> None:
    named = ("--weights", str(checkpoints / "fold_{fold}.ckpt"), "--backbone", "mobilenet_v2")
    data = ("--data.split", "msaf6", "--classifier", "logistic")
    runs = [
        run_baseline(*data, *named, "--data.fold", str(fold), features="backbone")[0]
        for fold in (1, 2)
    ]
    records = [json.loads((run / "baseline.json").read_text()) for run in runs]
    assert records[0]["features"] != records[1]["features"]
    configs = [yaml.safe_load((run / "config.yaml").read_text()) for run in runs]
    assert [config["data"]["init_args"].pop("fold") for config in configs] == [1, 2]
    assert configs[0] == configs[1]
