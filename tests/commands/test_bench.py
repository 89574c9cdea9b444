"""`emorec bench` takes what `emorec fit` takes, and says in one line what it can't."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from emorec.cli import main
from emorec.cli.commands.bench import HELP, PARTS
from tests.affwild2 import write_features
from tests.test_configs import clips_for

CONFIGS = sorted(Path(__file__).parents[2].glob("configs/*.yaml"))

TINY = (
    *("--data.num_frames", "2", "--data.image_size", "32", "--data.batch_size", "4"),
    *("--data.num_workers", "0", "--trainer.accelerator", "cpu"),
    *("--seconds", "0.001", "--rounds", "1"),
)


def measured(out: Path, *words: str) -> Any:
    main(["bench", *words, *TINY, "--out", str(out)])
    return json.loads(out.read_text())


def test_the_help_names_every_option_of_its_own_with_its_default() -> None:
    from emorec.bench.experiment import OWN_OPTIONS

    for option, (settings, _) in OWN_OPTIONS.items():
        entry = re.search(rf"^  {option}\b.*\n(?:   .*\n)*", HELP, re.MULTILINE)
        assert entry, option
        if settings.get("default") is not None:
            assert f"({settings['default']:g})" in entry[0] if option != "--out" else entry[0]
    for part in PARTS:
        assert part in HELP


@pytest.mark.parametrize("part", PARTS)
def test_each_part_tells_its_options(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", part, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: emorec bench {part} [options]\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["speed"], "no measurement 'speed': emorec bench, or emorec bench storage|memory|scale"),
        (["--seconds", "0"], "seconds is 0: choose more than 0"),
        (["--seconds", "nan"], "seconds is nan"),
        (["--rounds", "-1"], "rounds is -1: choose more than 0"),
        (["--rounds", "few"], "rounds"),
        (["--originals", "clips"], "--originals says what --baseline decodes: give both"),
        (["--baseline", "--originals", "/nowhere"], "no mp4 file below /nowhere"),
        (["--basline"], "--basline: there is no such option, did you mean --baseline?"),
        (["--data.batchsize", "3"], "did you mean data.batch_size?"),
        (["--config", "none.yaml"], "can't read the configuration none.yaml"),
        (["--data.root", "/nowhere"], "no such folder: /nowhere"),
        (["--out", "/"], "/ is a folder: name a file with --out"),
        (["storage", "--clips", "0"], "clips is 0: choose 1 or more"),
        (["storage", "--clips", "10000000"], "choose fewer clips, fewer pixels or another"),
        (["storage", "--folder", "/nowhere"], "can't work in /nowhere: No such file"),
        (["storage", "--root", "/nowhere"], "no such folder: /nowhere"),
        (["storage", "--baseline"], "--baseline: there is no such option"),
        (["memory", "--epochs", "0"], "epochs is 0: choose 1 or more"),
        (["scale", "--sizes", "[100,0]"], "sizes is 0: choose 1 or more"),
        (["scale", "--sizes", "[]"], "name some numbers of clips"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *words])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("emorec bench: error: ")
    assert complaint in line


@pytest.mark.slow
def test_without_any_data_clips_are_drawn_and_nothing_is_left_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMOREC_RAVDESS_ROOT", raising=False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    plain = measured(tmp_path / "bench.json", "--baseline")
    assert plain["setting"]["drawn"] is True
    assert {"seed_way", "on_the_fly_opencv", "on_the_fly_emorec"} <= plain["ratios"].keys()
    said = capsys.readouterr().out
    assert "EarlyFusionCNN on cpu" in said
    assert plain["bottleneck"]["sentence"] in said
    assert "these clips were drawn" in said
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_config_of_a_training_can_be_measured(
    config: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def download(*_: Any) -> None:
        raise AssertionError("a measurement needs no weights")

    monkeypatch.setattr("emorec.layers.pretrained.download", download)
    clips = request.getfixturevalue(clips_for(str(config)))
    words = ["--config", str(config), "--data.root", str(clips)]
    if "affwild2" in config.name:
        words += ["--model.backbone", "resnet18", "--data.balance", "none"]
    if config.stem == "affwild2_va_rnn":
        write_features(clips, tmp_path / "features", 8)
        words += ["--model.backbone", "none", "--model.num_features", "8"]
        words += ["--data.features", str(tmp_path / "features")]
    plain = measured(tmp_path / "bench.json", *words)
    no_videos = "affwild2" in config.name
    assert ("read" in plain["stages"], "decode" in plain["stages"]) == (no_videos, not no_videos)
    assert plain["setting"]["network"] in config.read_text()
    assert plain["setting"]["batch_size"] == 4
    assert plain["setting"]["drawn"] is False
    assert list(plain["stages"])[-2:] == ["network", "end_to_end"]


@pytest.mark.slow
def test_what_only_a_training_obeys_is_named(
    drawn_clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = (
        "--trainer.max_epochs",
        "1",
        "--early_stopping.patience=3",
        "--trainer.benchmark=true",
    )
    measured(tmp_path / "bench.json", "--data.root", str(drawn_clips), *longer)
    expected = "without effect on a measurement: --trainer.max_epochs, --early_stopping.patience\n"
    assert expected in capsys.readouterr().err


@pytest.mark.slow
def test_the_ways_of_keeping_frames_are_compared(
    drawn_clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "storage.json"
    words = ("--root", str(drawn_clips), "--clips", "3", "--num_frames", "2", "--image_size", "28")
    quick = ("--seconds", "0.001", "--rounds", "2", "--folder", str(tmp_path), "--out", str(out))
    main(["bench", "storage", *words, *quick])
    ways = json.loads(out.read_text())["ways"]
    assert list(ways) == ["RawSlots", "MemoryMap", "NpyFiles", "JpegFiles", "JpegShard"]
    assert ways["RawSlots"]["bytes_a_clip"] == 2 * 32 * 32 * 3
    assert all(len(way["read_together"]) == 2 for way in ways.values())
    said = capsys.readouterr().out
    assert all(way["words"] in said for way in ways.values())
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.slow
def test_memory_is_watched_over_clips_and_epochs(drawn_clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "memory.json"
    words = ("--clips", "12", "--epochs", "2", "--num_frames", "2", "--image_size", "28")
    main(["bench", "memory", "--root", str(drawn_clips), *words, "--out", str(out)])
    plain = json.loads(out.read_text())
    for part in ("decoding", "reading"):
        assert plain[part]["highest_bytes"] >= plain[part]["start_bytes"] > 10_000_000
        assert plain[part]["flat"] == (plain[part]["growth"] < 0.05)


@pytest.mark.slow
def test_time_is_taken_for_each_number_of_clips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scale.json"
    words = ("--sizes", "[3,9]", "--num_frames", "2", "--num_workers", "1")
    main(["bench", "scale", *words, "--out", str(out)])
    sizes = json.loads(out.read_text())["sizes"]
    assert [each["clips"] for each in sizes] == [3, 9]
    assert all(min(each.values()) > 0 for each in sizes)
    assert "seconds in all" in capsys.readouterr().out
