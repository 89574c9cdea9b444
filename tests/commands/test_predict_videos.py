"""`emorec predict` of videos: the same figures as `emorec test`, its files, and what it says of bad input."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emorec
from emorec.cli import main
from emorec.cli.help import VIDEO_OPTIONS
from emorec.cli.predicted import is_about_videos
from tests import videos
from tests.inference.made import Grey
from tests.program import SMALL, started, wait_for

TOLERANCE = 1e-6
"""Of probabilities: windows are other batches than clips, and sums of another order differ in their last bits."""

CPU = ("--device", "cpu")


@pytest.fixture(scope="module")
def best(drawn_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a temperature, tested."""
    root = tmp_path_factory.mktemp("run")
    words = ("--data.root", str(drawn_clips), "--trainer.max_epochs", "1", "--data.num_frames", "4")
    main(["fit", *SMALL, *words, "--trainer.default_root_dir", str(root)])
    (path,) = root.rglob("best.ckpt")
    main(["test", "--ckpt", str(path), "--calibrate", "--trainer.accelerator", "cpu"])
    return path


@pytest.fixture
def grey(monkeypatch: pytest.MonkeyPatch) -> Grey:
    """What the command loads, whatever file is named."""
    runtime = Grey()
    monkeypatch.setattr("emorec.inference.load.runtime_of", lambda path, device: runtime)
    return runtime


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def run(*words: Any) -> int:
    """The exit code of `emorec predict WORDS`."""
    try:
        main(["predict", *map(str, words)])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def refused(capsys: pytest.CaptureFixture[str], *words: Any) -> str:
    assert run(*words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_plain_clips_are_predicted_as_by_the_test(best: Path, tmp_path: Path) -> None:
    tested = rows_of(best.parents[1] / "test" / "predictions.csv")
    assert len(tested) == 15
    predictor = emorec.load(best, device="cpu")
    assert run("--ckpt", best, *(row["path"] for row in tested), "--out", tmp_path, *CPU) == 0
    for row in tested:
        (window,) = predictor.predict(row["path"]).windows
        (written,) = rows_of(tmp_path / Path(row["path"]).stem / "timeline.csv")
        expected = [float(row[f"calibrated {name}"]) for name in predictor.facts.names]
        assert window.values == pytest.approx(expected, abs=TOLERANCE)
        assert [float(written[name]) for name in predictor.facts.names] == pytest.approx(
            expected, abs=TOLERANCE
        )
        assert window.predicted == written["predicted"] == row["predicted"]


@pytest.mark.real
@pytest.mark.parametrize("face", ["none", "crop"])
def test_so_are_real_clips(ravdess_root: Path, tmp_path: Path, face: str) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for path in sorted(ravdess_root.rglob("01-01-*.mp4"))[:6]:
        (clips / path.name).symlink_to(path.absolute())
    first = next(clips.iterdir())
    actor = int(first.stem[-2:])
    small = (*SMALL, "--data.num_frames", "6", "--data.image_size", "64", "--data.face", face)
    whole = ("--data.root", str(ravdess_root), "--data.allow_missing_actors", "true")
    split = ("--data.split", "loso", "--data.fold", str(actor), "--trainer.max_epochs", "1")
    if len({path.stem[-2:] for path in ravdess_root.rglob("01-01-*.mp4")}) < 4:
        pytest.skip("needs clips of four actors")
    main(["fit", *small, *whole, *split, "--trainer.default_root_dir", str(tmp_path)])
    (path,) = tmp_path.rglob("best.ckpt")
    main(
        [
            "predict",
            "--ckpt",
            str(path),
            "--calibrate",
            "--trainer.accelerator",
            "cpu",
            "--data.root",
            str(clips),
        ]
    )
    rows = rows_of(path.parents[1] / "predict" / "predictions.csv")
    predictor = emorec.load(path, device="cpu")
    for row in rows:
        (window,) = predictor.predict(row["path"]).windows
        expected = [float(row[f"calibrated {name}"]) for name in predictor.facts.names]
        assert window.values == pytest.approx(expected, abs=TOLERANCE)


def test_every_video_has_its_files_and_the_same_video_gives_the_same_bytes(
    grey: Grey, tmp_path: Path
) -> None:
    path = videos.write_video(tmp_path / "talk.mp4", 60, sound=True)
    contents = []
    for out in ("one", "two"):
        words = ("--ckpt", "any.ckpt", path, "--out", tmp_path / out, "--annotate")
        assert run(*words) == 0
        folder = tmp_path / out / "talk"
        names = ["annotated.mp4", "summary.json", "timeline.csv", "timeline.png"]
        assert sorted(each.name for each in folder.iterdir()) == names
        content = {name: (folder / name).read_bytes() for name in names}
        summary = json.loads(content["summary.json"])
        assert summary.pop("speed")["seconds"] > 0
        contents.append({**content, "summary.json": summary})
    assert contents[0] == contents[1]
    assert (contents[0]["summary.json"]["windows"], summary["video"]["frames"]) == (7, 60)


def test_a_table_tells_what_came_out(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    videos.write_video(tmp_path / "a.mp4", 60)
    videos.write_video(tmp_path / "b.mp4", 15)
    (tmp_path / "notes.txt").touch()
    assert run("--ckpt", "any.ckpt", tmp_path, "--out", tmp_path / "out") == 0
    said = capsys.readouterr()
    head, one, two, speed = said.out.splitlines()
    assert re.split(r"\s{2,}", head.strip()) == [
        *("video", "length", "windows", "persons", "most frequent", "face", "written to")
    ]
    assert re.split(r"\s{2,}", one.strip())[:5] == ["a.mp4", "2 s", "7", "1", "dark (57%)"]
    assert re.split(r"\s{2,}", two.strip())[:5] == ["b.mp4", "0.5 s", "1", "1", "dark"]
    assert re.match(r"\d+\.\d s, [\d,]+ frames/s", speed)
    assert said.err == f"1 file is no video in {tmp_path}: notes.txt\n"


def test_what_is_asked_for_is_done_in_either_spelling(grey: Grey, tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60)
    words = (
        "--window-seconds",
        "1",
        "--hop_seconds=0.5",
        "--abstain-below",
        "0.99",
        "--model",
        "x.onnx",
    )
    assert run(path, *words, "--out", tmp_path / "out", "--batch_size", "2") == 0
    rows = rows_of(tmp_path / "out" / "a" / "timeline.csv")
    assert [(row["start"], row["end"]) for row in rows] == [
        *(("0.000", "1.000"), ("0.500", "1.500"), ("1.000", "2.000"))
    ]
    assert {row["predicted"] for row in rows} == {"uncertain"}
    assert grey.batches == [2, 1]


def test_bad_videos_are_a_line_each_and_the_others_are_done(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = videos.write_video(tmp_path / "good.mp4", 15)
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").touch()
    videos.truncate(videos.write_video(tmp_path / "cut.mp4", 60, faststart=False), 50)
    videos.write_sound(tmp_path / "sound.mp4")
    (tmp_path / "nothing").mkdir()
    bad = ["text.mp4", "empty.mp4", "cut.mp4", "sound.mp4", "gone.mp4", "*.avi", "nothing"]
    words = [tmp_path / name for name in [*bad[:3], good.name, *bad[3:]]]
    assert run("--ckpt", "any.ckpt", *words, "--out", tmp_path / "out") == 2
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert len(lines) == len(bad)
    assert all(line.startswith("emorec predict: error: ") for line in lines)
    for name in bad:
        assert sum(name in line for line in lines) == 1, lines
    assert "good.mp4" in said.out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good"]


def test_damage_is_told_and_the_rest_predicted(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = videos.empty_middle(videos.write_video(tmp_path / "a.mp4", 60, gop=3))
    words = ("--window_seconds", "0.1", "--out", tmp_path / "out")
    assert run("--ckpt", "any.ckpt", path, *words) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"a\.mp4: damaged from 0:0\d to 0:0\d", line) or "damaged from" in line
    summary = json.loads((tmp_path / "out" / "a" / "summary.json").read_text())
    assert len(summary["holes"]) >= 1
    assert summary["windows"] == len(rows_of(tmp_path / "out" / "a" / "timeline.csv")) > 5


def test_a_video_without_a_face_is_written_and_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Grey(face=True)
    monkeypatch.setattr("emorec.inference.load.runtime_of", lambda path, device: runtime)
    path = videos.write_video(tmp_path / "a.mp4", 15)
    words = ("--face_detector", "haar", "--out", tmp_path / "out", "--annotate")
    said = refused(capsys, "--ckpt", "any.ckpt", path, *words)
    assert "a.mp4: no face was found in it" in said
    (row,) = rows_of(tmp_path / "out" / "a" / "timeline.csv")
    assert (row["person"], row["predicted"], row["confidence"], row["dark"]) == (
        "",
        "no face",
        "",
        "",
    )
    assert (tmp_path / "out" / "a" / "annotated.mp4").is_file()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["a.mp4"], "which network? emorec predict --ckpt FILE VIDEO"),
        (["--ckpt", "x.ckpt", "a.mp4", "--window_second", "1"], "did you mean --window_seconds?"),
        (["--ckpt", "x.ckpt", "a.mp4", "--face", "maybe"], "choose as_trained, crop or none"),
        (
            ["--ckpt", "x.ckpt", "a.mp4", "--batch_size", "many"],
            "batch_size is many: it takes a whole number",
        ),
        (["--ckpt", "x.ckpt", "a.mp4", "--hop_seconds", "0"], "hop_seconds is 0: it has to be"),
        (["--ckpt", "x.ckpt", "--model", "y.onnx", "a.mp4"], "are two networks: leave one out"),
        (
            ["--ckpt", "x.ckpt", "a.mp4", "--data.root", "d"],
            "--data.root is about the clips of a data set",
        ),
        (
            ["--model", "x.onnx"],
            "no video: name files, folders, patterns or the number of a camera",
        ),
        (["--ckpt", "x.ckpt", "gone.mp4"], "no such file or folder: gone.mp4"),
        (["--ckpt", "gone.ckpt", "a.mp4"], "no such checkpoint: gone.ckpt"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str],
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    videos.write_video(tmp_path / "a.mp4", 3)
    assert line in refused(capsys, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_an_output_folder_that_can_t_be_written_is_one_line(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 3)
    (tmp_path / "out").write_text("a file")
    said = refused(capsys, "--ckpt", "any.ckpt", path, "--out", tmp_path / "out")
    assert (
        f"can't write {tmp_path / 'out' / 'a'}" in said or f"can't write {tmp_path / 'out'}" in said
    )


def test_a_full_disk_is_one_line_and_leaves_what_was_written(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from emorec.inference import timeline_picture

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(timeline_picture, "write_timeline_picture", full)
    path = videos.write_video(tmp_path / "a.mp4", 15)
    said = refused(capsys, "--ckpt", "any.ckpt", path, "--out", tmp_path / "out")
    assert "No space left on device" in said
    assert len(rows_of(tmp_path / "out" / "a" / "timeline.csv")) == 1


def test_a_camera_that_is_not_there_is_one_line(
    grey: Grey, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("--ckpt", "any.ckpt", "91", "--out", tmp_path / "out") == 2
    said = capfd.readouterr().err
    assert "camera 91: there is none" in said
    assert said.count("\n") == 1


def test_a_camera_is_told_window_by_window(
    grey: Grey, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from emorec.commands import predict
    from emorec.inference.camera import Camera

    ticks = iter(np.arange(0, 100, 0.05).tolist())

    class Capture:
        isOpened = release = staticmethod(lambda: True)  # noqa: N815 - OpenCV's name
        get = staticmethod(lambda what: 20.0)
        read = staticmethod(lambda: (True, np.full((32, 32, 3), 255, np.uint8)))

    def made(index: int, seconds: float | None) -> Camera:
        return Camera(index, seconds, open_capture=lambda index: Capture(), now=lambda: next(ticks))

    monkeypatch.setattr(predict, "Camera", made)
    monkeypatch.setattr("emorec.commands.predict_progress.Camera", Camera)
    assert run("--ckpt", "any.ckpt", "0", "--seconds", "2", "--out", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "     0.0 s to      0.5 s  person 1  bright 100 %"
    assert len(rows_of(tmp_path / "camera_0" / "timeline.csv")) >= 6
    assert set(grey.batches) == {1}


def test_ctrl_c_leaves_what_is_done(best: Path, tmp_path: Path) -> None:
    clips = [videos.write_video(tmp_path / "a.mp4", 60, size=(640, 480)), tmp_path / "b.mp4"]
    clips[1] = repeated(clips[0], clips[1], 200)
    words = ("predict", "--ckpt", str(best), *map(str, clips), "--out", "out", *CPU)
    with started(*words, "--hop_seconds", "0.1", "--batch_size", "1", cwd=tmp_path) as process:
        timeline = tmp_path / "out" / "b" / "timeline.csv"
        wait_for(lambda: timeline.is_file() and timeline.read_text().count("\n") > 5, process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "stopped; what is done is in out"
    summary = json.loads((tmp_path / "out" / "b" / "summary.json").read_text())
    assert summary["stopped"]
    assert summary["windows"] == len(rows_of(timeline)) >= 5
    assert (tmp_path / "out" / "b" / "timeline.png").is_file()
    assert not json.loads((tmp_path / "out" / "a" / "summary.json").read_text())["stopped"]


def repeated(source: Path, path: Path, times: int) -> Path:
    """A video that many times over, its packets copied."""
    import av

    with av.open(str(source)) as file, av.open(str(path), "w") as copy:
        video = file.streams.video[0]
        stream = copy.add_stream_from_template(video)
        packets = [packet for packet in file.demux(video) if packet.size]
        assert video.duration
        content = [
            (bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in packets
        ]
        for turn in range(times):
            for data, pts, dts, key in content:
                packet = av.Packet(data)
                packet.pts, packet.dts = pts + turn * video.duration, dts + turn * video.duration
                packet.time_base, packet.stream, packet.is_keyframe = video.time_base, stream, key
                copy.mux(packet)
    return path


MEMORY = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from emorec.inference.predictor import Predictor
from emorec.inference.settings import Settings
from tests.inference.made import Grey
from emorec.inference.video_file import VideoFile
predictor = Predictor(Grey(window_seconds=3.7), Settings(batch_size=4))
said = sum(1 for _ in predictor.stream(VideoFile(Path({path!r}))))
print(said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(path: Path) -> tuple[int, int]:
    """Windows of a video, and the most memory that a process of its own took for it, in kilobytes."""
    program = MEMORY.format(root=str(Path(__file__).parents[2]), path=str(path))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    windows, kilobytes = done.stdout.split()
    return int(windows), int(kilobytes)


def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path: Path) -> None:
    ten_seconds = videos.write_video(tmp_path / "short.mp4", 20, fps=2, size=(96, 64), gop=20)
    minute = repeated(ten_seconds, tmp_path / "minute.mp4", 6)
    hour = repeated(ten_seconds, tmp_path / "hour.mp4", 360)
    few, before = peak(minute)
    many, after = peak(hour)
    assert many > 59 * few
    assert after < 1.1 * before


@pytest.mark.parametrize(
    ("words", "videos_are_named"),
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
def test_words_without_an_option_before_them_are_videos(
    words: Sequence[str], videos_are_named: bool
) -> None:
    assert is_about_videos(words) == videos_are_named


def test_the_help_names_every_option_of_videos_with_its_default() -> None:
    from emorec.commands.predict import predict

    there = {name: each.default for name, each in signature(predict).parameters.items()}
    there.pop("videos")
    told = {name: line for names, line in VIDEO_OPTIONS for name in re.findall(r"--(\w+)", names)}
    assert told.keys() == there.keys()
    assert f"({there['out']})" in told["out"]
    assert f"({there['batch_size']})" in told["batch_size"]


def test_an_onnx_file_needs_neither_torch_nor_lightning(best: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("emorec.inference.onnx_runtime")
    pytest.importorskip("emorec.commands.export")
    exported = tmp_path / "best.onnx"
    main(["export", "--ckpt", str(best), "--to", str(exported)])
    row = rows_of(best.parents[1] / "test" / "predictions.csv")[0]
    program = (
        "import sys\n"
        "for name in ('torch', 'lightning', 'torchvision', 'torchmetrics'): sys.modules[name] = None\n"
        "from emorec.cli import main\n"
        f"main(['predict', '--model', {str(exported)!r}, {row['path']!r}, '--out', 'out', '--annotate'])"
    )
    words = [sys.executable, "-c", program]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run(words, cwd=tmp_path, env=environ, check=True, capture_output=True)
    (written,) = rows_of(tmp_path / "out" / Path(row["path"]).stem / "timeline.csv")
    names = emorec.load(exported).facts.names
    assert [float(written[name]) for name in names] == pytest.approx(
        [float(row[f"calibrated {name}"]) for name in names], abs=1e-5
    )


README = Path(__file__).parents[2] / "README.md"


def test_the_example_of_the_readme_runs(
    best: Path, drawn_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    examples = [block for block in blocks if "emorec.load" in block]
    if not examples:
        pytest.skip("the README has no example of emorec.load yet")
    monkeypatch.chdir(tmp_path)
    shutil.copy(best, tmp_path / "best.ckpt")
    shutil.copy(next(drawn_clips.rglob("*.mp4")), tmp_path / "talk.mp4")
    for example in examples:
        exec(compile(example, str(README), "exec"), {})
