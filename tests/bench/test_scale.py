"""Copies count as clips of their own and show the same pictures."""

from pathlib import Path

import numpy as np
import pytest

from emorec.bench.scale import copies, time_taken
from emorec.data.clip import Clip
from emorec.data.preprocessing import FrameSpec
from tests import videos

RECIPE = FrameSpec(num_frames=3, size=(16, 16))


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("originals")
    paths = [videos.write_video(folder / f"{number}.mp4", 5 + number) for number in range(2)]
    return [Clip(path=path, label=3, actor=7, take="") for path in paths]


def test_no_two_copies_have_the_same_content_and_all_decode(
    originals: list[Clip], tmp_path: Path
) -> None:
    made = copies(originals, 5, tmp_path / "copies")
    assert len({clip.path.read_bytes() for clip in made}) == 5
    assert {(clip.label, clip.actor) for clip in made} == {(3, 7)}
    for number, clip in enumerate(made):
        squares = RECIPE.pictures(clip.path)
        original = RECIPE.pictures(originals[number % 2].path)
        assert squares.video_frames == original.video_frames == 5 + number % 2
        assert np.array_equal(squares.frames, original.frames)


@pytest.mark.slow
def test_each_copy_gets_a_slot_of_its_own(originals: list[Clip], tmp_path: Path) -> None:
    made = copies(originals, 5, tmp_path / "copies")
    cache = tmp_path / "cache"
    taken = time_taken(made, RECIPE, (14, 14), cache, 1)
    assert taken.clips == 5
    assert min(taken.fill_seconds, taken.reopen_seconds, taken.epoch_seconds) > 0
    (frames,) = cache.glob("*.frames")
    assert frames.stat().st_size == 5 * np.prod(RECIPE.shape)
