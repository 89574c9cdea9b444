"""Broken clips are found, with their reasons."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from emorec.data.cache import decode_process
from emorec.data.cache.decode_process import DecodeProcess, DecoderDiedError
from emorec.data.cache.look_through import BrokenClip
from emorec.data.cache.manifest import MANIFEST
from tests import videos
from tests.data.cache.looked import FAKE_WORKER, files


def test_every_kind_of_broken_clip_is_found_with_its_reason_and_healthy_ones_pass(
    tmp_path: Path, check: Callable[..., list[BrokenClip]]
) -> None:
    def path(name: str) -> Path:
        return tmp_path / f"{name}.mp4"

    whole = videos.write_video(path("healthy"), bframes=3, open_gop=True, sound=True)
    healthy = [
        whole,
        videos.write_video(path("one gop"), gop=250),
        videos.write_video(path("still"), still=True),
        videos.hide_end(videos.write_video(path("one too many, as RAVDESS"), bframes=2), 1),
        videos.cut_without_encoding(whole, path("cut"), 17),
        videos.cut_without_encoding(whole, path("cut and not hidden"), 17, hide=False),
    ]
    broken = {
        path("missing"): "can't be read: No such file",
        path("empty"): "the file is empty",
        path("text"): "not a video",
        videos.write_sound(path("sound")): "there are no pictures in it",
        videos.write_video(path("one"), 1): "only one frame",
        videos.hide_end(videos.write_video(path("lies"), bframes=2), 2): (
            "lies about its length: promises 40 frames, of which 38 can be decoded"
        ),
        videos.empty_middle(videos.write_video(path("hole"))): "damaged or cut off",
        videos.flip_bits(videos.write_video(path("flips")), 20): "damaged: ",
    }
    path("empty").touch()
    path("text").write_text("no video")
    for percent in (10, 50, 90, 99):
        cut_off = videos.write_video(path(f"cut off at {percent}"))
        broken[videos.truncate(cut_off, percent)] = "damaged or cut off"

    found = check([*healthy, *broken])

    assert [clip.path for clip in found] == list(broken)
    for clip in found:
        assert clip.reason.startswith(broken[clip.path])
        assert "\n" not in clip.reason
    assert check([*healthy, *broken]) == found


def test_a_clip_that_hangs_or_crashes_the_decoder_is_named_and_the_others_are_still_checked(
    tmp_path: Path,
    check: Callable[..., list[BrokenClip]],
    asked: Callable[[], list[str]],
) -> None:
    names = ("a", "hang", "b", "crash", "c", "killed", "d", "damaged", "e")
    paths = files(tmp_path, *names)
    began = time.monotonic()
    found = check(paths, timeout_seconds=1.5)
    assert time.monotonic() - began < 20
    assert {clip.path.name: clip.reason for clip in found} == {
        "hang": "decoding hangs: no end after 1.5 s",
        "crash": "crashes the decoder (exit code 3)",
        "killed": "crashes the decoder (SIGKILL)",
        "damaged": "damaged",
    }
    assert asked() == sorted(names)

    # what may have been the machine's fault is tried again, the rest is known
    assert check(paths, timeout_seconds=1.5) == found
    assert asked() == ["crash", "hang", "killed"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_file_that_never_gives_its_content_does_not_hold_up_the_run(
    tmp_path: Path, check: Callable[..., list[BrokenClip]]
) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    paths = [videos.write_video(tmp_path / "clip.mp4"), tmp_path / "pipe.mp4"]
    (broken,) = check(paths, timeout_seconds=1.5)
    assert (broken.path, broken.reason) == (paths[1], "decoding hangs: no end after 1.5 s")


def test_a_worker_that_does_not_start_is_an_error_and_no_verdict(
    tmp_path: Path,
    check: Callable[..., list[BrokenClip]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decode_process, "WORKER", (sys.executable, "-c", "raise SystemExit(1)"))
    with pytest.raises(RuntimeError, match="did not start"):
        check(files(tmp_path, "a"))


def test_a_process_that_died_between_two_clips_is_replaced(
    tmp_path: Path, asked: Callable[[], list[str]]
) -> None:
    process = DecodeProcess(timeout_seconds=5)
    a, b = ({"path": str(path), "recipe": {}} for path in files(tmp_path, "a", "b"))
    assert process.ask(a) == {"error": None}
    process.kill()
    with pytest.raises(DecoderDiedError):
        process.ask(b)
    assert process.ask(b) == {"error": None}
    process.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
def test_ctrl_c_ends_it_at_once_leaves_no_process_and_keeps_what_was_found(tmp_path: Path) -> None:
    paths = [*files(tmp_path, "a", "b"), *files(tmp_path, "hang 1", "hang 2", "hang 3")]
    code = (
        "import sys; from pathlib import Path; from emorec.data.cache import decode_process\n"
        "from emorec.data.clip import Clip\n"
        "from emorec.data.cache.look_through import look_through\n"
        "from emorec.data.recipe import Recipe\n"
        "cache, worker, *paths = sys.argv[1:]\n"
        "decode_process.WORKER = (sys.executable, '-c', worker)\n"
        "clips = [Clip(path=Path(path), label=0, actor=1, take=path) for path in paths]\n"
        "recipe = Recipe(num_frames=2, size=(8, 8))\n"
        "look_through(clips, recipe, Path(cache), keep_frames=False, workers=2)\n"
    )
    memory, asked = tmp_path / "cache", tmp_path / "asked.txt"
    # its workers leave their process numbers where they are asked
    worker = FAKE_WORKER.replace("print(path, file", "print(os.getpid(), path, file")
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(memory), worker, *map(str, paths)],
        env={**os.environ, "ASKED": str(asked)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 20
    while not (asked.exists() and asked.read_text().count("hang") == 2):
        assert time.monotonic() < until
        time.sleep(0.02)
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert "KeyboardInterrupt" in errors
    for line in asked.read_text().splitlines():
        with pytest.raises(ProcessLookupError):
            os.kill(int(line.split()[0]), 0)
    rows = sqlite3.connect(memory / MANIFEST).execute("SELECT file, status FROM clips").fetchall()
    assert sorted(rows) == [("a", "ready"), ("b", "ready")]


@pytest.mark.real
def test_no_real_clip_is_called_broken(
    ravdess_root: Path, check: Callable[..., list[BrokenClip]]
) -> None:
    originals = sorted(ravdess_root.with_name("ravdess_original").rglob("*.mp4"))
    assert check([*sorted(ravdess_root.rglob("*.mp4"))[::20], *originals[:2]]) == []
