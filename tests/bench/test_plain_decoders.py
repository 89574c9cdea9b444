"""What emorec is compared with does its work: the frames are the ones wanted."""

from pathlib import Path

import numpy as np
import pytest

from emorec.bench.plain_decoders import PLAIN_DECODERS, PlainlyDecoded, installed_decoders
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Clip
from emorec.data.preprocessing import FrameSpec
from tests import videos

RECIPE = FrameSpec(num_frames=4, size=(32, 32))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = videos.write_video(tmp_path_factory.mktemp("video") / "clip.mp4", 20, bframes=2)
    return Clip(path=path, label=0, actor=1, take="")


@pytest.mark.parametrize("name", PLAIN_DECODERS)
def test_each_gives_the_squares_that_emorec_gives(clip: Clip, name: str) -> None:
    if name not in installed_decoders():
        pytest.skip(f"{name} is not installed")
    squares = PlainlyDecoded(installed_decoders()[name], RECIPE)(clip)
    ours = ClipReader(RECIPE)(clip)
    assert squares.shape == RECIPE.shape
    assert squares.dtype == np.uint8
    # libraries turn YUV into RGB a little differently; neighbouring frames differ by GREY_STEP
    assert np.abs(squares.astype(int) - ours).mean() < videos.GREY_STEP / 4


@pytest.mark.parametrize("name", ["opencv", "pyav"])
def test_a_file_without_pictures_is_an_error(tmp_path: Path, name: str) -> None:
    path = videos.write_sound(tmp_path / "sound.mp4")
    with pytest.raises((RuntimeError, IndexError)):
        PLAIN_DECODERS[name][1](path, 4)


def test_a_package_that_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLAIN_DECODERS, "pyav", ("no_such_package", PLAIN_DECODERS["pyav"][1]))
    assert "pyav" not in installed_decoders()
    assert "opencv" in installed_decoders()
