import numpy as np

from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.clips import voice_clip
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.synthetic.voice import SAMPLE_RATE


def take(emotion, *, actor=1):
    return RavdessName(
        modality="av",
        channel="speech",
        emotion=emotion,
        intensity="normal" if emotion == "neutral" else "strong",
        statement=1,
        repetition=1,
        actor=actor,
    )


def pitch_hz(sound):
    """Return the (windows,) pitch of 40 ms windows by autocorrelation, 0 in silence."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, 640)[::320].astype(float)
    loud = windows.std(axis=1) > 0.2 * windows.std(axis=1).max()
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(640), 2048)) ** 2
    lags = np.fft.irfft(spectrum)[:, 40:200]  # 80 to 400 Hz
    return np.where(loud, SAMPLE_RATE / (40 + lags.argmax(axis=1)), 0.0)


def mean_pitch(emotion, actor):
    pitch = pitch_hz(voice_clip(take(emotion, actor=actor), ClipSettings()))
    return np.median(pitch[pitch > 0])


def test_women_speak_higher_than_men_and_anger_is_louder_than_sadness():
    men, women = ([mean_pitch("neutral", a) for a in actors] for actors in ((1, 3, 5), (2, 4, 6)))
    assert 90 < min(men) < max(men) < 150 < min(women) < max(women) < 260
    for actor in (1, 2):
        angry, neutral, sad = (
            voice_clip(take(e, actor=actor), ClipSettings()).std()
            for e in ("angry", "neutral", "sad")
        )
        assert angry > 1.8 * neutral
        assert sad < 0.7 * neutral


def test_pitch_follows_the_emotion():
    for emotion in ("happy", "angry", "fearful"):
        assert mean_pitch(emotion, 3) > 1.15 * mean_pitch("neutral", 3)
    assert mean_pitch("calm", 3) < mean_pitch("neutral", 3)


def test_surprise_rises_to_its_end_and_sadness_falls():
    for emotion, rises in (("surprised", True), ("sad", False)):
        pitch = pitch_hz(voice_clip(take(emotion, actor=1), ClipSettings()))
        voiced = pitch[pitch > 0]
        third = len(voiced) // 3
        assert (np.median(voiced[-third:]) > np.median(voiced[:third])) == rises
