"""Every storage format round-trips clips."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.storage import FORMATS, Format


def smooth_clips(count: int, shape: tuple[int, int, int, int]) -> list[np.ndarray]:
    """Smooth clips, which JPEG changes little; all frames differ."""
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


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.title)
def test_clips_round_trip_in_any_order(kind: Format, tmp_path: Path) -> None:
    shape = (3, 16, 24, 3)
    clips = smooth_clips(4, shape)
    kind.write(tmp_path, clips)
    read_clip = kind.reader(tmp_path, shape)
    for index in (2, 0, 3, 1, 2):
        frames = read_clip(index)
        assert frames.shape == shape
        assert frames.dtype == np.uint8
        difference = np.abs(frames.astype(int) - clips[index])
        assert difference.mean() < 2 if "JPEG" in kind.title else not difference.any()
