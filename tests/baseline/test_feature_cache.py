"""Features are computed once, and again when their settings change."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from emorec.baseline.feature_cache import FeatureCache
from emorec.baseline.features import Floats, Statistic, Stream
from emorec.data import RavdessDataModule


class Brightness:
    """The mean of each frame; counts its calls, and can raise KeyboardInterrupt."""

    name, num_parameters, gflops_per_clip = "brightness", 0, 0.0
    stream: Stream = "frames"
    statistics: tuple[Statistic, ...] = ("mean", "std")

    def __init__(self, version: str = "1", stop_after: int = 10_000) -> None:
        self.version = version
        self.calls = 0
        self.stop_after = stop_after

    def __call__(self, clip: Mapping[str, Tensor]) -> Floats:
        if self.calls == self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        return clip["frames"].float().mean(dim=(1, 2, 3)).unsqueeze(1).numpy()


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.npz"))


def test_rows_match_their_clips_for_any_order_and_number_of_processes(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    data = data_of(num_workers=2)
    clips = [data.subsets["train"][index] for index in (7, 0, 3, 11, 5)]
    features = FeatureCache(Brightness()).features(data, clips)
    for clip, row in zip(clips, features, strict=True):
        each = data.read_frames(clip)[:, 2:34, 2:34].mean(axis=(1, 2, 3))
        np.testing.assert_allclose(row, [each.mean(), each.std()], rtol=1e-4)


def test_a_second_run_reads_the_cached_features(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    data, first, second = data_of(), Brightness(), Brightness()
    clips = data.subsets["val"]
    computed = FeatureCache(first).features(data, clips)
    cached = FeatureCache(second).features(data, clips)
    assert (first.calls, second.calls) == (len(clips), 0)
    np.testing.assert_array_equal(computed, cached)


def test_new_clips_are_added_to_the_cache(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    data, later = data_of(), Brightness()
    FeatureCache(Brightness()).features(data, data.subsets["val"][:5])
    FeatureCache(later).features(data, data.subsets["val"])
    assert later.calls == len(data.subsets["val"]) - 5
    assert len(files(tmp_path)) == 1


@pytest.mark.nightly
def test_features_depend_on_the_frame_settings(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    settings: list[dict[str, Any]] = [{}, {"num_frames": 4}, {"image_size": 28}]
    for number, changed in enumerate([*settings, {"resize": "squash"}], start=1):
        data = data_of(**changed)
        FeatureCache(Brightness()).features(data, data.subsets["val"])
        assert len(files(tmp_path)) == number


def test_a_new_version_recomputes_features(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    data, newer = data_of(), Brightness(version="2")
    FeatureCache(Brightness()).features(data, data.subsets["val"])
    FeatureCache(newer).features(data, data.subsets["val"])
    assert newer.calls == len(data.subsets["val"])


@pytest.mark.nightly  # tests/cli/commands/baseline stops the command by day
def test_features_computed_before_ctrl_c_are_cached(
    data_of: Callable[..., RavdessDataModule], tmp_path: Path
) -> None:
    data, later = data_of(), Brightness()
    with pytest.raises(KeyboardInterrupt):
        FeatureCache(Brightness(stop_after=6)).features(data, data.subsets["val"])
    FeatureCache(later).features(data, data.subsets["val"])
    assert later.calls == len(data.subsets["val"]) - 6


def test_a_damaged_file_is_a_warning_and_is_recomputed(
    data_of: Callable[..., RavdessDataModule],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = data_of()
    computed = FeatureCache(Brightness()).features(data, data.subsets["val"])
    (path,) = files(tmp_path)
    for damage in (b"", b"PK\x03\x04 cut off", b"something else"):
        path.write_bytes(damage)
        caplog.clear()
        np.testing.assert_array_equal(
            FeatureCache(Brightness()).features(data, data.subsets["val"]), computed
        )
        assert "can't be read and are computed again" in caplog.text
        again = Brightness()
        FeatureCache(again).features(data, data.subsets["val"])
        assert again.calls == 0


def test_without_a_cache_folder_features_stay_in_memory(
    data_of: Callable[..., RavdessDataModule],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "usual"))
    data, brightness = data_of(cache="none"), Brightness()
    store = FeatureCache(brightness)
    for _ in range(2):
        store.features(data, data.subsets["val"])
    assert brightness.calls == len(data.subsets["val"])
    assert files(tmp_path) == []
