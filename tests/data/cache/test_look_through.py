"""Broken clips are found, healthy ones pass, no clip is decoded twice, and nothing that a clip does ends the run."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from emorec.data.cache import decode_process
from emorec.data.cache.decode_process import DecodeProcess, DecoderDiedError
from emorec.data.cache.look_through import BrokenClip, look_through
from emorec.data.cache.manifest import MANIFEST, Manifest
from emorec.data.clip import Clip
from emorec.data.recipe import Recipe
from tests import videos

RECIPE = Recipe(num_frames=2, side=8)

# A worker that does what the name of a clip says.
FAKE_WORKER = """
import json, os, sys, time
print('"ready"', flush=True)
for line in sys.stdin:
    request = json.loads(line)
    path = request["path"]
    if "recipe" not in request:
        print(json.dumps({"digest": path + open(path).read()}), flush=True)
        continue
    with open(os.environ["ASKED"], "a") as asked:
        print(path, file=asked)
    name = os.path.basename(path)
    if "hang" in name:
        time.sleep(60)
    if "crash" in name:
        os._exit(3)
    if "killed" in name:
        os.kill(os.getpid(), 9)
    print(json.dumps({"error": "damaged" if "damaged" in name else None}), flush=True)
"""


def clips_of(paths: Sequence[Path]) -> list[Clip]:
    return [Clip(path=path, label=0, actor=1, take=path.name) for path in paths]


def check_clips(paths: Sequence[Path], **options: object) -> list[BrokenClip]:
    """Which clips are broken; no frames are kept."""
    return look_through(clips_of(paths), RECIPE, keep_frames=False, **options).broken  # type: ignore[arg-type]


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[BrokenClip]]:
    return partial(check_clips, workers=2, folder=tmp_path / "cache")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Puts the fake worker in place; says which clips it was asked about since the last call."""
    log = tmp_path / "asked.txt"
    log.touch()
    monkeypatch.setenv("ASKED", str(log))
    monkeypatch.setattr(decode_process, "WORKER", (sys.executable, "-c", FAKE_WORKER))

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
    assert (broken.path, broken.reason) == (paths[1], "decoding hangs: no end after 1.5 s")


def test_a_clip_is_decoded_again_only_after_its_content_changed(
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
    assert asked() == ["a", "c"]


def test_verdicts_of_another_decoder_count_for_nothing(
    tmp_path: Path,
    check: Callable[..., list[BrokenClip]],
    asked: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = files(tmp_path, "a")
    check(paths)
    assert asked() == ["a"]
    monkeypatch.setattr(
        import_module("emorec.data.recipe"), "decoder_version", lambda decoder: f"{decoder} 9"
    )
    check(paths)
    assert asked() == ["a"]


def test_a_clip_is_known_by_its_content_wherever_it_lies(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    videos.write_video(old / "a.mp4", 5)
    look = partial(look_through, folder=tmp_path / "cache", keep_frames=True, workers=1)
    first = look(clips_of([old / "a.mp4"]), RECIPE)
    assert first.frames is not None
    size = first.frames.path.stat().st_size
    old.rename(new)
    os.utime(new / "a.mp4", ns=(1, 1))
    copy = new / "b.mp4"
    copy.write_bytes((new / "a.mp4").read_bytes())
    moved = look(clips_of([new / "a.mp4", copy]), RECIPE)
    assert set(moved.entries.values()) == set(first.entries.values())
    assert first.frames.path.stat().st_size == size


@pytest.mark.parametrize(
    "content", ["", "{", "SQLite format 3\0 and then nothing of the kind" * 100]
)
def test_a_spoilt_manifest_is_as_good_as_none(
    tmp_path: Path,
    check: Callable[..., list[BrokenClip]],
    asked: Callable[[], list[str]],
    content: str,
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / MANIFEST).write_text(content)
    paths = files(tmp_path, "a")
    for expected in (["a"], []):
        assert check(paths) == []
        assert asked() == expected


def test_a_folder_that_cant_be_written_costs_a_second_check_and_no_error(
    tmp_path: Path, check: Callable[..., list[BrokenClip]], asked: Callable[[], list[str]]
) -> None:
    (tmp_path / "file").touch()
    for _ in range(2):
        assert check(files(tmp_path, "a"), folder=tmp_path / "file" / "cache") == []
        assert asked() == ["a"]


def test_what_is_written_into_a_manifest_is_there_wholly_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / MANIFEST

    def fail_half_way(manifest: Manifest) -> None:
        with manifest.writing():
            manifest.add_digest(tmp_path, (1, 2), "digest")
            raise ZeroDivisionError

    with Manifest(path) as manifest, pytest.raises(ZeroDivisionError):
        fail_half_way(manifest)
    with Manifest(path) as manifest:
        assert manifest.digests() == {}


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
        "recipe = Recipe(num_frames=2, side=8)\n"
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
