"""Errors of `emorec predict`, and the results that remain when it is stopped."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.data.synthetic.clips import encode_mp4
from emorec.io import list_files
from tests import videos
from tests.cli.commands.predicting import error_of, rows_of, run
from tests.inference.fakes import Grey
from tests.program import wait_for


def test_bad_videos_are_one_line_each_and_the_others_are_predicted(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = videos.write_video(tmp_path / "good.mp4", 15)
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    videos.truncate(videos.write_video(tmp_path / "cut.mp4", 60, faststart=False), 50)
    videos.write_sound(tmp_path / "sound.mp4")
    (tmp_path / "nothing").mkdir()
    bad = ["text.mp4", "empty.mp4", "cut.mp4", "sound.mp4", "gone.mp4", "*.avi", "nothing"]
    arguments = [tmp_path / name for name in [*bad[:3], good.name, *bad[3:]]]
    assert run("--ckpt", "any.ckpt", *arguments, "--out", tmp_path / "out") == 2
    output = capsys.readouterr()
    lines = output.err.splitlines()
    assert len(lines) == len(bad)
    assert all(line.startswith("emorec predict: error: ") for line in lines)
    for name in bad:
        assert sum(f"/{name}" in line for line in lines) == 1, lines
    assert "good.mp4" in output.out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good"]


def test_a_call_without_videos_is_refused_after_listing_its_folder_once(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[Path] = []

    def list_and_count(folder: Path, on_error: Callable[[OSError], None]) -> list[Path]:
        listed.append(folder)
        return list(list_files(folder, on_error))

    monkeypatch.setattr("emorec.cli.commands.predict.list_files", list_and_count)
    (talks := tmp_path / "talks").mkdir()
    (talks / "talk.wav").touch()
    out = ("--out", tmp_path / "out")
    assert f"no video or picture in {talks}" in error_of(capsys, "--ckpt", "any.ckpt", talks, *out)
    assert listed == [talks]
    message = error_of(capsys, "--ckpt", "any.ckpt", tmp_path / "gone.mp4", *out)
    assert f"no such file or folder: {tmp_path / 'gone.mp4'}" in message
    assert not (tmp_path / "out").exists()


def test_damage_is_reported_and_the_rest_is_predicted(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = videos.empty_middle(videos.write_video(tmp_path / "a.mp4", 60, gop=3))
    arguments = ("--window_seconds", "0.1", "--out", tmp_path / "out")
    assert run("--ckpt", "any.ckpt", path, *arguments) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"a\.mp4: damaged from 0:0\d to 0:0\d", line) or "damaged from" in line
    summary = json.loads((tmp_path / "out" / "a" / "summary.json").read_text())
    assert len(summary["holes"]) >= 1
    assert summary["windows"] == len(rows_of(tmp_path / "out" / "a" / "timeline.csv")) > 5


def test_ffmpeg_failing_on_one_annotation_leaves_its_predictions_and_the_other_videos(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import av

    from emorec.inference import annotate

    really = annotate.draw

    def draw(frame: Any, *arguments: Any) -> Any:
        if frame.shape[0] == 48:
            raise av.error.PermissionError(1, "Operation not permitted", str(tmp_path / "out"))
        return really(frame, *arguments)

    monkeypatch.setattr(annotate, "draw", draw)
    paths = [
        videos.write_video(tmp_path / "a.mp4", 15, size=(64, 48)),
        videos.write_video(tmp_path / "b.mp4", 15),
    ]
    out = tmp_path / "out"
    message = error_of(capsys, "--ckpt", "any.ckpt", *paths, "--annotate", "--out", out)
    assert "a.mp4: no annotated video: FFmpeg can't encode it: Operation not permitted" in message
    files = [sorted(path.name for path in (out / name).iterdir()) for name in "ab"]
    assert files[0] == ["summary.json", "timeline.csv", "timeline.png"]
    assert files[1] == ["annotated.mp4", *files[0]]


def test_a_video_without_a_face_is_written_and_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Grey(face="crop")
    monkeypatch.setattr("emorec.inference.predictor.load_runtime", lambda path, device: runtime)
    path = videos.write_video(tmp_path / "a.mp4", 15)
    arguments = ("--out", tmp_path / "out", "--annotate")
    message = error_of(capsys, "--ckpt", "any.ckpt", path, *arguments)
    assert "a.mp4: no face found" in message
    (row,) = rows_of(tmp_path / "out" / "a" / "timeline.csv")
    assert (row["person"], row["predicted"], row["confidence"], row["dark"]) == (
        "",
        "no face",
        "",
        "",
    )
    assert (tmp_path / "out" / "a" / "annotated.mp4").is_file()


@pytest.mark.parametrize(("turns", "how"), [(1, "transpose=clock"), (3, "transpose=cclock")])
def test_a_video_that_lies_on_its_side_is_told_how_to_turn_it(
    turns: int,
    how: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = Grey(face="crop")
    monkeypatch.setattr("emorec.inference.predictor.load_runtime", lambda path, device: runtime)
    path = tmp_path / "a.mp4"
    path.write_bytes(encode_mp4(np.rot90(videos.face_frames(6), turns, (1, 2)), fps=10))
    message = error_of(capsys, "--ckpt", "any.ckpt", path, "--out", tmp_path / "out")
    assert f"turned, its pictures show one: ffmpeg -i a.mp4 -vf {how} turned.mp4" in message


def test_ctrl_c_while_a_video_is_turned_shows_the_results_of_those_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    runtime = Grey(face="crop")
    monkeypatch.setattr("emorec.inference.predictor.load_runtime", lambda path, device: runtime)
    monkeypatch.setattr(np, "rot90", interrupt)
    face, none = tmp_path / "a.mp4", videos.write_video(tmp_path / "b.mp4", 15)
    face.write_bytes(encode_mp4(videos.face_frames(6), fps=10))
    assert run("--ckpt", "any.ckpt", face, none, "--out", tmp_path / "out") == 130
    assert "stopped; what was predicted is in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ckpt", "x.ckpt", "a.mp4", "--window_second", "1"], "did you mean --window_seconds?"),
        (
            ["--ckpt", "x.ckpt", "a.mp4", "--face", "maybe"],
            "Expected a Literal['as_trained', 'crop', 'align', 'none']",
        ),
        (
            ["--ckpt", "x.ckpt", "a.mp4", "--batch_size", "many"],
            "batch_size: Expected a int. Got value: many",
        ),
        (["--ckpt", "x.ckpt", "a.mp4", "--hop_seconds", "0"], "hop_seconds is 0: choose 0.01"),
        (["--ckpt", "x.ckpt", "--model", "y.onnx", "a.mp4"], "are two networks: leave one out"),
        (
            ["--ckpt", "x.ckpt", "a.mp4", "--data.root", "d"],
            "--data.root is about the clips of a data set",
        ),
        (
            ["--model", "x.onnx"],
            "no video: name files, folders, patterns or the index of a camera",
        ),
        (["--ckpt", "x.ckpt", "--annotate"], "no video: name files"),
        (["--ckpt", "x.ckpt", "--anotate", "a.mp4"], "did you mean --annotate?"),
        (["--ckpt", "gone.ckpt", "a.mp4"], "no such checkpoint: gone.ckpt"),
        (["--ckpt", "face_and_sond", "a.mp4"], "did you mean face_and_sound?"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    videos.write_video(tmp_path / "a.mp4", 3)
    assert message in error_of(capsys, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_an_output_folder_that_can_t_be_written_is_one_line(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 3)
    (tmp_path / "out").write_text("a file")
    message = error_of(capsys, "--ckpt", "any.ckpt", path, path, "--out", tmp_path / "out")
    assert f"can't use {tmp_path / 'out'}: File exists (choose another folder" in message
    (tmp_path / "new" / "a").parent.mkdir()
    (tmp_path / "new" / "a").write_text("a file")
    message = error_of(capsys, "--ckpt", "any.ckpt", path, "--out", tmp_path / "new")
    assert f"can't use {tmp_path / 'new' / 'a'}: File exists" in message


def test_a_full_disk_is_one_line_and_keeps_written_results(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from emorec.inference import plot

    def raise_no_space(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(plot, "plot_timeline", raise_no_space)
    path = videos.write_video(tmp_path / "a.mp4", 15)
    message = error_of(capsys, "--ckpt", "any.ckpt", path, "--out", tmp_path / "out")
    assert "the disk is full" in message
    assert len(rows_of(tmp_path / "out" / "a" / "timeline.csv")) == 1


def test_a_missing_camera_is_one_line(
    grey: Grey, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("--ckpt", "any.ckpt", "91", "--out", tmp_path / "out") == 2
    message = capfd.readouterr().err
    assert "camera 91: no such camera" in message
    assert message.count("\n") == 1


SLOW = """
import sys, time
sys.path.insert(0, {root!r})
from emorec.cli import main
from emorec.inference import predictor
from tests.inference.fakes import Grey

class Slow(Grey):
    def __call__(self, windows):
        time.sleep(0.02)
        return super().__call__(windows)

predictor.load_runtime = lambda path, device: Slow()
main(sys.argv[1:])
"""


def test_ctrl_c_keeps_finished_results(tmp_path: Path) -> None:
    short = videos.write_video(tmp_path / "a.mp4", 15)
    long = videos.repeated(short, tmp_path / "b.mp4", 400)
    arguments = (
        "predict",
        "--ckpt",
        "any.ckpt",
        short,
        long,
        short.with_name("c.mp4"),
        "--out",
        "out",
    )
    program = SLOW.format(root=str(Path(__file__).parents[2]))
    shutil.copy(short, tmp_path / "c.mp4")
    with subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments), "--batch_size", "1"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        timeline = tmp_path / "out" / "b" / "timeline.csv"
        wait_for(lambda: timeline.is_file() and timeline.read_text().count("\n") > 5, process)
        process.send_signal(signal.SIGINT)
        table, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert message.splitlines()[-1] == "stopped; what was predicted is in out"
    (length,) = re.findall(r"^b\.mp4 +(\d+\.?\d*) s ", table, re.MULTILINE)
    assert float(length) == pytest.approx(float(rows_of(timeline)[-1]["end"]), abs=0.06)
    summary = json.loads((tmp_path / "out" / "b" / "summary.json").read_text())
    assert summary["stopped"]
    assert summary["windows"] == len(rows_of(timeline)) >= 5
    assert (tmp_path / "out" / "b" / "timeline.png").is_file()
    assert not json.loads((tmp_path / "out" / "a" / "summary.json").read_text())["stopped"]
    assert not (tmp_path / "out" / "c").exists()
