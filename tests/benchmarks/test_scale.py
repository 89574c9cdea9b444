"""Copies of a clip have different contents and the same frames."""

from pathlib import Path

import numpy as np

from benchmarks.scale import write_copies
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Clip
from emorec.data.preprocessing import FrameSpec
from tests import videos


def test_copies_have_different_bytes_and_all_decode(tmp_path: Path) -> None:
    load = ClipReader(FrameSpec(num_frames=3, size=(16, 16)))
    originals = [
        Clip(path=videos.write_video(tmp_path / f"{number}.mp4", 5), label=3, actor=7, take="")
        for number in range(2)
    ]
    copies = write_copies(originals, 5, tmp_path / "copies")
    assert len({clip.path.read_bytes() for clip in copies}) == 5
    for number, clip in enumerate(copies):
        assert (clip.label, clip.actor) == (3, 7)
        assert np.array_equal(load(clip), load(originals[number % 2]))
