"""Audio of a file, window by window, in constant memory."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emorec.data.audio.decode import (
    NO_SOUND,
    Span,
    Waveform,
    iter_audio,
)
from emorec.data.audio.spec import AudioSpec, to_float
from emorec.data.video.reader import ClipError
from emorec.inference.timeline import format_time
from emorec.text import first_few

log = logging.getLogger(__name__)


class AudioWindows:
    """Reads the audio of consecutive windows, preprocessed as in training.

    Where the audio can't be decoded further, there is silence to the end of the video, and one warning.

    Args:
        path: The video or sound file.
        preprocessing: Of the audio.
    """

    def __init__(self, path: Path, preprocessing: AudioSpec) -> None:
        self.path = path
        self.preprocessing = preprocessing
        self._holes: list[Span] = []
        self._chunks: Iterator[Waveform] = iter_audio(path, preprocessing.sound_rate, self._holes)
        self._buffer: Waveform = np.empty(0, dtype=np.float32)
        self._offset = 0
        """Index in the file of the first sample of the buffer."""

    def read_all(self) -> tuple[Waveform, bool]:
        """Return (samples,), -1 to 1, of all of the sound, and whether there is any."""
        self._fill(0, sys.maxsize)
        return self._fit(self._buffer)

    def read(self, start: float, end: float) -> tuple[Waveform, bool]:
        """Return (samples,), -1 to 1, of a window, and whether it has sound.

        Args:
            start: In seconds, not before that of the previous call.
            end: In seconds, exclusive.
        """
        rate = self.preprocessing.sound_rate
        first, stop = round(start * rate), round(end * rate)
        self._fill(first, stop)
        sound = self._buffer[: stop - first] if first == self._offset else self._buffer[:0]
        return self._fit(sound)

    def report_holes(self, end: float) -> None:
        """Read the rest, and log a line if sound is missing anywhere.

        Args:
            end: Of the video, in seconds.
        """
        self._fill(sys.maxsize, sys.maxsize)
        if self._holes:
            texts = [
                " to ".join(format_time(round(seconds, 1), end) for seconds in hole)
                for hole in self._holes
            ]
            missing = first_few(texts, limit=1, separator=" ")
            log.warning("%s: no sound from %s", self.path.name, missing)

    def _fit(self, sound: Waveform) -> tuple[Waveform, bool]:
        if not len(sound):
            return self.preprocessing.silence, False
        return to_float(self.preprocessing.fit(sound)), True

    def _fill(self, first: int, stop: int) -> None:
        """Drop the samples before `first`, and read up to `stop`."""
        chunks, end = [self._buffer], self._offset + len(self._buffer)
        while end < stop and (chunk := self._next_chunk()) is not None:
            chunks.append(chunk)
            end += len(chunk)
            if end <= first:
                self._offset, chunks = end, []
        buffer = np.concatenate([np.empty(0, dtype=np.float32), *chunks])
        dropped = min(max(first - self._offset, 0), len(buffer))
        # a copy: a view would keep the dropped samples in memory
        self._buffer, self._offset = buffer[dropped:].copy(), self._offset + dropped

    def _next_chunk(self) -> Waveform | None:
        try:
            chunk = next(self._chunks, None)
            if chunk is None:
                return None
            if not np.isfinite(chunk).all():
                raise ClipError.of(self.path, "its sound has values that are not finite")
        except ClipError as error:
            if error.reason != NO_SOUND:
                log.warning("silence where the sound can't be decoded: %s", error)
            self._chunks = iter(())
            return None
        return chunk
