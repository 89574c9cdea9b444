"""Where a data module keeps frames, and that it makes no difference to what the network sees."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from emorec.data import RavdessDataModule
from emorec.data.source import CachedSquares, DecodedSquares
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
    assert isinstance(cached.source, CachedSquares)
    assert isinstance(decoded.source, DecodedSquares)
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
        assert isinstance(data(drawn_clips).source, CachedSquares)
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
    assert isinstance(data(drawn_clips).source, DecodedSquares)
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
        f"{num_frames}x18"
    ]
