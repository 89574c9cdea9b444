"""Memory does not grow with the length of a video."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import videos

MEMORY = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from emorec.inference.predictor import Predictor
from emorec.inference.options import Options
from tests.inference.fakes import Grey
from emorec.inference.video import VideoFile
predictor = Predictor(Grey(window_seconds=3.7), Options(batch_size=4))
count = sum(1 for _ in predictor.stream(VideoFile(Path({path!r}))))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(path: Path) -> tuple[int, int]:
    """Number of windows of a video, and peak memory of a subprocess that predicts it, in kilobytes."""
    program = MEMORY.format(root=str(Path(__file__).parents[2]), path=str(path))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    windows, kilobytes = done.stdout.split()
    return int(windows), int(kilobytes)


@pytest.mark.nightly
def test_an_hour_takes_no_more_memory_than_a_minute_of_video(tmp_path: Path) -> None:
    ten_seconds = videos.write_video(tmp_path / "short.mp4", 20, fps=2, size=(96, 64), gop=20)
    minute = videos.repeated(ten_seconds, tmp_path / "minute.mp4", 6)
    hour = videos.repeated(ten_seconds, tmp_path / "hour.mp4", 360)
    few, before = peak(minute)
    many, after = peak(hour)
    assert many > 59 * few
    assert after < 1.1 * before
