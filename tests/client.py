"""A program that uses the installed package: `make wheel` checks its types from outside and runs it."""

import wave
from pathlib import Path
from typing import assert_type

import numpy as np

import emorec

RATE = 16_000


def write_noise(path: Path, seconds: int) -> None:
    """Write a sound file that is not speech."""
    samples = np.random.default_rng(0).normal(0, 3000, seconds * RATE).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def main() -> None:
    path = Path("noise.wav")
    write_noise(path, 4)
    predictor = assert_type(emorec.load(), emorec.Predictor)
    timeline = assert_type(predictor.predict(path), emorec.Timeline)
    assert timeline.names[:3] == ("neutral", "calm", "happy")
    for window in timeline.windows:
        assert_type(window, emorec.Window)
        assert window.unfamiliar == ("sound",)
    assert timeline.windows


if __name__ == "__main__":
    main()
