"""`emorec bench` measures training configs and refuses mistakes in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from emorec.cli import main
from tests.affwild2 import write_features
from tests.test_configs import clips_for

pytestmark = pytest.mark.nightly  # it measures for a minute

CONFIGS = [
    Path(__file__).parents[3] / "configs" / f"{name}.yaml"
    for name in (
        *("affwild2_va_rnn", "affwild2_expr", "audio_cnn_rnn", "audio_visual", "cnn_lstm"),
        *("early_fusion_cnn", "hacer", "iemocap_audio"),
    )
]
"""One for each data set, with frames, sound, both, or features."""

TINY = (
    *("--data.num_frames", "2", "--data.image_size", "32", "--data.batch_size", "4"),
    *("--data.num_workers", "0", "--trainer.accelerator", "cpu"),
    *("--seconds", "0.001", "--rounds", "1"),
)


def run_bench(out: Path, *flags: str) -> Any:
    main(["bench", *flags, *TINY, "--out", str(out)])
    return json.loads(out.read_text())


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--seconds", "0"], "--seconds is 0: choose more than 0"),
        (["--seconds", "nan"], "nan"),
        (["--rounds", "-1"], "--rounds is -1: choose more than 0"),
        (["--rounds", "few"], "rounds"),
        (["--originals", "clips"], "--originals needs --baseline"),
        (["--baseline", "--originals", "/nowhere"], "no mp4 file below /nowhere"),
        (["--basline"], "--basline"),
        (["--data.batchsize", "3"], "batch_size"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--data.root", "/nowhere"], "/nowhere"),
        (["--out", "/"], "/ is a folder: name a file with --out"),
        (["--device", "cpu"], "--device needs --model FILE"),
        (["--model", "best.ckpt", "--data.root", "clips"], "--data.root has no effect"),
        (
            ["--model", "best.ckpt", "--model", "a.txt"],
            "--model a.txt: name files that end in .ckpt",
        ),
        (["--model", "best.ckpt", "--threads", "0"], "--threads is 0: choose more than 0"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["bench", *arguments])
    assert exit_info.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("emorec bench: error: ")
    assert remedy in line


@pytest.mark.slow
def test_without_data_clips_are_synthesized_and_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMOREC_RAVDESS_ROOT", raising=False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    report = run_bench(tmp_path / "bench.json", "--baseline")
    assert report["setting"]["drawn"] is True
    assert {"seed_way", "on_the_fly_opencv", "on_the_fly_emorec"} <= report["ratios"].keys()
    printed = capsys.readouterr().out
    assert "EarlyFusionCNN on cpu" in printed
    assert report["bottleneck"]["sentence"] in printed
    assert "these clips are synthetic" in printed
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_config_of_a_training_can_be_measured(
    config: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def download(*_: Any) -> None:
        raise AssertionError("a measurement needs no weights")

    monkeypatch.setattr("emorec.layers.pretrained.download", download)
    clips = request.getfixturevalue(clips_for(str(config)))
    flags = ["--config", str(config), "--data.root", str(clips)]
    if "affwild2" in config.name:
        flags += ["--model.backbone", "resnet18", "--data.balance", "none"]
    if config.stem == "affwild2_va_rnn":
        write_features(clips, tmp_path / "features", 8)
        flags += ["--model.backbone", "none", "--model.num_features", "8"]
        flags += ["--data.features", str(tmp_path / "features")]
    report = run_bench(tmp_path / "bench.json", *flags)
    no_videos = "affwild2" in config.name
    assert ("read" in report["stages"], "decode" in report["stages"]) == (no_videos, not no_videos)
    assert report["setting"]["network"] in config.read_text()
    assert report["setting"]["batch_size"] == 4
    assert report["setting"]["drawn"] is False
    assert list(report["stages"])[-2:] == ["network", "end_to_end"]


@pytest.mark.slow
def test_flags_without_effect_are_named(
    drawn_clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ignored_flags = (
        "--trainer.max_epochs",
        "1",
        "--early_stopping.patience=3",
        "--trainer.benchmark=true",
    )
    run_bench(tmp_path / "bench.json", "--data.root", str(drawn_clips), *ignored_flags)
    expected = "no effect on a measurement: --trainer.max_epochs, --early_stopping.patience\n"
    assert expected in capsys.readouterr().err
