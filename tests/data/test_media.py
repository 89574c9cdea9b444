"""The packets of a file are the same for two threads that read it together."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from emorec.data import media
from emorec.data.audio import iter_audio
from emorec.data.media import DECODING_ERRORS, Packets, audio_stream, video_stream
from emorec.data.video.pyav import Reader
from tests import videos


@pytest.mark.parametrize("kept", [1000, 3])
@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
def test_frames_and_sound_read_together_are_those_read_alone(
    suffix: str, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MAX_KEPT", kept)
    path = videos.write_recording(
        tmp_path / f"a{suffix}", pictures=(0, 4), sound=[(0, 1), (1.8, 3)]
    )
    packets, reader = Packets(path, shared=True), Reader(path)
    holes: list[tuple[float, float]] = []
    with ThreadPoolExecutor() as threads:  # the sound, which ends early, is far ahead
        sound = threads.submit(lambda: np.concatenate([*iter_audio(path, 8000, holes, packets)]))
        expected = np.concatenate([*iter_audio(path, 8000)])
        np.testing.assert_array_equal(sound.result(), expected)
    for one, other in zip(reader.stream(packets=packets), reader.stream(), strict=True):
        assert one[0] == other[0]
        assert one[1] is not None
        assert other[1] is not None
        np.testing.assert_array_equal(one[1].to_rgb(), other[1].to_rgb())
    assert [round(end) for _, end in holes] == [2, 4]


def test_both_threads_are_told_where_a_file_cannot_be_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = videos.write_recording(tmp_path / "a.mkv", pictures=(0, 2), sound=[(0, 2)])
    read = media.demux

    def broken(container):
        yield from list(read(container))[:9]
        raise ValueError("a damaged packet")

    monkeypatch.setattr(media, "demux", broken)
    packets = Packets(path, shared=True)
    for stream in (video_stream(packets.container), audio_stream(packets.container)):
        assert stream is not None
        with pytest.raises(DECODING_ERRORS, match="damaged packet"):
            list(packets.of(stream))
