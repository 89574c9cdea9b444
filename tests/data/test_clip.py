"""How long the clips of a training are, without decoding them."""

from pathlib import Path

import pytest

from emorec.data import AffWild2DataModule, RavdessDataModule
from emorec.data.clip import MAX_PROBED, Clip, clip_seconds, median_seconds
from tests import videos


def clip(path: Path, span_seconds: tuple[float, float] | None = None) -> Clip:
    return Clip(path=path, label=0, actor=1, take=path.stem, span_seconds=span_seconds)


def test_a_whole_file_is_as_long_as_its_header_says(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 45, fps=30)
    assert clip_seconds(clip(path)) == pytest.approx(1.5)
    assert clip_seconds(clip(path, (0.25, float("inf")))) == pytest.approx(1.25)
    assert clip_seconds(clip(path, (0.25, 0.75))) == pytest.approx(0.5)


def test_files_that_tell_nothing_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    broken = [clip(tmp_path / "text.mp4"), clip(tmp_path / "missing.mp4")]
    assert median_seconds(broken) is None
    assert median_seconds([*broken, clip(tmp_path / "a.mp4", (1, 3))]) == 2


def test_of_many_clips_some_are_looked_at(tmp_path: Path) -> None:
    looked_at = []

    class Clips(list[Clip]):
        def __getitem__(self, place: int) -> Clip:  # type: ignore[override]
            looked_at.append(place)
            return super().__getitem__(place)

    clips = Clips(clip(tmp_path / f"{place}.mp4", (0, place + 1)) for place in range(1000))
    assert median_seconds(clips) == pytest.approx(500, rel=0.05)
    assert len(looked_at) <= MAX_PROBED
    assert max(looked_at) > 950


def test_a_data_module_tells_it_of_its_training_clips(drawn_clips: Path) -> None:
    data = RavdessDataModule(
        root=str(drawn_clips), num_frames=2, image_size=16, cache="none", num_workers=0
    )
    data.setup("fit")
    assert data.clip_seconds == pytest.approx(6 / 25)


def test_a_clip_of_aff_wild2_is_as_many_frames_as_the_network_sees(drawn_affwild2: Path) -> None:
    data = AffWild2DataModule(root=str(drawn_affwild2), num_frames=6, image_size=16)
    assert data.clip_seconds == pytest.approx(0.2)
