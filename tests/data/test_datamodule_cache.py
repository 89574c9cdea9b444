"""Where a data module keeps frames, and that it makes no difference to what the network sees."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from emorec.data import RavdessDataModule, resident
from emorec.data.source import Cached, DecodedPictures
from emorec.errors import UserError


def data(root: Path, **arguments: Any) -> RavdessDataModule:
    small = {"num_frames": 2, "image_size": 16, "batch_size": 7, "num_workers": 0}
    module = RavdessDataModule(str(root), **{**small, **arguments})
    module.setup("fit")
    return module


def test_the_network_sees_the_same_with_a_cache_and_without(
    drawn_clips: Path, tmp_path: Path
) -> None:
    cached = data(drawn_clips, cache=str(tmp_path), augment=True)
    decoded = data(drawn_clips, cache="none", augment=True)
    assert isinstance(cached.source, Cached)
    assert isinstance(decoded.source, DecodedPictures)
    for with_it, without in zip(cached.train_dataloader(), decoded.train_dataloader(), strict=True):
        assert torch.equal(with_it["frames"], without["frames"])
        assert torch.equal(with_it["index"], without["index"])


def test_auto_keeps_frames_in_the_users_cache_folder_and_says_so_once(
    drawn_clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="emorec")
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "kept"))
    for _ in range(2):
        assert isinstance(data(drawn_clips).source, Cached)
    assert len(list((tmp_path / "kept").glob("*.frames"))) == 1
    (said,) = [text for text in caplog.messages if "from now on they are read from there" in text]
    assert f"decoded 175 clips into {tmp_path / 'kept'}" in said


def test_auto_goes_on_without_a_cache_where_there_is_no_room(
    drawn_clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 1000))  # type: ignore[attr-defined]
    assert isinstance(data(drawn_clips).source, DecodedPictures)
    (said,) = [text for text in caplog.messages if "no cache" in text]
    assert "need 0.0 GB" in said
    with pytest.raises(UserError, match=r"choose another place with --data.cache DIR"):
        data(drawn_clips, cache=str(tmp_path / "elsewhere"))


@pytest.mark.parametrize("num_frames", [6, 10, 16])
def test_each_number_of_frames_has_frames_of_its_own(
    drawn_clips: Path, tmp_path: Path, num_frames: int
) -> None:
    module = data(drawn_clips, cache=str(tmp_path), num_frames=num_frames)
    assert next(iter(module.val_dataloader()))["frames"].shape[1] == num_frames
    assert [path.name.partition("-")[0] for path in tmp_path.glob("*.frames")] == [
        f"{num_frames}x18x18"
    ]


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("options", [{"resident": True}, {"augment_on": "device"}])
def test_where_frames_are_kept_and_augmented_changes_what_is_seen_by_rounding_at_most(
    drawn_clips: Path, tmp_path: Path, options: dict[str, Any], num_workers: int
) -> None:
    plain = data(drawn_clips, cache=str(tmp_path), augment=True)
    other = data(drawn_clips, cache=str(tmp_path), augment=True, num_workers=num_workers, **options)
    for one, two in zip(plain.train_dataloader(), other.train_dataloader(), strict=True):
        finished = other.on_after_batch_transfer(two, 0)
        difference = (one["frames"].int() - finished["frames"].int()).abs()
        assert difference.float().mean() < 1
        assert difference.max() <= (0 if "resident" in options else 8)
        assert torch.equal(one["index"], finished["index"])
        assert set(finished) == {"frames", "label", "index"}


def test_keeping_frames_in_memory_needs_a_cache(drawn_clips: Path) -> None:
    with pytest.raises(UserError, match=r"data.resident true needs a cache"):
        data(drawn_clips, cache="none", resident=True)


def test_frames_that_do_not_fit_in_memory_stay_in_the_cache(
    drawn_clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(resident, "room_on", lambda device: 1000)
    assert isinstance(data(drawn_clips, cache=str(tmp_path), resident=True).source, Cached)
    assert [text for text in caplog.messages if "clips stay in the cache" in text]
