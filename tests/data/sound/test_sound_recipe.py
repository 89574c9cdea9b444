"""A recipe makes sound of any length one length, and its name changes with all that shapes it."""

from pathlib import Path

import numpy as np
import pytest

from emorec.data.cache.any_recipe import recipe_of
from emorec.data.sound import sound_recipe
from emorec.data.sound.sound_recipe import SoundRecipe
from tests.data.sound.test_decode_sound import RATE, tone, write_wav

RECIPE = SoundRecipe(sound_rate=RATE, sound_seconds=0.5)


def test_a_long_clip_gives_its_middle_and_a_short_one_gets_silence(tmp_path: Path) -> None:
    parts = [tone(0.25, RATE, loudness=loudness) for loudness in (0.1, 0.5, 0.5, 0.1)]
    long = RECIPE.samples(write_wav(tmp_path / "long.wav", [np.concatenate(parts)], RATE))
    assert (long.shape, long.dtype) == ((8000,), np.int16)
    assert np.abs(long[:300]).max() > 0.4 * 32767
    short = RECIPE.samples(write_wav(tmp_path / "short.wav", [tone(0.2, RATE)], RATE))
    assert not short[:2400].any()
    assert not short[5600:].any()
    np.testing.assert_allclose(short[2400:5600] / 32767, tone(0.2, RATE), atol=1e-4)


def test_what_is_louder_than_a_file_can_hold_is_cut_off_and_not_turned_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loud = np.full(8000, 1.5, dtype=np.float32)
    monkeypatch.setattr(sound_recipe, "decode_sound", lambda *_: loud)
    assert (RECIPE.samples(tmp_path / "a.wav") == 32767).all()


def test_the_name_tells_recipes_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        SoundRecipe(sound_rate=rate, sound_seconds=seconds).name
        for rate in (8000, 16_000)
        for seconds in (1.0, 2.0)
    }
    assert len(names) == 4
    before = RECIPE.name
    monkeypatch.setattr(sound_recipe, "decoder_version", lambda name: "av 999")
    assert RECIPE.name != before


def test_it_is_written_down_and_read_again() -> None:
    assert recipe_of(RECIPE.plain()) == RECIPE
