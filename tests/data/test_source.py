"""Pictures come from the video or from the cache, and from nowhere for ever."""

import time
from pathlib import Path

import numpy as np
import pytest

from emorec.data import source
from emorec.data.cache.look_through import look_through
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset
from emorec.data.loader import make_loader
from emorec.data.recipe import Recipe
from emorec.data.source import Cached, DecodedPictures
from emorec.data.transform import ClipTransform
from emorec.data.video.reader import ClipError, run_with_timeout
from tests import videos

RECIPE = Recipe(num_frames=3, size=(16, 16))


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return Clip(path=videos.write_video(tmp_path / "clip.mp4", 9), label=0, actor=1, take="")


def test_the_cache_gives_what_decoding_gives(clip: Clip, tmp_path: Path) -> None:
    looked = look_through([clip], RECIPE, tmp_path / "cache", keep_frames=True, workers=1)
    cached = looked.source(RECIPE)
    assert isinstance(cached, Cached)
    assert np.array_equal(cached(clip), DecodedPictures(RECIPE)(clip))


def test_without_a_cache_clips_are_decoded(clip: Clip, tmp_path: Path) -> None:
    looked = look_through([clip], RECIPE, tmp_path / "cache", keep_frames=False, workers=1)
    assert isinstance(looked.source(RECIPE), DecodedPictures)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_clip_that_hangs_is_an_error_that_names_it(
    clip: Clip, monkeypatch: pytest.MonkeyPatch, num_workers: int
) -> None:
    monkeypatch.setattr(source, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(Recipe, "pictures", lambda *arguments: time.sleep(30))
    dataset = ClipDataset([clip], DecodedPictures(RECIPE), ClipTransform((14, 14)))
    began = time.monotonic()
    with pytest.raises(ClipError, match=r"clip.mp4: decoding hangs: no end after 0.5 s"):
        next(iter(make_loader(dataset, batch_size=1, num_workers=num_workers)))
    assert time.monotonic() - began < 20


def test_an_error_within_the_deadline_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        run_with_timeout(9, Path("a"), lambda: 1 // 0)
