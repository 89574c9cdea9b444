"""PyAV skips frames that are not needed, with the same result."""

import gc
from pathlib import Path

import numpy as np
import pytest
from av import VideoFrame

from emorec.data.video.pyav import Reader
from tests import videos

KEEP = {0, 13, 26, 39}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return videos.write_video(tmp_path / "clip.mp4", bframes=3)


def test_frames_not_needed_by_requested_ones_are_skipped(path: Path) -> None:
    decoded = {index for index, _ in Reader(path).stream(KEEP)}
    assert decoded >= KEEP
    assert len(decoded) < 30


def test_without_a_request_every_frame_is_decoded(path: Path) -> None:
    assert [index for index, _ in Reader(path).stream()] == list(range(40))


def test_requested_frames_equal_those_of_a_full_decode(path: Path) -> None:
    expected = videos.reference_frames(path)
    frames, end = Reader(path).read(KEEP, 40)
    assert end == 40
    assert frames.keys() == KEEP
    for index, frame in frames.items():
        np.testing.assert_array_equal(frame, expected[index])


def test_a_frame_hidden_at_the_end_is_not_returned(path: Path) -> None:
    reader = Reader(videos.hide_end(path, 2))  # FFmpeg returns one of the hidden frames
    frames, end = reader.read({*KEEP, 38}, 40)
    assert (sorted(frames), end) == ([0, 13, 26, 38], 39)
    assert len({index for index, _ in reader.stream({*KEEP, 38})}) < 30


def test_an_end_between_requested_frames_is_found(path: Path) -> None:
    reader = Reader(videos.hide_end(path, 10))
    frames, end = reader.read(KEEP, 40)
    assert (sorted(frames), end) == ([0, 13, 26], len(videos.reference_frames(path)))


def test_key_frames_come_with_their_index(path: Path) -> None:
    expected = videos.reference_frames(path)
    key_frames = dict(Reader(path).key_frames())
    assert sorted(key_frames) == [0, 12, 24, 36]
    for index, frame in key_frames.items():
        np.testing.assert_array_equal(frame.to_rgb(), expected[index])


@pytest.mark.nightly  # it looks at every object of the process for each frame
def test_frames_are_freed_without_the_garbage_collector(path: Path) -> None:
    gc.disable()
    try:
        reader = Reader(path)
        alive = [
            sum(type(each) is VideoFrame for each in gc.get_objects())
            for _, frame in reader.stream()
            if frame is not None and frame.to_rgb().any()
        ]
    finally:
        gc.enable()
    assert len(alive) == 40
    assert max(alive) < 10
