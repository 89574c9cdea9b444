"""What is known of a clip is not asked again."""

import os
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from emorec.data.cache.look_through import BrokenClip, look_through
from emorec.data.cache.manifest import MANIFEST, Manifest
from tests import videos
from tests.data.cache.looked import RECIPE, clips_of, files


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
