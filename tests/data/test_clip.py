"""Length of the clips, read without decoding."""

from pathlib import Path

import pytest

from emorec.data import AffWild2DataModule, RavdessDataModule
from emorec.data.clip import MAX_PROBED, Clip, clip_seconds, median_seconds
from tests import videos


def clip(path: Path, span_seconds: tuple[float, float] | None = None) -> Clip:
    return Clip(path=path, label=0, actor=1, take=path.stem, span_seconds=span_seconds)


def test_the_length_of_a_file_is_that_of_its_header(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 45, fps=30)
    assert clip_seconds(clip(path)) == pytest.approx(1.5)
    assert clip_seconds(clip(path, (0.25, float("inf")))) == pytest.approx(1.25)
    assert clip_seconds(clip(path, (0.25, 0.75))) == pytest.approx(0.5)


def test_files_without_a_length_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    broken = [clip(tmp_path / "text.mp4"), clip(tmp_path / "missing.mp4")]
    assert median_seconds(broken) is None
    assert median_seconds([*broken, clip(tmp_path / "a.mp4", (1, 3))]) == 2


def test_the_median_of_many_clips_is_estimated_from_some(tmp_path: Path) -> None:
    accessed = []

    class Clips(list[Clip]):
        def __getitem__(self, index: int) -> Clip:  # type: ignore[override]
            accessed.append(index)
            return super().__getitem__(index)

    clips = Clips(clip(tmp_path / f"{index}.mp4", (0, index + 1)) for index in range(1000))
    assert median_seconds(clips) == pytest.approx(500, rel=0.05)
    assert len(accessed) <= MAX_PROBED
    assert max(accessed) > 950


def test_a_data_module_has_the_length_of_its_training_clips(drawn_clips: Path) -> None:
    data = RavdessDataModule(
        root=str(drawn_clips), num_frames=2, image_size=16, cache="none", num_workers=0
    )
    data.setup("fit")
    assert data.clip_seconds == pytest.approx(6 / 25)


def test_the_length_of_an_aff_wild2_clip_is_that_of_its_frames(drawn_affwild2: Path) -> None:
    data = AffWild2DataModule(root=str(drawn_affwild2), num_frames=6, image_size=16)
    assert data.clip_seconds == pytest.approx(0.2)
