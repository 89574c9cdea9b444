"""The packets of a file are the same for two threads that read it together."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.data import media
from emorec.data.audio import iter_audio
from emorec.data.media import DECODING_ERRORS, Packets, audio_stream, video_stream
from emorec.data.video.pyav import Reader
from emorec.data.video.reader import ClipError
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


def test_a_thread_that_reads_by_itself_goes_on_when_the_other_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MAX_KEPT", 3)
    path = videos.write_recording(tmp_path / "a.mkv", pictures=(1, 3), sound=[(0, 2)])
    packets = Packets(path, shared=True)
    frames = Reader(path).stream(packets=packets)
    first = next(frames)  # which lies behind more packets of sound than are kept
    assert list(iter_audio(path, 8000, packets=packets))
    assert [index for index, _ in [first, *frames]] == list(range(20))


@pytest.mark.parametrize(("limit", "times"), [("MAX_KEPT", 2), ("MAX_KEPT_BYTES", 2), ("", 1)])
def test_a_file_is_opened_again_where_too_much_would_be_kept(
    limit: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit:
        monkeypatch.setattr(media, limit, 10)
    opened, open_media = [], media.open_media
    monkeypatch.setattr(media, "open_media", lambda *it: (opened.append(it), open_media(*it))[1])
    path = videos.write_recording(tmp_path / "a.mkv", pictures=(0, 2), sound=[(0, 2)])
    assert list(iter_audio(path, 8000, packets=Packets(path, shared=True)))
    assert len(opened) == times


def test_a_file_without_sound_is_closed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, open_media = [], media.open_media

    @contextmanager
    def opened(*arguments: Any) -> Iterator[Any]:
        with open_media(*arguments) as container:
            try:
                yield container
            finally:
                closed.append(container)

    monkeypatch.setattr(media, "open_media", opened)
    with pytest.raises(ClipError, match="no sound") as error:
        list(iter_audio(videos.write_video(tmp_path / "a.mp4", 2), 8000))
    assert error.tb  # which would keep it open
    assert closed


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
