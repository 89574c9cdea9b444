"""Every way of keeping frames gives back what it was given."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emorec.bench.formats import FORMATS, Format, JpegFiles, JpegShard
from emorec.bench.storage import forget

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


MEASURE = """
import json, sys
from pathlib import Path
import numpy as np
from emorec.bench.formats import FORMATS
from emorec.bench.storage import Cost
shape, cost = (3, 16, 24, 3), Cost()
clips = [np.full(shape, 50 * clip, np.uint8) for clip in range(4)]
for turn in ("one", "two"):
    folder = Path(sys.argv[1], turn)
    folder.mkdir()
    cost.measure(FORMATS[0](folder, shape), clips, 1, 0.001)
speeds = [cost.write, cost.read_cold, cost.read, cost.read_together]
print(json.dumps([cost.bytes_a_clip, speeds]))
"""


def test_a_cost_has_a_measurement_a_round(tmp_path: Path) -> None:
    # in a process of its own, as the command is: loaders fork, and threads that other tests left here may hold locks
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=120)
    bytes_a_clip, speeds = json.loads(done.stdout)
    assert bytes_a_clip == 3 * 16 * 24 * 3
    for rounds in speeds:
        assert len(rounds) == 2
        assert min(rounds) > 0
