"""A specification makes sound of a fixed length, and its name depends on all settings."""

from pathlib import Path

import numpy as np
import pytest

from emorec.data.audio import spec
from emorec.data.audio.spec import AudioSpec
from emorec.data.clip import Clip
from tests.data.audio.test_decode import RATE, tone, write_wav

SPEC = AudioSpec(sound_rate=RATE, sound_seconds=0.5)


def clip_of(path: Path) -> Clip:
    return Clip(path=path, label=0, actor=1, take=path.stem)


def test_long_clips_are_cropped_to_their_middle_and_short_ones_padded_with_silence(
    tmp_path: Path,
) -> None:
    parts = [tone(0.25, RATE, loudness=loudness) for loudness in (0.1, 0.5, 0.5, 0.1)]
    long = SPEC.load(clip_of(write_wav(tmp_path / "long.wav", [np.concatenate(parts)], RATE)))
    assert (long.shape, long.dtype) == ((8000,), np.int16)
    assert np.abs(long[:300]).max() > 0.4 * 32767
    short = SPEC.load(clip_of(write_wav(tmp_path / "short.wav", [tone(0.2, RATE)], RATE)))
    assert not short[:2400].any()
    assert not short[5600:].any()
    np.testing.assert_allclose(short[2400:5600] / 32767, tone(0.2, RATE), atol=1e-4)


def test_samples_out_of_range_are_clipped_and_do_not_wrap_around() -> None:
    assert (SPEC.fit(np.full(8000, 1.5, dtype=np.float32)) == 32767).all()


def test_different_specifications_have_different_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        AudioSpec(sound_rate=rate, sound_seconds=seconds).name
        for rate in (8000, 16_000)
        for seconds in (1.0, 2.0)
    }
    assert len(names) == 4
    original_name = SPEC.name
    monkeypatch.setattr(spec, "decoder_version", lambda name: "av 999")
    assert SPEC.name != original_name
