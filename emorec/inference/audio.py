"""Audio of a video, window by window, in constant memory."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emorec.data.audio.decode import NO_SOUND, Waveform, decode_audio, iter_audio
from emorec.data.audio.spec import AudioSpec, to_float
from emorec.data.video.reader import ClipError

log = logging.getLogger(__name__)


class AudioWindows:
    """Reads the audio of consecutive windows, preprocessed as in training.

    Where the audio can't be decoded further, there is silence to the end of the video, and one warning.

    Args:
        path: The video.
        preprocessing: Of the audio.
    """

    def __init__(self, path: Path, preprocessing: AudioSpec) -> None:
        self.path = path
        self.preprocessing = preprocessing
        self._chunks: Iterator[Waveform] = iter_audio(path, preprocessing.sound_rate)
        self._buffer: Waveform = np.empty(0, dtype=np.float32)
        self._offset = 0
        """Index in the file of the first sample of the buffer."""

    def read_all(self) -> tuple[Waveform, bool]:
        """Return (samples,), -1 to 1, of a video that is a single window, and whether it has sound."""
        try:
            waveform = decode_audio(self.path, self.preprocessing.sound_rate)
            return to_float(self.preprocessing.fit(waveform)), True
        except ClipError as error:
            self._warn(error)
            return self.preprocessing.silence, False

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
            self._warn(error)
            self._chunks = iter(())
            return None
        return chunk

    def _warn(self, error: ClipError) -> None:
        if error.reason != NO_SOUND:
            log.warning("silence where the sound can't be decoded: %s", error)
