"""What PyAV need not decode it passes over."""

from pathlib import Path

import pytest

from emorec.data.decoding.decode_pyav import Reader
from tests import videos

KEEP = {0, 13, 26, 39}


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(videos.write_video(tmp_path / "clip.mp4", bframes=3))


def test_frames_that_nothing_needs_are_passed_over(reader: Reader) -> None:
    _, all_of_them = reader._read(KEEP, 40)
    _, seen = reader._read(KEEP, 40, KEEP)
    assert all_of_them == set(range(40))
    assert seen >= KEEP
    assert len(seen) < 30


def test_those_kept_are_the_same_as_when_every_frame_is_decoded(reader: Reader) -> None:
    plain, _ = reader._read(KEEP, 40)
    kept, end = reader.read(KEEP, 40)
    assert end == 40
    assert kept.keys() == plain.keys() == KEEP
    assert all((kept[index] == plain[index]).all() for index in KEEP)


def test_a_frame_hidden_at_the_end_as_in_ravdess_does_not_come(tmp_path: Path) -> None:
    whole = videos.write_video(tmp_path / "clip.mp4", bframes=3)
    reader = Reader(videos.hide_end(whole, 2))  # FFmpeg lets one more pass
    kept, end = reader.read({*KEEP, 38}, 40)
    _, seen = reader._read(KEEP, 40, KEEP)
    assert (sorted(kept), end) == ([0, 13, 26, 38], 39)
    assert len(seen) < 30


def test_an_end_that_was_not_asked_for_is_looked_for_frame_by_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(videos.write_video(tmp_path / "clip.mp4", bframes=3))
    decoded = Reader._frames
    asked: list[bool] = []

    def ends_early(self, container, stream, needed, mend):
        asked.append(needed is not None)
        for frame in decoded(self, container, stream, needed, mend):
            if self._place(frame.pts) < 35:
                yield frame

    monkeypatch.setattr(Reader, "_frames", ends_early)
    kept, end = reader.read(KEEP, 40)
    assert (sorted(kept), end) == ([0, 13, 26], 35)
    assert asked == [True, False]
