"""Frames are decoded once, kept as they were, noticed when they are not, and shared by all who ask at once."""

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from emorec.data.cache import decode_process, frame_store
from emorec.data.cache.frame_store import NoRoomError
from emorec.data.cache.look_through import LookedThrough, look_through
from emorec.data.cache.manifest import part
from emorec.data.clip import Clip
from emorec.data.recipe import Recipe
from emorec.data.resize import resized
from emorec.data.synthetic.clips import encode_mp4
from emorec.data.video.reader import decode, linspace_indices
from emorec.errors import UserError
from tests import videos

RECIPE = Recipe(num_frames=6, size=(32, 32))
LENGTHS = (7, 23, 40)

SCRIPT = """
import sys
from pathlib import Path
from emorec.data.clip import Clip
from emorec.data.cache.look_through import look_through
from emorec.data.recipe import Recipe
clips = [Clip(path=path, label=0, actor=1, take="") for path in sorted(Path(sys.argv[1]).glob("*.mp4"))]
recipe = Recipe(num_frames=6, size=(32, 32))
looked = look_through(clips, recipe, Path(sys.argv[2]), keep_frames=True, workers=2)
source = looked.source(recipe)
print([int(source(clip).sum()) for clip in clips])
"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("clips")
    return [
        Clip(path=videos.write_video(folder / f"{length}.mp4", length), label=0, actor=1, take="")
        for length in LENGTHS
    ]


def look(clips: list[Clip], folder: Path, recipe: Recipe = RECIPE) -> LookedThrough:
    return look_through(clips, recipe, folder, keep_frames=True, workers=1)


def alike(looked: LookedThrough, clips: list[Clip], recipe: Recipe = RECIPE) -> bool:
    """Whether the cache gives for each clip what decoding it gives."""
    source = looked.source(recipe)
    return all(
        np.array_equal(
            source(clip), recipe.pictures(clip.path, clip.span_seconds, clip.half).frames
        )
        for clip in clips
    )


@pytest.mark.parametrize("num_frames", [6, 10, 16])
@pytest.mark.parametrize("resize", ["shorter_side", "squash"])
def test_the_cache_holds_the_evenly_spaced_frames_of_the_source(
    clips: list[Clip], tmp_path: Path, num_frames: int, resize: str
) -> None:
    recipe = Recipe(num_frames=num_frames, size=(32, 32), resize=resize)  # type: ignore[arg-type]
    source = look(clips, tmp_path, recipe).source(recipe)
    for clip, length in zip(clips, LENGTHS, strict=True):
        frames = decode(clip.path, partial(linspace_indices, num_frames=num_frames)).frames
        assert np.array_equal(source(clip), resized(frames, (32, 32), recipe.resize))
        indices = linspace_indices(length, num_frames)
        assert videos.shown_indices(source(clip)) == indices


def test_parts_of_a_video_are_kept_beside_the_whole(clips: list[Clip], tmp_path: Path) -> None:
    half_a_second = Clip(path=clips[2].path, label=0, actor=1, take="", span_seconds=(0.5, 1.0))
    looked = look([clips[2], half_a_second], tmp_path)
    assert alike(looked, [clips[2], half_a_second])
    assert videos.shown_indices(looked.source(RECIPE)(half_a_second))[0] == 15


def test_of_two_people_side_by_side_each_is_a_clip(tmp_path: Path) -> None:
    both = np.zeros((5, 32, 64, 3), dtype=np.uint8)
    both[:, :, 32:] = 200
    path = tmp_path / "two.mp4"
    path.write_bytes(encode_mp4(both, fps=5))
    left, right, whole = (
        Clip(path=path, label=0, actor=1, take="", half=half)
        for half in ("left", "right", None)  # type: ignore[arg-type]
    )
    looked = look([left, right, whole], tmp_path / "cache")
    source = looked.source(RECIPE)
    assert source(left).mean() < 20
    assert source(right).mean() > 180
    assert 80 < source(whole).mean() < 120
    assert alike(looked, [left, right, whole])


def test_a_second_look_decodes_nothing(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = look(clips, tmp_path)
    monkeypatch.setattr(frame_store.FrameStore, "find_out", None)
    monkeypatch.setattr(frame_store, "damaged_clips", None)
    assert look(clips, tmp_path).entries == first.entries


def test_more_clips_later_leave_those_that_are_there(clips: list[Clip], tmp_path: Path) -> None:
    first = look(clips[:2], tmp_path)
    both = look(clips, tmp_path)
    assert all(both.entries[each] == entry for each, entry in first.entries.items())
    assert alike(both, clips)


@pytest.mark.parametrize("damage", ["altered", "cut off", "gone", "manifest gone"])
def test_damage_is_noticed_and_mended(clips: list[Clip], tmp_path: Path, damage: str) -> None:
    frames = look(clips, tmp_path).frames
    assert frames is not None
    if damage == "altered":
        with frames.path.open("r+b") as file:
            file.seek(frames.slot_bytes + 100)
            file.write(b"\0\1\2\3")
        os.utime(frames.path)
    elif damage == "cut off":
        with frames.path.open("r+b") as file:
            file.truncate(2 * frames.slot_bytes - 1)
    elif damage == "gone":
        frames.path.unlink()
    else:
        (tmp_path / "manifest.sqlite").unlink()
    assert alike(look(clips, tmp_path), clips)


def test_one_altered_clip_is_made_anew_and_no_other(
    clips: list[Clip], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = look(clips, tmp_path).frames
    assert frames is not None
    frames.write(1, frames.read(0))
    assert alike(look(clips, tmp_path), clips)
    assert "frames of 1 clips were damaged" in caplog.text


def test_a_broken_clip_takes_no_slot_and_is_known_as_broken(
    clips: list[Clip], tmp_path: Path
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    broken = Clip(path=text, label=0, actor=1, take="")
    for _ in range(2):
        looked = look([broken, *clips], tmp_path / "cache")
        assert [clip.path for clip in looked.broken] == [text]
        assert looked.entries[part(broken)].slot is None
        assert alike(looked, clips)


def test_too_little_room_is_said_before_anything_is_decoded(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 1000))  # type: ignore[attr-defined]
    with pytest.raises(NoRoomError, match=r"3 clips need .* GB .* are free: .*--data.cache"):
        look(clips, tmp_path)


def test_a_folder_that_cant_be_made_is_named(clips: list[Clip], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NoRoomError, match=r"can't keep frames in .*file/cache: Not a directory"):
        look(clips, tmp_path / "file" / "cache")


def test_processes_that_fill_at_once_decode_each_clip_once_and_see_the_same(
    clips: list[Clip], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", SCRIPT, str(clips[0].path.parent), str(tmp_path / "cache")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = {run.communicate(timeout=60)[0] for run in runs}
    assert [run.returncode for run in runs] == [0] * 4
    assert len(outputs) == 1
    looked = look(clips, tmp_path / "cache")
    assert looked.frames is not None
    assert looked.frames.path.stat().st_size == len(clips) * looked.frames.slot_bytes
    assert alike(looked, clips)


@pytest.mark.slow
def test_whenever_it_is_killed_the_next_call_makes_the_cache_whole(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    clips = [
        Clip(
            path=videos.write_video(folder / f"{length:02}.mp4", length), label=0, actor=1, take=""
        )
        for length in range(20, 44)
    ]
    command = [sys.executable, "-c", SCRIPT, str(folder), str(tmp_path / "cache")]
    took = 0.0
    random = np.random.default_rng(0)
    for kill in range(8):
        began = time.monotonic()
        run = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        if kill == 0:
            run.communicate(timeout=60)
            took = time.monotonic() - began
            shutil.rmtree(tmp_path / "cache")
            continue
        time.sleep(random.uniform(0.3, 1.0) * took)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
    assert alike(look(clips, tmp_path / "cache"), clips)


def test_a_decoder_that_cant_be_loaded_is_one_line_and_no_fault_of_the_clips(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "av").mkdir()
    (tmp_path / "av" / "__init__.py").write_text("raise ImportError('no libavcodec here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    worker = tuple(word for word in decode_process.WORKER if word != "-P")
    monkeypatch.setattr(decode_process, "WORKER", worker)
    with pytest.raises(UserError, match=r"can't be loaded: no libavcodec here"):
        look(clips, tmp_path / "cache", Recipe(num_frames=2, size=(8, 8), decoder="pyav"))
