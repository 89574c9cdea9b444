"""Broken clips are found, healthy ones pass, no clip is decoded twice, and nothing that a clip does ends the run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from emorec.data import check_memory, check_process
from emorec.data.check import VERSION, BrokenClip, check_clips
from emorec.data.check_process import DecoderDiedError, DecoderProcess
from tests import videos

# A worker that does what the name of a clip says.
FAKE_WORKER = """
import json, os, sys, time
print('"ready"', flush=True)
for line in sys.stdin:
    path = json.loads(line)
    with open(os.environ["ASKED"], "a") as asked:
        print(path, file=asked)
    name = os.path.basename(path)
    if "hang" in name:
        time.sleep(60)
    if "crash" in name:
        os._exit(3)
    if "killed" in name:
        os.kill(os.getpid(), 9)
    print(json.dumps("damaged" if "damaged" in name else None), flush=True)
"""


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[BrokenClip]]:
    return partial(check_clips, workers=2, memory=tmp_path / "cache" / "memory.json")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Puts the fake worker in place; says which clips it was asked about since the last call."""
    log = tmp_path / "asked.txt"
    log.touch()
    monkeypatch.setenv("ASKED", str(log))
    monkeypatch.setattr(check_process, "WORKER", (sys.executable, "-c", FAKE_WORKER))

    def names() -> list[str]:
        lines = log.read_text().splitlines()
        log.write_text("")
        return sorted(Path(line).name for line in lines)

    return names


def files(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.write_text("pictures")
    return paths


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
    assert broken == BrokenClip(paths[1], "decoding hangs: no end after 1.5 s")


def test_a_clip_is_decoded_again_only_after_it_changed(
    tmp_path: Path,
    check: Callable[..., list[BrokenClip]],
    asked: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = files(tmp_path, "a", "b", "damaged")
    first = check([*paths, *paths])
    assert [clip.path.name for clip in first] == ["damaged"]
    assert asked() == ["a", "b", "damaged"]

    monkeypatch.chdir(tmp_path)
    assert check([Path("a"), Path("b")]) == []
    assert asked() == []

    (tmp_path / "a").write_text("other pictures")
    os.utime(tmp_path / "b", ns=(1, 1))
    (tmp_path / "c").write_text("pictures")
    assert check([*paths, tmp_path / "c"]) == first
    assert asked() == ["a", "b", "c"]


def test_verdicts_of_another_decoder_count_for_nothing(tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    check_memory.remember(memory, "one", {"/clip": ((1, 2), None)})
    assert check_memory.recall(memory, "one") == {"/clip": ((1, 2), None)}
    assert check_memory.recall(memory, "two") == {}
    check_memory.remember(memory, "two", {"/other": ((1, 2), "damaged")})
    assert check_memory.recall(memory, "two") == {"/other": ((1, 2), "damaged")}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"version": 1}', f'{{"version": "{VERSION}", "clips": [1]}}'],
)
def test_a_spoilt_memory_is_as_good_as_none(
    tmp_path: Path,
    check: Callable[..., list[BrokenClip]],
    asked: Callable[[], list[str]],
    content: str,
) -> None:
    memory = tmp_path / "memory.json"
    memory.write_text(content)
    paths = files(tmp_path, "a")
    for expected in (["a"], []):
        assert check(paths, memory=memory) == []
        assert asked() == expected


def test_a_cache_folder_that_cant_be_written_is_no_error(
    tmp_path: Path, check: Callable[..., list[BrokenClip]], asked: Callable[[], list[str]]
) -> None:
    (tmp_path / "file").touch()
    for _ in range(2):
        assert check(files(tmp_path, "a"), memory=tmp_path / "file" / "memory.json") == []
        assert asked() == ["a"]


def test_processes_that_remember_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    code = (
        "import sys; from pathlib import Path; from emorec.data.check_memory import remember\n"
        "for i in range(100):\n"
        "    remember(Path(sys.argv[1]), 'v', {f'/{sys.argv[2]}/{i}': ((1, 2), None)})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(memory), name]) for name in "abc"]
    while any(writer.poll() is None for writer in writers):
        if memory.exists():
            json.loads(memory.read_text())
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert check_memory.recall(memory, "v")
    assert list(tmp_path.iterdir()) == [memory]


def test_the_default_memory_is_in_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert check_memory.default_memory() == Path("/elsewhere/emorec/checked-clips.json")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert check_memory.default_memory() == Path("/home/someone/.cache/emorec/checked-clips.json")


def test_1440_known_clips_cost_well_under_a_second(
    tmp_path: Path, check: Callable[..., list[BrokenClip]], asked: Callable[[], list[str]]
) -> None:
    paths = files(tmp_path, *(f"{index}.mp4" for index in range(1440)))
    check(paths)
    asked()
    began = time.monotonic()
    assert check(paths) == []
    assert time.monotonic() - began < 0.5
    assert asked() == []


def test_a_worker_that_does_not_start_is_an_error_and_no_verdict(
    tmp_path: Path,
    check: Callable[..., list[BrokenClip]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check_process, "WORKER", (sys.executable, "-c", "raise SystemExit(1)"))
    with pytest.raises(RuntimeError, match="did not start"):
        check(files(tmp_path, "a"))


def test_a_process_that_died_between_two_clips_is_replaced(
    tmp_path: Path, asked: Callable[[], list[str]]
) -> None:
    process = DecoderProcess(timeout_seconds=5)
    a, b = files(tmp_path, "a", "b")
    assert process.whats_wrong(a) is None
    process.kill()
    with pytest.raises(DecoderDiedError):
        process.whats_wrong(b)
    assert process.whats_wrong(b) is None
    process.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
def test_ctrl_c_ends_it_at_once_leaves_no_process_and_keeps_what_was_found(tmp_path: Path) -> None:
    paths = [*files(tmp_path, "a", "b"), *files(tmp_path, "hang 1", "hang 2", "hang 3")]
    code = (
        "import json, sys; from pathlib import Path; from emorec.data import check_process\n"
        "from emorec.data.check import check_clips\n"
        "memory, worker, *paths = sys.argv[1:]\n"
        "check_process.WORKER = (sys.executable, '-c', worker)\n"
        "check_clips([Path(path) for path in paths], workers=2, memory=Path(memory))\n"
    )
    memory, asked = tmp_path / "memory.json", tmp_path / "asked.txt"
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
    assert set(check_memory.recall(memory, VERSION)) == {str(path) for path in paths[:2]}


@pytest.mark.real
def test_no_real_clip_is_called_broken(
    ravdess_root: Path, check: Callable[..., list[BrokenClip]]
) -> None:
    originals = sorted(ravdess_root.with_name("ravdess_original").rglob("*.mp4"))
    assert check([*sorted(ravdess_root.rglob("*.mp4"))[::20], *originals[:2]]) == []
