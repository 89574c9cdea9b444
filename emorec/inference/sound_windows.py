"""The sound of a video, window by window, in memory that does not grow with its length."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emorec.data.audio.decode import NO_SOUND, Waveform, decode_audio, iter_audio
from emorec.data.audio.spec import AudioSpec, to_float
from emorec.data.decoding.decode import ClipError
from emorec.inference.facts import Facts

log = logging.getLogger(__name__)


def sound_recipe(facts: Facts) -> AudioSpec:
    """What the sound of a window is like for a network that hears."""
    return AudioSpec(sound_rate=facts.sound_rate, sound_seconds=facts.sound_seconds)


class SoundWindows:
    """Gives the sound of windows, the same samples that training hears.

    Where the sound can't be read on there is silence to the end of the video, which is told once.

    Args:
        path: The video.
        recipe: What the samples are like.
    """

    def __init__(self, path: Path, recipe: AudioSpec) -> None:
        self.path = path
        self.recipe = recipe
        self._parts: Iterator[npt.NDArray[np.float32]] = iter_audio(path, recipe.sound_rate)
        self._sound: Waveform = np.empty(0, dtype=np.float32)
        self._first = 0
        """Index in the file of the first sample that is kept."""

    def whole(self) -> tuple[Waveform, bool]:
        """(samples,) from -1 to 1 of a video that is one window, and whether it has sound."""
        try:
            return to_float(self.recipe.fit(decode_audio(self.path, self.recipe.sound_rate))), True
        except ClipError as error:
            self._tell(error)
            return self.recipe.silence, False

    def __call__(self, start: float, end: float) -> tuple[Waveform, bool]:
        """(samples,) from -1 to 1 of a window, and whether it has sound.

        Args:
            start: In seconds, not before that of the last call.
            end: In seconds.
        """
        first, stop = round(start * self.recipe.sound_rate), round(end * self.recipe.sound_rate)
        self._read(first, stop)
        sound = self._sound[: stop - first] if first == self._first else self._sound[:0]
        if not len(sound):
            return self.recipe.silence, False
        return to_float(self.recipe.fit(sound)), True

    def _read(self, first: int, stop: int) -> None:
        """Lets go of what is before a sample, and reads up to another."""
        parts, there = [self._sound], self._first + len(self._sound)
        while there < stop and (part := self._next()) is not None:
            parts.append(part)
            there += len(part)
            if there <= first:
                self._first, parts = there, []
        kept = np.concatenate([np.empty(0, dtype=np.float32), *parts])
        gone = min(max(first - self._first, 0), len(kept))
        # a copy, for a view keeps all
        self._sound, self._first = kept[gone:].copy(), self._first + gone

    def _next(self) -> Waveform | None:
        try:
            part = next(self._parts, None)
            if part is None:
                return None
            sound: Waveform = part.mean(axis=0, dtype=np.float32)
            if not np.isfinite(sound).all():
                raise ClipError.of(self.path, "its sound holds values that are no numbers")
        except ClipError as error:
            self._tell(error)
            self._parts = iter(())
            return None
        return sound

    def _tell(self, error: ClipError) -> None:
        if error.reason != NO_SOUND:
            log.warning("silence where the sound can't be read: %s", error)
