"""Clips are decoded in subprocesses that may hang, crash or be killed."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emorec.data.cache import workers
from emorec.data.cache.build import build_cache
from emorec.data.cache.store import DATABASE
from emorec.data.cache.workers import DecoderDiedError, DecoderProcess, decode_clip
from emorec.data.preprocessing import FrameSpec
from emorec.errors import UserError
from tests import videos
from tests.data.cache.misbehaving import Misbehaving, clips_of, write_files

ROOT = Path(__file__).parents[3]


@pytest.fixture
def spec(tmp_path: Path) -> Misbehaving:
    return Misbehaving(log=str(tmp_path / "log.txt"))


def test_clips_that_hang_or_crash_the_decoder_are_named_and_the_others_stored(
    tmp_path: Path, spec: Misbehaving
) -> None:
    names = ("a", "hang", "b", "crash", "c", "killed", "d", "damaged", "e")
    clips = clips_of(write_files(tmp_path, *names))
    reasons = {
        "hang": "decoding hangs: no end after 1.5 s",
        "crash": "crashes the decoder (exit code 3)",
        "killed": "crashes the decoder (SIGKILL)",
        "damaged": "damaged",
    }
    for expected in (sorted(names), ["crash", "hang", "killed"]):
        # hangs and crashes are retried, other results are cached
        reader = build_cache(clips, spec, str(tmp_path / "cache"), workers=2, timeout_seconds=1.5)
        assert {clip.path.name: reason for clip, reason in reader.errors.items()} == reasons
        assert [clip.path.name for clip in reader.files] == ["a", "b", "c", "d", "e"]
        assert spec.decoded() == expected


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_file_that_blocks_on_reading_times_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    paths = [videos.write_video(tmp_path / "clip.mp4"), tmp_path / "pipe.mp4"]
    reader = build_cache(
        clips_of(paths),
        FrameSpec(num_frames=2, size=(8, 8)),
        str(tmp_path / "cache"),
        workers=2,
        timeout_seconds=5,
    )
    ((broken, reason),) = reader.errors.items()
    assert (broken.path, reason) == (paths[1], "decoding hangs: no end after 5 s")


def test_a_subprocess_that_does_not_start_is_an_error_and_not_a_broken_clip(
    tmp_path: Path, spec: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "WORKER", (sys.executable, "-c", "raise SystemExit(1)"))
    with pytest.raises(RuntimeError, match="did not start"):
        build_cache(clips_of(write_files(tmp_path, "a")), spec, str(tmp_path / "c"), workers=2)


def test_a_subprocess_that_died_between_clips_is_replaced(
    tmp_path: Path, spec: Misbehaving
) -> None:
    a, b = clips_of(write_files(tmp_path, "a", "b"))
    process = DecoderProcess(timeout_seconds=30)
    assert process.call(decode_clip, a, {spec: tmp_path / "a.npy"})[0][0].error is None
    process.kill()
    with pytest.raises(DecoderDiedError):
        process.call(decode_clip, b, {spec: tmp_path / "b.npy"})
    assert process.call(decode_clip, b, {spec: tmp_path / "b.npy"})[0][0].error is None
    process.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
def test_ctrl_c_ends_all_processes_and_keeps_decoded_clips(
    tmp_path: Path, spec: Misbehaving
) -> None:
    paths = write_files(tmp_path, "a", "b", "hang 1", "hang 2", "hang 3")
    code = (
        "import sys; from pathlib import Path\n"
        "from emorec.data.cache.build import build_cache\n"
        "from tests.data.cache.misbehaving import Misbehaving, clips_of\n"
        "cache, log, *paths = sys.argv[1:]\n"
        "build_cache(clips_of(list(map(Path, paths))), Misbehaving(log=log), cache, workers=2)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "cache"), spec.log, *map(str, paths)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = Path(spec.log)
    while not (log.exists() and log.read_text().count("hang") == 2):
        assert run.poll() is None
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=40)  # well before a hanging clip ends, after 60 seconds
    assert "KeyboardInterrupt" in errors
    for line in log.read_text().splitlines():
        with pytest.raises(ProcessLookupError):
            os.kill(int(line.split()[0]), 0)
    rows = sqlite3.connect(tmp_path / "cache" / DATABASE).execute("SELECT file, error FROM clips")
    assert sorted(rows) == [("a", None), ("b", None)]


def test_a_decoder_that_cant_be_loaded_is_an_error_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "av").mkdir()
    (tmp_path / "av" / "__init__.py").write_text("raise ImportError('no libavcodec here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(workers, "WORKER", tuple(w for w in workers.WORKER if w != "-P"))
    clips = clips_of([videos.write_video(tmp_path / "a.mp4", 5)])
    with pytest.raises(UserError, match=r"can't be loaded: no libavcodec here"):
        build_cache(
            clips,
            FrameSpec(num_frames=2, size=(8, 8), decoder="pyav"),
            str(tmp_path / "cache"),
            workers=1,
        )


@pytest.mark.parametrize("run_as", ["script", "standard input"])
def test_workers_start_from_a_script_without_a_main_guard_and_without_torch(
    tmp_path: Path, run_as: str
) -> None:
    video = videos.write_video(tmp_path / "clip.mp4")
    script = (
        "import sys; from pathlib import Path\n"
        "from emorec.data.cache.build import build_cache\n"
        "from emorec.data.clip import Clip\n"
        "from emorec.data.preprocessing import FrameSpec\n"
        f"clip = Clip(path=Path({str(video)!r}), label=0, actor=1, take='')\n"
        "spec = FrameSpec(num_frames=2, size=(8, 8))\n"
        f"print(build_cache([clip], spec, {str(tmp_path / 'cache')!r}, workers=2).errors)\n"
        "print('torch' in sys.modules)\n"
    )
    if run_as == "script":
        (tmp_path / "script.py").write_text(script)
        command, stdin = [sys.executable, str(tmp_path / "script.py")], None
    else:
        command, stdin = [sys.executable, "-"], script
    completed = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert (completed.stdout, completed.stderr) == ("{}\nFalse\n", "")
