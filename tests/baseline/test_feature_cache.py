"""Features are computed once, and again when anything that determines them has changed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emorec.baseline.feature_cache import FeatureCache
from emorec.baseline.features import Floats
from emorec.data import RavdessDataModule
from emorec.data.video.reader import Frames


class Brightness:
    """The mean of each frame; counts its calls, and may be interrupted."""

    name, num_parameters, gflops_per_clip = "brightness", 0, 0.0

    def __init__(self, version: str = "1", stop_after: int = 10_000) -> None:
        self.version = version
        self.calls = 0
        self.stop_after = stop_after

    def __call__(self, frames: Frames) -> Floats:
        if self.calls == self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        return np.asarray(frames.mean(axis=(1, 2, 3))[:, None], np.float32)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npz"))


def test_a_row_is_its_own_clip_s_whatever_the_order_and_the_number_of_processes(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    data = data_of(num_workers=2)
    clips = [data.sides["train"][place] for place in (7, 0, 3, 11, 5)]
    found = FeatureCache(Brightness()).features(data, clips)
    for clip, row in zip(clips, found, strict=True):
        each = data.read_frames(clip)[:, 2:34, 2:34].mean(axis=(1, 2, 3))
        np.testing.assert_allclose(row, [each.mean(), each.std()], rtol=1e-4)


def test_a_second_run_reads_what_the_first_one_made(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    data, first, second = data_of(), Brightness(), Brightness()
    clips = data.sides["val"]
    made = FeatureCache(first).features(data, clips)
    read = FeatureCache(second).features(data, clips)
    assert (first.calls, second.calls) == (len(clips), 0)
    np.testing.assert_array_equal(made, read)


def test_further_clips_are_added_to_those_that_are_kept(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    data, later = data_of(), Brightness()
    FeatureCache(Brightness()).features(data, data.sides["val"][:5])
    FeatureCache(later).features(data, data.sides["val"])
    assert later.calls == len(data.sides["val"]) - 5
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("change", [{"num_frames": 4}, {"image_size": 28}, {"resize": "squash"}])
def test_other_frames_have_other_features(
    change: dict[str, object], data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    for data in (data_of(), data_of(**change)):
        FeatureCache(Brightness()).features(data, data.sides["val"])
    assert len(files(tmp_path)) == 2


def test_another_version_has_other_features(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    data, other = data_of(), Brightness(version="2")
    FeatureCache(Brightness()).features(data, data.sides["val"])
    FeatureCache(other).features(data, data.sides["val"])
    assert other.calls == len(data.sides["val"])


def test_what_was_made_before_ctrl_c_is_kept(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    data, later = data_of(), Brightness()
    with pytest.raises(KeyboardInterrupt):
        FeatureCache(Brightness(stop_after=6)).features(data, data.sides["val"])
    FeatureCache(later).features(data, data.sides["val"])
    assert later.calls == len(data.sides["val"]) - 6


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut off", b"something else"])
def test_a_damaged_file_is_a_warning_and_computed_again(
    damage: bytes,
    data_of: Callable[..., RavdessDataModule],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = data_of()
    made = FeatureCache(Brightness()).features(data, data.sides["val"])
    (path,) = files(tmp_path)
    path.write_bytes(damage)
    np.testing.assert_array_equal(
        FeatureCache(Brightness()).features(data, data.sides["val"]), made
    )
    assert "can't be read and are computed again" in caplog.text
    again = Brightness()
    FeatureCache(again).features(data, data.sides["val"])
    assert again.calls == 0


def test_without_a_cache_features_live_as_long_as_the_store(
    data_of: Callable[..., RavdessDataModule],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "usual"))
    data, brightness = data_of(cache="none"), Brightness()
    store = FeatureCache(brightness)
    for _ in range(2):
        store.features(data, data.sides["val"])
    assert brightness.calls == len(data.sides["val"])
    assert files(tmp_path) == []
