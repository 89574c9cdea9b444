"""Sound is decoded to one channel, with the requested rate and span."""

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.signal import resample_poly

from emorec.data.audio.decode import NO_SOUND, NOT_SOUND, decode_audio
from emorec.data.synthetic.clips import encode_mp4
from emorec.data.video.reader import CUT_OFF, ClipError
from tests import videos

RATE = 16_000


def tone(seconds: float, rate: int, pitch: float = 440.0, loudness: float = 0.4) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return (loudness * np.sin(2 * np.pi * pitch * times)).astype(np.float32)


def write_wav(path: Path, channels: list[np.ndarray], rate: int) -> Path:
    samples = np.round(np.stack(channels, axis=1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def test_samples_equal_those_of_the_file(tmp_path: Path) -> None:
    original = tone(0.5, RATE)
    sound = decode_audio(write_wav(tmp_path / "a.wav", [original], RATE), RATE)
    assert sound.dtype == np.float32
    np.testing.assert_allclose(sound, original, atol=1e-4)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = tone(0.3, RATE), tone(0.3, RATE, pitch=1000, loudness=0.2)
    sound = decode_audio(write_wav(tmp_path / "a.wav", [left, right], RATE), RATE)
    np.testing.assert_allclose(sound, (left + right) / 2, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_another_rate_is_resampled(tmp_path: Path, rate: int) -> None:
    original = tone(1.0, rate)
    silent = np.zeros_like(original)
    sound = decode_audio(write_wav(tmp_path / "a.wav", [original, silent], rate), RATE)
    expected = resample_poly(original / 2, RATE, rate)
    assert abs(len(sound) - RATE) <= 1
    middle = slice(2000, 14_000)  # filters differ at the ends
    np.testing.assert_allclose(sound[middle], expected[middle], atol=2e-3)


def test_the_sound_of_a_video_is_decoded(tmp_path: Path) -> None:
    original = tone(1.0, RATE)
    path = tmp_path / "a.mp4"
    frames = np.zeros((10, 32, 32, 3), dtype=np.uint8)
    path.write_bytes(encode_mp4(frames, fps=10, sound=original, sample_rate=RATE))
    sound = decode_audio(path, RATE)
    spectrum = np.abs(np.fft.rfft(sound[4000:12_000]))
    assert np.argmax(spectrum) * RATE / 8000 == pytest.approx(440, abs=2)
    assert np.abs(sound[4000:12_000]).max() == pytest.approx(0.4, abs=0.05)


def test_a_span_is_in_seconds_from_the_start_of_the_file(tmp_path: Path) -> None:
    loud, quiet = tone(0.5, RATE), tone(0.5, RATE, loudness=0.01)
    path = write_wav(tmp_path / "a.wav", [np.concatenate([loud, quiet])], RATE)
    assert np.abs(decode_audio(path, RATE, (0.1, 0.4))).max() > 0.3
    later = decode_audio(path, RATE, (0.6, 0.9))
    assert len(later) == 4800
    assert np.abs(later).max() < 0.02
    assert len(decode_audio(path, RATE, (0.9, 7))) == 1600


def test_files_without_readable_sound_are_refused_with_the_reason(tmp_path: Path) -> None:
    silent_video = videos.write_video(tmp_path / "film.mp4", 5)
    unknown = videos.change_sound(videos.write_video(tmp_path / "odd.mp4", 5, sound=True))
    text, empty = tmp_path / "text.wav", tmp_path / "empty.wav"
    text.write_text("no sound at all, but as many letters as a header has")
    empty.touch()
    short = write_wav(tmp_path / "short.wav", [tone(0.2, RATE)], RATE)
    cut_off = videos.truncate(videos.write_video(tmp_path / "cut.mp4", 60, sound=True), 60)
    empty_wav = write_wav(tmp_path / "nothing.wav", [np.zeros(0)], RATE)
    for path, span, reason in (
        (silent_video, None, NO_SOUND),
        (unknown, None, NO_SOUND),
        (cut_off, None, CUT_OFF),
        (text, None, NOT_SOUND),
        (empty, None, "the file is empty"),
        (tmp_path / "gone.wav", None, "can't be read: No such file or directory"),
        (short, (1.0, 2.0), "its sound is empty between 1 s and 2 s"),
        (empty_wav, None, "its sound is empty"),
    ):
        with pytest.raises(ClipError) as error:
            decode_audio(path, RATE, span)
        assert error.value.reason == reason
        assert str(error.value) == f"{path}: {reason}"


def write_film(path: Path, sounds: list[tuple[float, np.ndarray]], seconds: float) -> Path:
    """Write a film whose pieces of sound start at the given seconds, bit for bit."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio = file.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for _ in range(round(10 * seconds)):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            file.mux(video.encode(frame))
        file.mux(video.encode())
        for start, sound in sounds:
            samples = np.round(sound * 32767).astype("<i2")
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, round(start * RATE)
            frame.time_base = Fraction(1, RATE)
            file.mux(audio.encode(frame))
        file.mux(audio.encode())
    return path


def test_sound_lies_on_the_clock_of_the_pictures_with_silence_in_its_holes(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", [(1.0, tone(0.5, RATE)), (2.5, tone(0.5, RATE))], 4.0)
    expected = np.zeros(4 * RATE, np.float32)
    for start in (1.0, 2.5):
        first = round(start * RATE)
        expected[first : first + RATE // 2] = tone(0.5, RATE)
    holes: list[tuple[float, float]] = []
    sound = decode_audio(path, RATE, holes=holes)
    np.testing.assert_allclose(sound, expected, atol=1e-4)
    np.testing.assert_allclose(holes, [(0, 1), (1.5, 2.5), (3, 4)], atol=1e-3)
    for start, end in ((1.0, 1.5), (0.2, 0.8), (3.2, 4.0)):
        span = decode_audio(path, RATE, (start, end))
        expected_span = expected[round(start * RATE) : round(end * RATE)]
        np.testing.assert_allclose(span, expected_span, atol=1e-4)


def test_a_hole_of_hours_is_damage(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", [(0.0, tone(0.5, RATE)), (1e5, tone(0.5, RATE))], 0.5)
    with pytest.raises(ClipError, match=CUT_OFF):
        decode_audio(path, RATE)


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_compressed_sound_file_with_an_odd_name_is_decoded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"12:30 %d.{suffix}"
    with av.open(f"file:{path}", "w") as file:
        audio = file.add_stream(suffix, rate=RATE)
        audio.layout = "mono"
        frame = av.AudioFrame.from_ndarray(tone(1.0, RATE)[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(audio.format.name, "mono", RATE, audio.frame_size or None)
        for part in (*resampler.resample(frame), *resampler.resample(None), None):
            file.mux(audio.encode(part))
    sound = decode_audio(path, RATE)
    spectrum = np.abs(np.fft.rfft(sound[4000:12_000]))
    assert np.argmax(spectrum) * RATE / 8000 == pytest.approx(440, abs=2)


@pytest.mark.real
def test_real_clips_are_decoded(ravdess_root: Path) -> None:
    for path in sorted(ravdess_root.rglob("01-01-05-02-*.mp4"))[:3]:
        sound = decode_audio(path, RATE)
        assert 2 * RATE < len(sound) < 6 * RATE
        assert 0.01 < np.abs(sound).max() <= 1.0
