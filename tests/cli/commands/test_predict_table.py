"""The last lines of the output of `emorec predict`."""

from pathlib import Path

import pytest

from emorec.cli.commands.predict_batch import speed_line
from emorec.inference.results import Result
from emorec.inference.stopwatch import Stopwatch, speed
from emorec.inference.timeline import Timeline


@pytest.mark.parametrize(
    ("frames", "line"),
    [
        (300, "5.0 s, 60 frames/s: 2.5 times the network alone, 5.0 times decoding alone"),
        (0, "5.0 s, 4.0 times real time: 2.5 times the network alone, 5.0 times decoding alone"),
    ],
)
def test_speed_is_in_frames_or_for_audio_only_in_seconds(
    frames: int, line: str, tmp_path: Path
) -> None:
    clock = Stopwatch()
    clock.seconds |= {"network": 2.0, "decode": 1.0}
    clock.frames = frames
    timeline = Timeline(
        path=tmp_path / "a.mp4",
        task="classes",
        names=("calm",),
        windows=(),
        gaps=(),
        seconds=20.0,
        window_seconds=4.0,
        hop_seconds=2.0,
    )
    content = {"speed": speed(clock, 5.0, timeline.seconds)}
    result = Result(timeline, tmp_path, content, interrupted=False)
    assert speed_line([result]) == line
