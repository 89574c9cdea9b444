"""Copies of a clip count as different clips and show the same frames."""

from pathlib import Path

import numpy as np

from benchmarks.scale import write_copies
from emorec.data.clip import Clip
from emorec.data.recipe import Recipe
from emorec.data.source import DecodedPictures
from tests import videos


def test_no_two_copies_have_the_same_content_and_all_decode(tmp_path: Path) -> None:
    load = DecodedPictures(Recipe(num_frames=3, size=(16, 16)))
    originals = [
        Clip(path=videos.write_video(tmp_path / f"{number}.mp4", 5), label=3, actor=7, take="")
        for number in range(2)
    ]
    copies = write_copies(originals, 5, tmp_path / "copies")
    assert len({clip.path.read_bytes() for clip in copies}) == 5
    for number, clip in enumerate(copies):
        assert (clip.label, clip.actor) == (3, 7)
        assert np.array_equal(load(clip), load(originals[number % 2]))
