"""Every way of keeping frames gives back what it was given."""

from pathlib import Path

import numpy as np
import pytest

from emorec.bench.formats import FORMATS, Format, JpegFiles, JpegShard
from emorec.bench.storage import Cost, forget

LOSSY = (JpegFiles, JpegShard)


def smooth_clips(count: int, shape: tuple[int, int, int, int]) -> list[np.ndarray]:
    """Clips without sharp edges, which JPEG keeps nearly as they are; no two frames alike."""
    num_frames, height, width, _ = shape
    rows, columns = np.mgrid[:height, :width]
    return [
        np.stack(
            [
                np.stack([rows + 9 * frame, columns + 20 * clip, rows * 0 + 90], axis=-1)
                for frame in range(num_frames)
            ]
        ).astype(np.uint8)
        for clip in range(count)
    ]


@pytest.mark.parametrize("kind", FORMATS)
def test_any_clip_comes_back_in_any_order(kind: type[Format], tmp_path: Path) -> None:
    shape = (3, 16, 24, 3)
    clips = smooth_clips(4, shape)
    kept = kind(tmp_path, shape)
    kept.write(clips)
    assert forget(kept.files)
    for index in (2, 0, 3, 1, 2):
        frames = kept.read(index)
        assert frames.shape == shape
        assert frames.dtype == np.uint8
        difference = np.abs(frames.astype(int) - clips[index])
        assert difference.mean() < 2 if kind in LOSSY else not difference.any()
        frames[:] = 0  # its own memory, which nobody else sees
    assert kept.read(2).any()


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_on_the_disk_is_counted(kind: type[Format], tmp_path: Path) -> None:
    shape = (3, 16, 24, 3)
    kept = kind(tmp_path, shape)
    kept.write(smooth_clips(4, shape))
    listed = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert kept.num_bytes == listed > 0
    if kind not in LOSSY:
        assert listed >= 4 * np.prod(shape)


def test_a_cost_has_a_measurement_a_round(tmp_path: Path) -> None:
    shape = (3, 16, 24, 3)
    cost = Cost()
    for turn in ("one", "two"):
        (tmp_path / turn).mkdir()
        cost.measure(FORMATS[0](tmp_path / turn, shape), smooth_clips(4, shape), 1, 0.001)
    assert cost.bytes_a_clip == np.prod(shape)
    for speeds in (cost.write, cost.read_cold, cost.read, cost.read_together):
        assert len(speeds) == 2
        assert min(speeds) > 0
