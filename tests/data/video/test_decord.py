"""decord reads sequentially without seeking and converts few frames to RGB arrays."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import decord
import numpy as np
import pytest

from emorec.data.video.reader import decode, linspace_indices
from tests import videos

sample_six = partial(linspace_indices, num_frames=6)


class FakeVideoReader:
    """Fake reader of decord for a video that declares more frames than it has; counts its calls."""

    opened = 0
    copied = 0
    shape = (1, 1, 3)

    def __init__(self, declared: int, decodable: int) -> None:
        self.declared, self.decodable = declared, decodable
        self.index = -1
        FakeVideoReader.opened += 1

    def __len__(self) -> int:
        return self.declared

    def get_frame_timestamp(self, indices: range) -> np.ndarray:
        return np.array([[index / 30, (index + 1) / 30] for index in indices], dtype=np.float32)

    def next(self) -> "FakeVideoReader":
        self.index += 1
        if self.index >= self.decodable:
            raise decord.DECORDLimitReachedError
        return self

    def asnumpy(self) -> np.ndarray:
        FakeVideoReader.copied += 1
        return np.full((1, 1, 3), self.index % 256, dtype=np.uint8)


@pytest.fixture
def fake_video(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int, int], Path]:
    """Return a function that patches decord's reader with a fake video and returns its path."""
    monkeypatch.setattr(FakeVideoReader, "opened", 0)
    monkeypatch.setattr(FakeVideoReader, "copied", 0)

    def install_fake(declared: int, decodable: int) -> Path:
        def opened(path: str, **options: object) -> FakeVideoReader:
            return FakeVideoReader(declared, decodable)

        monkeypatch.setattr(decord, "VideoReader", opened)
        path = tmp_path / "clip.mp4"
        path.write_text("made up")
        return path

    return install_fake


@pytest.mark.parametrize("missing", [0, 1, 2, 3, 500])
def test_frames_of_a_long_video_are_correct_and_few_are_copied(
    fake_video: Callable[[int, int], Path], missing: int
) -> None:
    clip = decode(fake_video(1000, 1000 - missing), sample_six)
    assert clip.video_frames == 1000 - missing
    assert clip.promised == 1000
    assert clip.indices == linspace_indices(1000 - missing, 6)
    assert clip.frames[:, 0, 0, 0].tolist() == [index % 256 for index in clip.indices]
    # one pass if at most one frame is missing, else one to find the end and one for the frames
    assert FakeVideoReader.opened == (1 if missing < 2 else 2)
    assert FakeVideoReader.copied <= 14 * FakeVideoReader.opened


def test_a_file_without_display_order_is_decoded_correctly(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "clip.mp4", bframes=3)
    videos.forget_display_order(path)
    for _ in range(10):
        clip = decode(path, sample_six)
        assert videos.shown_indices(clip.frames) == clip.indices == [0, 7, 15, 23, 31, 39]
