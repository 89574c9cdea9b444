"""What decord is asked for: every frame is passed, few are turned into RGB, and it never seeks."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import decord
import numpy as np
import pytest

from emorec.data.decoding import decode_decord
from emorec.data.decoding.decode import ClipError, decode
from emorec.data.decoding.decode_decord import LONGEST_SKIP, landings, tells_when_shown
from emorec.data.decoding.sample import linspace_indices
from tests import videos

six = partial(linspace_indices, num_frames=6)


class FakeReader:
    """What decord is for a video that promises more than it has; it counts what is asked of it."""

    opened = 0
    taken = 0
    copied = 0
    shape = (1, 1, 3)

    def __init__(self, promised: int, decodable: int, key_frames: list[int]) -> None:
        self.promised, self.decodable, self.key_frames = promised, decodable, key_frames
        self.place = -1
        FakeReader.opened += 1

    def __len__(self) -> int:
        return self.promised

    def get_frame_timestamp(self, indices: range) -> np.ndarray:
        return np.array([[index / 30, (index + 1) / 30] for index in indices], dtype=np.float32)

    def get_key_indices(self) -> list[int]:
        return self.key_frames

    def skip_frames(self, num: int) -> None:
        seeks = [key for key in self.key_frames if self.place + 1 < key <= self.place + 1 + num]
        assert not seeks
        self.place += num
        assert self.place < self.decodable + 128, "decord would hang"

    def next(self) -> "FakeReader":
        self.place += 1
        FakeReader.taken += 1
        if self.place >= self.decodable:
            raise decord.DECORDLimitReachedError
        return self

    def asnumpy(self) -> np.ndarray:
        FakeReader.copied += 1
        return np.full((1, 1, 3), self.place % 256, dtype=np.uint8)


@pytest.fixture
def fake_decord(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Has a made-up video take the place of whatever is opened; says under which path."""
    for counter in ("opened", "taken", "copied"):
        monkeypatch.setattr(FakeReader, counter, 0)

    def install(promised: int, decodable: int, key_frames: list[int], sure: bool = True) -> Path:
        opened = partial(FakeReader, promised, decodable, key_frames)
        monkeypatch.setattr(decode_decord, "_open", lambda path: opened())
        monkeypatch.setattr(decode_decord, "tells_when_shown", lambda path: sure)
        path = tmp_path / "clip.mp4"
        path.write_text("made up")
        return path

    return install


@pytest.mark.parametrize("key_frames", [[0], list(range(0, 1000, 29)), list(range(1000))])
@pytest.mark.parametrize("sure", [True, False])
@pytest.mark.parametrize("missing", [0, 1, 2, 3, 500])
def test_wherever_a_long_video_ends_its_frames_are_right_and_few_are_held(
    fake_decord: Callable[..., Path], missing: int, sure: bool, key_frames: list[int]
) -> None:
    clip = decode(fake_decord(1000, 1000 - missing, key_frames, sure), six)
    assert clip.video_frames == 1000 - missing
    assert clip.promised == 1000
    assert clip.indices == linspace_indices(1000 - missing, 6)
    assert clip.frames[:, 0, 0, 0].tolist() == [index % 256 for index in clip.indices]
    # once where the video ends as videos do; else to learn where it ends, and then for the frames
    assert FakeReader.opened <= (1 if missing < 2 else 3)
    assert FakeReader.copied <= 14 * FakeReader.opened


def test_frames_between_those_wanted_are_not_turned_into_rgb(
    fake_decord: Callable[..., Path],
) -> None:
    decode(fake_decord(99, 98, [0, 29, 58, 87]), partial(linspace_indices, num_frames=10))
    assert FakeReader.opened == 1
    assert FakeReader.taken == len(
        {*linspace_indices(98, 10), *linspace_indices(99, 10)} | {28, 57, 86}
    )


def test_where_times_may_be_out_of_order_nothing_is_skipped(
    fake_decord: Callable[..., Path],
) -> None:
    decode(fake_decord(99, 98, [0], sure=False), six)
    assert FakeReader.taken == 99


@pytest.mark.parametrize("seed", range(20))
def test_no_skip_reaches_a_key_frame_or_is_longer_than_decord_can_bear(seed: int) -> None:
    draw = np.random.default_rng(seed)
    stop = int(draw.integers(1, 900))
    key_frames = [0, *np.flatnonzero(draw.random(stop) < draw.choice([0, 0.01, 0.1])).tolist()]
    keep = set(draw.integers(0, stop, 8).tolist())
    taken = landings(keep, stop, key_frames)
    assert taken == sorted(set(taken))
    assert {0, stop - 1} | keep <= set(taken)
    place = 0
    for index in taken:
        assert index - place <= LONGEST_SKIP
        assert not any(place < key <= index for key in key_frames)
        place = index + 1


def test_a_file_without_the_order_of_display_is_read_right(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "clip.mp4", bframes=3)
    assert tells_when_shown(path)
    videos.forget_display_order(path)
    assert not tells_when_shown(path)
    for _ in range(10):
        clip = decode(path, six)
        assert videos.shown_indices(clip.frames) == clip.indices == [0, 7, 15, 23, 31, 39]


@pytest.mark.parametrize(
    "content",
    [b"", b"no mp4", b"\x1aE\xdf\xa3" + bytes(99), bytes(99), b"\0\0\0\1moov" + b"\xff" * 99],
)
def test_what_is_no_mp4_tells_no_order(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert not tells_when_shown(path)


def test_frames_that_decord_would_garble_are_an_error(tmp_path: Path) -> None:
    path = videos.turn(videos.write_video(tmp_path / "clip.mp4", size=(64, 48)))
    with pytest.raises(ClipError, match="4 channels instead of 3"):
        decode(path, six)
