"""Bad clips and folders: one-line errors before the run starts, or clips that are skipped and recorded."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emorec import checkpoint
from emorec.cli import main
from emorec.data import ClipDataModule
from tests import videos
from tests.bad_input.tiny_run import BEST, LAST, TAKE, checkpoint_bytes, fit, resume


def test_a_missing_folder_is_named(clips: Path, error_before_writing: Callable[..., str]) -> None:
    assert "nowhere" in error_before_writing(*fit("--data.root", "nowhere"))


def test_a_folder_without_clips_is_named(
    clips: Path, error_before_writing: Callable[..., str]
) -> None:
    Path("empty").mkdir()
    assert "below empty" in error_before_writing(*fit("--data.root", "empty"))


def test_a_folder_of_other_videos_is_refused_with_an_example(
    clips: Path, whole_clip: Path, error_before_writing: Callable[..., str]
) -> None:
    Path("holiday").mkdir()
    shutil.copy(whole_clip, "holiday/beach.mp4")
    line = error_before_writing(*fit("--data.root", "holiday"))
    assert "below holiday" in line
    assert "beach.mp4" in line


def test_unparsable_names_are_logged_once_and_the_others_used(
    clips: Path, whole_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(whole_clip, clips / "beach.mp4")
    shutil.copy(whole_clip, clips / "01-01-09-01-01-01-01.mp4")
    main(fit())
    warnings = [text for text in caplog.messages if "beach.mp4" in text]
    assert len(warnings) == 1
    assert "01-01-09-01-01-01-01.mp4 (emotion 09" in warnings[0]
    assert checkpoint.read(BEST).split["num_clips"] == {"train": 20, "val": 2, "test": 2}


def test_a_folder_without_permission_is_named(
    clips: Path, error_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (clips / "Actor_05").mkdir()
    scandir = os.scandir

    def scandir_without_permission(
        path: Any = ".",
    ) -> Any:  # root may read every folder, so permissions are simulated
        if str(path).endswith("clips/Actor_05"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir_without_permission)
        line = error_of(*fit())
    assert "clips/Actor_05: Permission denied" in line
    assert not Path("lightning_logs").exists()


def damage_clips(clips: Path) -> dict[str, str]:
    """Damage nine clips in nine ways; return the expected reason of each."""

    def clip(actor: int) -> Path:
        return clips / TAKE.format(actor)

    clip(1).write_bytes(b"")
    for actor, percent in ((2, 10), (3, 50), (4, 90), (5, 97)):
        videos.truncate(clip(actor), percent)
    clip(6).write_text("a text that somebody renamed " * 99)
    videos.write_sound(clip(7))
    videos.write_video(clip(8), 1)
    videos.hide_end(videos.write_video(clip(9), bframes=2), 2)
    reasons = ["empty", *["cut off"] * 4, "not a video", "no pictures", "only one frame", "lies"]
    return {clip(actor).name: reason for actor, reason in enumerate(reasons, start=1)}


def test_broken_clips_are_all_listed_and_refused_before_the_run_starts(
    clips: Path, error_before_writing: Callable[..., str]
) -> None:
    damaged = damage_clips(clips)
    line = error_before_writing(*fit())
    assert "9 of 22 clips" in line
    assert "--data.on_error skip" in line
    for name, reason in damaged.items():
        assert re.search(rf"{name} \([^)]*{reason}", line)


def test_skipped_clips_are_reported_once_and_recorded(
    clips: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    damaged = damage_clips(clips)
    main(fit("--data.on_error", "skip"))
    output = capsys.readouterr().out
    (warning,) = [text for text in caplog.messages if TAKE.format(9) in text]
    split = checkpoint.read(BEST).split
    assert split["skipped"] == list(damaged)
    assert split["num_clips"]["train"] == 11
    for name in damaged:
        assert name in warning
        assert name in output


def test_a_subset_whose_clips_are_all_broken_is_named(
    clips: Path, error_before_writing: Callable[..., str]
) -> None:
    for actor in (21, 22):
        (clips / TAKE.format(actor)).write_bytes(b"")
    assert "val" in error_before_writing(*fit("--data.on_error", "skip"))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_clip_that_vanishes_during_the_run_is_named_and_the_last_checkpoint_kept(
    run: Path,
    error_of: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    num_workers: int,
) -> None:
    setup = ClipDataModule.setup

    def setup_and_remove_a_clip(data: ClipDataModule, stage: str) -> None:
        setup(data, stage)
        (run / "clips" / TAKE.format(7)).rename(run / "elsewhere.mp4")

    before = checkpoint_bytes(run)
    monkeypatch.setattr(ClipDataModule, "setup", setup_and_remove_a_clip)
    line = error_of(*resume("--data.num_workers", str(num_workers), "--data.cache", "none"))
    assert f"{TAKE.format(7)}: can't be read: No such file or directory" in line
    assert checkpoint_bytes(run) == before


@pytest.mark.parametrize("num_workers", [0, 1])
def test_clips_with_a_truncated_cache_are_decoded_again_and_cached_by_the_next_run(
    run: Path, num_workers: int
) -> None:
    setup = ClipDataModule.setup

    def setup_and_truncate(data: ClipDataModule, stage: str) -> None:
        setup(data, stage)
        for frames in Path("cache").rglob("*.npy"):
            os.truncate(frames, 100)

    arguments = resume("--data.num_workers", str(num_workers), "--data.cache", "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClipDataModule, "setup", setup_and_truncate)
        main(arguments)
    assert checkpoint.read(LAST).epochs == 2
    assert {frames.stat().st_size for frames in Path("cache").rglob("*.npy")} == {100}
    main(arguments)
    assert min(frames.stat().st_size for frames in Path("cache").rglob("*.npy")) > 100


@pytest.mark.parametrize("callback", ["checkpoint", "early_stopping"])
def test_a_metric_that_is_not_logged_is_named(
    clips: Path, error_of: Callable[..., str], callback: str
) -> None:
    line = error_of(*fit(f"--{callback}.monitor", "val/charm"))
    assert "val/charm" in line
    assert "val/uar" in line
