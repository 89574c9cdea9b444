"""`emorec predict` of videos: its arguments, files and printed table."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from emorec.cli import predicts_data
from emorec.cli.commands.predict import speed_line
from emorec.inference.batch import Outline
from emorec.inference.options import Options
from emorec.inference.results import speed
from emorec.inference.video import Stopwatch
from tests import videos
from tests.cli.commands.predicting import rows_of, run
from tests.inference.fakes import Grey


def test_every_video_has_its_files_and_results_are_deterministic(
    grey: Grey, tmp_path: Path
) -> None:
    path = videos.write_video(tmp_path / "talk.mp4", 60, sound=True)
    contents = []
    for out in ("one", "two"):
        arguments = ("--ckpt", "any.ckpt", path, "--out", tmp_path / out, "--annotate")
        assert run(*arguments) == 0
        folder = tmp_path / out / "talk"
        names = ["annotated.mp4", "summary.json", "timeline.csv", "timeline.png"]
        assert sorted(file.name for file in folder.iterdir()) == names
        content = {name: (folder / name).read_bytes() for name in names}
        summary = json.loads(content["summary.json"])
        assert summary.pop("speed")["seconds"] > 0
        contents.append({**content, "summary.json": summary})
    assert contents[0] == contents[1]
    assert (contents[0]["summary.json"]["windows"], summary["video"]["frames"]) == (7, 60)


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse these names")
@pytest.mark.parametrize(
    "name", ["b\udcff.mp4", "12:30 [red]x[bold].mp4", "n\nl $x^$.mp4", "%d.mp4", f"{'x' * 251}.mp4"]
)
def test_any_name_of_a_file_is_predicted(name: str, grey: Grey, tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 15).rename(tmp_path / name)
    assert run("--ckpt", "any.ckpt", path, "--out", tmp_path / "out", "--annotate") == 0
    (folder,) = (tmp_path / "out").iterdir()
    assert len(list(folder.iterdir())) == 4
    assert json.loads((folder / "summary.json").read_text())["video"]["path"] == str(path)


def test_a_table_shows_the_results(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos.write_video(tmp_path / "a.mp4", 60)
    videos.write_video(tmp_path / "b.mp4", 15)
    (tmp_path / "notes.txt").touch()
    assert run("--ckpt", "any.ckpt", tmp_path, "--out", tmp_path / "out") == 0
    output = capsys.readouterr()
    header, first, second, speed, footer = output.out.splitlines()
    assert re.split(r"\s{2,}", header.strip()) == [
        *("video", "length", "windows", "persons", "most frequent", "face")
    ]
    assert re.split(r"\s{2,}", first.strip())[:5] == ["a.mp4", "2 s", "7", "1", "dark (57%)"]
    assert re.split(r"\s{2,}", second.strip())[:5] == ["b.mp4", "0.5 s", "1", "1", "dark"]
    assert re.match(r"\d+\.\d s for 2\.5 s of video, [\d,]+ frames/s", speed)
    assert footer == f"written to {tmp_path / 'out'}, a folder for each video"
    assert output.err == f"1 file is not a video or picture in {tmp_path}: notes.txt\n"


def test_a_network_that_only_hears_takes_sound_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Grey(inputs=("sound",), num_frames=0)
    monkeypatch.setattr("emorec.inference.predictor.load_runtime", lambda path, device: runtime)
    folder = tmp_path / "talks"
    folder.mkdir()
    videos.write_sound(folder / "talk.m4a", 2.0)
    videos.write_video(folder / "film.mp4", 60, sound=True)
    out = tmp_path / "out"
    assert run("--ckpt", "any.ckpt", folder, "--annotate", "--out", out) == 0
    assert "talk.m4a: no annotated video: there are no pictures in it" in capsys.readouterr().err
    names = ["summary.json", "timeline.csv", "timeline.png"]
    assert sorted(path.name for path in (out / "talk").iterdir()) == names
    assert sorted(path.name for path in (out / "film").iterdir()) == ["annotated.mp4", *names]
    summary = json.loads((out / "talk" / "summary.json").read_text())
    assert summary["video"].keys() == {"path", "bytes", "modified", "seconds", "has_sound"}
    assert summary["windows"] == len(rows_of(out / "talk" / "timeline.csv")) == 7


def test_flags_work_in_either_spelling(grey: Grey, tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60)
    arguments = (
        "--window-seconds",
        "1",
        "--hop_seconds=0.5",
        "--abstain-below",
        "0.99",
        "--model",
        "x.onnx",
    )
    assert run(path, *arguments, "--out", tmp_path / "out", "--batch_size", "2") == 0
    rows = rows_of(tmp_path / "out" / "a" / "timeline.csv")
    assert [(row["start"], row["end"]) for row in rows] == [
        *(("0.000", "1.000"), ("0.500", "1.500"), ("1.000", "2.000"))
    ]
    assert {row["predicted"] for row in rows} == {"uncertain"}
    assert grey.batches == [2, 1]


def test_a_camera_is_printed_window_by_window(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from emorec.inference.video import Camera

    ticks = iter(np.arange(0, 100, 0.05).tolist())

    class Capture:
        isOpened = release = staticmethod(lambda: True)  # noqa: N815 - OpenCV's name
        get = staticmethod(lambda property_id: 20.0)
        read = staticmethod(lambda: (True, np.full((32, 32, 3), 255, np.uint8)))

    def make_camera(index: int, seconds: float | None) -> Camera:
        return Camera(index, seconds, open_capture=lambda index: Capture(), now=lambda: next(ticks))

    monkeypatch.setattr("emorec.inference.video.Camera", make_camera)
    assert run("--ckpt", "any.ckpt", "0", "--seconds", "2", "--out", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "     0.0 s to      0.5 s  person 1  bright 100 %"
    assert len(rows_of(tmp_path / "camera_0" / "timeline.csv")) >= 6
    assert set(grey.batches) == {1}


@pytest.mark.parametrize(
    ("arguments", "videos_are_named"),
    [
        (["--ckpt", "best.ckpt"], False),
        (["--ckpt", "best.ckpt", "--data.root", "clips", "--calibrate"], False),
        (["--ckpt=best.ckpt", "--views", "2"], False),
        (["--ckpt", "best.ckpt", "--calibrate", "--data.num_workers", "0"], False),
        (["--ckpt", "best.ckpt", "clips"], True),
        (["clips", "--ckpt", "best.ckpt"], True),
        (["--ckpt=best.ckpt", "--annotate", "clips"], True),
        (["--ckpt=best.ckpt", "--annotate", "false", "clips"], True),
        (["--ckpt=best.onnx"], True),
        (["--model", "x.pt2"], True),
        (["--model", "emorec.models.CNN3D", "--ckpt", "best.ckpt"], False),
    ],
)
def test_positional_arguments_are_videos(arguments: Sequence[str], videos_are_named: bool) -> None:
    assert predicts_data(arguments) != videos_are_named


def test_the_help_names_every_option_of_videos(capsys: pytest.CaptureFixture[str]) -> None:
    run("--help")
    text = capsys.readouterr().out
    assert all(f"--{field.name}" in text for field in fields(Options))


@pytest.mark.parametrize(
    ("frames", "line"),
    [
        (300, "5.0 s for 20 s of video, 60 frames/s"),
        (0, "5.0 s for 20 s of sound"),
    ],
)
def test_speed_is_in_frames_or_for_audio_only_in_seconds(frames: int, line: str) -> None:
    clock = Stopwatch()
    clock.seconds |= {"network": 2.0, "decode": 1.0}
    clock.frames = frames
    outline = Outline(
        seconds=20.0,
        num_windows=9,
        num_persons=1,
        gist="calm",
        is_mean=False,
        face_coverage=None,
        adapted_by="",
        speed=speed(clock, 5.0, 20.0),
    )
    assert speed_line([outline]) == line
    annotated = replace(outline, speed=speed(clock, 5.0, 20.0, annotate_seconds=3.0))
    assert speed_line([annotated] * 2).endswith("; annotating took 6.0 s more")
    side_by_side = speed_line([outline, outline], seconds=8.0)
    assert side_by_side.startswith("8.0 s for 40 s of ")
    assert side_by_side.endswith("75 frames/s" if frames else "sound")
