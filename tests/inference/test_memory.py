"""Memory does not grow with the length of a video."""

import platform
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emorec.data.landmarks import CONTOUR_STARTS
from emorec.inference.options import Options
from emorec.inference.predictor import Predictor
from emorec.inference.results import predict_to_folder, return_free_memory
from emorec.inference.video import VideoFile
from tests import videos
from tests.inference.fakes import Grey, timeline

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


@pytest.mark.parametrize(("annotate", "kept"), [(False, 75), (True, 300)])
def test_of_a_long_video_only_the_faces_of_its_plot_are_kept(
    annotate: bool, kept: int, tmp_path: Path
) -> None:
    video = VideoFile(videos.write_video(tmp_path / "a.mp4", 20, fps=10, size=(96, 64)))
    predictions = timeline(300, people=2)
    video.seconds = predictions.seconds
    lines = np.arange(2 * CONTOUR_STARTS[-1], dtype=np.int16).reshape(-1, 2)
    contours = tuple((float(second), lines) for second in range(3))
    result = predict_to_folder(
        Predictor(Grey(names=predictions.names)),
        video,
        tmp_path / "out",
        Options(),
        started=time.perf_counter(),
        progress=lambda *_: None,
        annotate=annotate,
        pieces=[replace(window, contours=contours) for window in predictions.windows],
    )
    for person in (1, 2):
        windows = result.timeline.of_person(person)
        with_faces = [window for window in windows if window.contours]
        assert len(windows) == 300
        assert len(with_faces) == kept
        assert {len(window.contours) for window in with_faces} == {3 if annotate else 1}
        assert max(np.diff([window.start for window in with_faces])) < 0.02 * video.seconds


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators need no help")
def test_freed_memory_between_kept_blocks_goes_back_to_the_system() -> None:
    blocks = [np.ones(1 << 16, np.uint8) for _ in range(1000)]
    kept = blocks[::100]
    del blocks
    before = resident_megabytes()
    return_free_memory()
    assert before - resident_megabytes() > 50
    assert all(block.all() for block in kept)


def resident_megabytes() -> float:
    """Return the memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1000
