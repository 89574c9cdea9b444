"""The sound of clips is decoded once, kept as it was, and what has none is said so."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emorec.data.cache import frame_store
from emorec.data.cache.kept import clear, kept, verify
from emorec.data.clip import Clip
from emorec.data.sound.decode_sound import NO_SOUND
from emorec.data.sound.hearing import Hearing
from emorec.data.sound.sound_recipe import SoundRecipe
from tests import videos
from tests.data.sound.test_decode_sound import RATE, tone, write_wav

RECIPE = SoundRecipe(sound_rate=RATE, sound_seconds=0.5)


def clip_of(path: Path, **more: object) -> Clip:
    return Clip(path=path, label=0, actor=1, take=path.stem, **more)  # type: ignore[arg-type]


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    return [
        clip_of(write_wav(tmp_path / f"{pitch}.wav", [tone(0.5, RATE, pitch)], RATE))
        for pitch in (300, 500)
    ]


def test_what_is_kept_is_what_was_decoded(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = str(tmp_path / "cache")
    hearing, direct = Hearing(RECIPE, "error", 0), Hearing(RECIPE, "error", 0)
    assert hearing.look_through(clips, cache=cache, workers=1) == []
    for clip in clips:
        assert torch.equal(hearing(clip)["sound"], direct(clip)["sound"])
        assert hearing(clip)["heard"] is True
    monkeypatch.setattr(frame_store.FrameStore, "find_out", None)
    again = Hearing(RECIPE, "error", 0)
    assert again.look_through(clips, cache=cache, workers=1) == []
    [one] = kept(Path(cache))
    assert (one.ready, one.num_bytes) == (2, 2 * 8000 * 2)
    assert verify(Path(cache)) == {one.name: 0}
    assert clear(Path(cache)) >= one.num_bytes
    assert not list(Path(cache).glob("sound-*"))


def test_damaged_sound_is_noticed_and_made_anew(clips: list[Clip], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    Hearing(RECIPE, "error", 0).look_through(clips, cache=str(cache), workers=1)
    [file] = cache.glob("sound-*.frames")
    with file.open("r+b") as opened:
        opened.write(b"\1\2\3\4")
    hearing = Hearing(RECIPE, "error", 0)
    hearing.look_through(clips, cache=str(cache), workers=1)
    direct = Hearing(RECIPE, "error", 0)
    assert all(torch.equal(hearing(clip)["sound"], direct(clip)["sound"]) for clip in clips)


@pytest.mark.parametrize("cache", ["none", "CACHE"])
def test_a_clip_without_sound_is_an_error_or_silence(
    clips: list[Clip], tmp_path: Path, cache: str, caplog: pytest.LogCaptureFixture
) -> None:
    film = clip_of(videos.write_video(tmp_path / "film.mp4", 5))
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    broken = clip_of(text)
    where = str(tmp_path / "cache") if cache == "CACHE" else cache
    strict, patient = Hearing(RECIPE, "error", 0), Hearing(RECIPE, "silence", 0)
    everything = [*clips, film, broken]
    found = strict.look_through(everything, cache=where, workers=1)
    assert {each.path: each.reason.partition(":")[0] for each in found} == {
        film.path: NO_SOUND,
        text: "its sound",
    }
    found = patient.look_through(everything, cache=where, workers=1)
    assert [each.path for each in found] == [text]
    heard = patient(film)
    assert heard["heard"] is False
    assert not heard["sound"].any()
    patient.tell(everything, found)
    assert f"1 of 4 clips have no sound and are silence: {film.path}" in caplog.text


def test_sound_may_lie_in_a_file_of_its_own(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "a.wav", [tone(0.5, RATE)], RATE)
    film = videos.write_video(tmp_path / "film.mp4", 60)
    clip = clip_of(film, sound_path=wav, span_seconds=(1.0, 1.5), half="left")
    hearing = Hearing(RECIPE, "error", 0)
    assert hearing.look_through([clip], cache=str(tmp_path / "cache"), workers=1) == []
    np.testing.assert_allclose(hearing(clip)["sound"].numpy(), tone(0.5, RATE), atol=1e-3)


def test_sound_is_varied_by_seed_epoch_and_clip_alone(clips: list[Clip]) -> None:
    hearing, other = Hearing(RECIPE, "error", 0), Hearing(RECIPE, "error", 1)
    clip = clips[0]
    varied = hearing(clip, (3, 5))["sound"]
    assert torch.equal(varied, Hearing(RECIPE, "error", 0)(clip, (3, 5))["sound"])
    assert not torch.equal(varied, hearing(clip)["sound"])
    for another in (hearing(clip, (4, 5)), hearing(clip, (3, 6)), other(clip, (3, 5))):
        assert not torch.equal(varied, another["sound"])
