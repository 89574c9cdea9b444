"""PyAV skips frames that no requested frame needs, and the result is the same."""

from pathlib import Path

import numpy as np
import pytest

from emorec.data.video.pyav import Reader
from tests import videos

KEEP = {0, 13, 26, 39}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return videos.write_video(tmp_path / "clip.mp4", bframes=3)


def test_frames_that_no_requested_frame_needs_are_skipped(path: Path) -> None:
    decoded = {index for index, _ in Reader(path).stream(KEEP)}
    assert decoded >= KEEP
    assert len(decoded) < 30


def test_without_a_request_every_frame_is_decoded(path: Path) -> None:
    assert [index for index, _ in Reader(path).stream()] == list(range(40))


def test_the_frames_are_the_same_as_when_every_frame_is_decoded(path: Path) -> None:
    expected = videos.reference_frames(path)
    kept, end = Reader(path).read(KEEP, 40)
    assert end == 40
    assert kept.keys() == KEEP
    for index, frame in kept.items():
        np.testing.assert_array_equal(frame, expected[index])


def test_a_frame_hidden_at_the_end_as_in_ravdess_does_not_come(path: Path) -> None:
    reader = Reader(videos.hide_end(path, 2))  # FFmpeg lets one more pass
    kept, end = reader.read({*KEEP, 38}, 40)
    assert (sorted(kept), end) == ([0, 13, 26, 38], 39)
    assert len({index for index, _ in reader.stream({*KEEP, 38})}) < 30


def test_an_end_between_requested_frames_is_found_all_the_same(path: Path) -> None:
    reader = Reader(videos.hide_end(path, 10))
    kept, end = reader.read(KEEP, 40)
    assert (sorted(kept), end) == ([0, 13, 26], len(videos.reference_frames(path)))
