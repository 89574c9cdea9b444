"""Damaged files of every container end in a prediction or in one error, and never in a wrong frame that is not told."""

import random
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.data.audio import decode_audio
from emorec.data.video.reader import ClipError, run_with_timeout, video_length
from emorec.inference.predictor import Predictor, load
from emorec.inference.video import VideoFile
from tests import videos
from tests.data.test_audio import tone, write_wav
from tests.inference.networks import made, saved

pytestmark = pytest.mark.nightly  # hundreds of files

NUM_FRAMES, FRAMES_PER_SECOND = 24, 30
TRIES = 40
"""Of each container: half of them cut, the others with flipped bytes."""

HANG_SECONDS = 20.0

CONTAINERS: dict[str, dict[str, Any]] = {
    "mp4": {},
    "mov": {"bframes": 2, "faststart": False},
    "mkv": {"bframes": 2},
    "webm": {"codec": "libvpx-vp9"},
    "ts": {"gop": 6},
    "avi": {},
}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    network, _ = made("EarlyFusionCNN")
    return load(saved(tmp_path_factory.mktemp("network") / "best.ckpt", network), device="cpu")


def damaged(content: bytes, number: int) -> bytes:
    """Return a file that is cut off, or in which some bytes differ; the same for the same number."""
    chance = random.Random(number)
    if number % 2:
        return content[: chance.randrange(1, len(content))]
    changed = bytearray(content)
    for _ in range(chance.choice((1, 3, 30))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def variants(path: Path) -> Iterator[tuple[int, Path]]:
    content = path.read_bytes()
    for number in range(TRIES):
        variant = path.with_name(f"damaged{number}{path.suffix}")
        variant.write_bytes(damaged(content, number))
        yield number, variant
        variant.unlink()


def predict(predictor: Predictor, path: Path, *, is_cut: bool) -> None:
    """Predict a file and check that its frames are where they belong.

    Raises:
        ClipError: When nothing of it can be predicted.
    """
    timeline = predictor.predict(path)
    starts = [window.start for window in timeline.windows]
    assert starts == sorted(starts)
    assert all(
        np.isfinite(window.values).all() for window in timeline.windows if window.values is not None
    )
    video = VideoFile(path)
    for _, seconds, frame in video.frames(range(video.num_frames)):
        # a flipped bit may change a picture, and no decoder notices
        if is_cut:
            assert videos.shown_indices(frame[None]) == [round(seconds * FRAMES_PER_SECOND)]


@pytest.mark.slow
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_damaged_video_is_predicted_or_refused_in_one_line(
    container: str, predictor: Predictor, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{container}"
    videos.write_video(path, NUM_FRAMES, size=(48, 32), **CONTAINERS[container])
    errors = []
    for number, variant in variants(path):
        work = partial(predict, predictor, variant, is_cut=bool(number % 2))
        try:
            run_with_timeout(HANG_SECONDS, variant, work)
        except ClipError as error:
            errors.append(str(error))
        with suppress(ClipError):
            length = video_length(variant, "pyav")
            assert 0 <= length.decodable <= NUM_FRAMES
    assert 0 < len(errors) < TRIES
    assert not [line for line in errors if "\n" in line or "hangs" in line]


@pytest.mark.parametrize("suffix", [".wav", ".mp4"])
def test_damaged_sound_is_decoded_or_refused_in_one_line(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".wav":
        write_wav(path, [tone(0.5, 8000)], 8000)
    else:
        videos.write_sound(path)
    errors = []
    for _, variant in variants(path):
        try:
            sound = decode_audio(variant, 8000)
            assert np.isfinite(sound).all()
            assert len(sound) < 8000 * 60
        except ClipError as error:
            errors.append(str(error))
    assert 0 < len(errors) < TRIES
    assert not [line for line in errors if "\n" in line]
