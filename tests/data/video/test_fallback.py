"""Where decord is wrong PyAV reads, with a note; the right frames follow from how the videos are made."""

import struct
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from emorec.data.video.reader import (
    VideoLength,
    decode,
    decode_spans,
    decoder_version,
    video_length,
)
from tests import videos


def joined(path: Path) -> Path:
    """Two recordings behind one another, each with a clock from zero."""
    parts = [videos.write_video(path.with_name(f"{part}.ts"), 20) for part in "ab"]
    return videos.joined(path, *parts)


def live(path: Path) -> Path:
    """A recording without duration and index, as browsers write it."""
    plain = videos.write_video(path.with_name("plain.mkv"))
    return videos.remuxed(plain, path, "matroska", live="1")


def narrower_at_last(path: Path) -> Path:
    """The last twenty of forty pictures have half the width."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for index in range(40):
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height = 96 if index < 20 else 48, 64
            encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 30)
            pixels = np.full((64, encoder.width, 3), videos.GREY_STEP * index, np.uint8)
            (packet,) = encoder.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24"))
            packet.pts = packet.dts = index
            packet.time_base, packet.stream = Fraction(1, 30), stream
            output.mux(packet)
    return path


def mirrored(path: Path, across: int, down: int, *, look: videos.Look = "colours") -> Path:
    """A display matrix with the signs of the two axes."""
    content = bytearray(videos.write_video(path, look=look, still=look == "grey").read_bytes())
    position = content.index(b"tkhd") + 44
    struct.pack_into(">9i", content, position, across << 16, 0, 0, 0, down << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


FORTY = list(range(40))

# Name, function that writes it, its frames, height and width as displayed.
FILES: dict[str, tuple[str, Callable[[Path], Path], list[int], tuple[int, int]]] = {
    "MPEG-TS": ("a.ts", partial(videos.write_video, bframes=2, gop=10), FORTY, (64, 96)),
    "joined": ("a.ts", joined, FORTY[:20] * 2, (64, 96)),
    "without duration": ("a.mkv", live, FORTY, (64, 96)),
    "narrower at last": ("a.mkv", narrower_at_last, FORTY, (64, 96)),
    "wide pixels": ("a.mp4", partial(videos.write_video, aspect=Fraction(3, 2)), FORTY, (64, 144)),
}


@pytest.mark.parametrize(("name", "make", "expected", "size"), FILES.values(), ids=FILES)
def test_files_that_decord_misreads_are_read_by_pyav(
    tmp_path: Path,
    name: str,
    make: Callable[[Path], Path],
    expected: list[int],
    size: tuple[int, int],
) -> None:
    path = make(tmp_path / name)
    clip = decode(path, range, decoder="auto")
    # narrower pictures have black bars beside them
    levels = clip.frames[:, :28, 30:66].mean(axis=(1, 2, 3)) / videos.GREY_STEP
    assert np.abs(levels - expected).max() < 0.75
    assert clip.frames.shape[1:3] == size
    assert clip.note is None
    checked = decode(path, range, decoder="decord")
    np.testing.assert_array_equal(checked.frames, clip.frames)
    assert checked.note is not None
    assert video_length(path, "decord") == VideoLength(40, 40, checked.note)


@pytest.mark.parametrize("decoder", ["auto", "decord"])
def test_the_clock_of_joined_recordings_goes_on(tmp_path: Path, decoder: str) -> None:
    path = joined(tmp_path / "a.ts")
    spans = [(0.0, 0.2), (0.6, 0.8), (20 / 30, 1.0)]
    clips = decode_spans(path, range, spans, decoder)  # type: ignore[arg-type]
    assert [clip and clip.indices for clip in clips] == [
        list(range(6)),
        list(range(18, 24)),
        list(range(20, 30)),
    ]
    assert clips[2]
    assert videos.shown_indices(clips[2].frames) == list(range(10))


@pytest.mark.parametrize(("across", "down"), [(-1, 1), (1, -1)])
def test_mirrored_videos_are_mirrored(tmp_path: Path, across: int, down: int) -> None:
    path = mirrored(tmp_path / "a.mp4", across, down)
    expected = videos.reference_frames(path)[:, ::down, ::across]
    for decoder in ("auto", "decord"):
        np.testing.assert_array_equal(decode(path, range, decoder=decoder).frames, expected)


def test_decord_reads_what_it_turns_rightly(tmp_path: Path) -> None:
    path = videos.turn(videos.write_video(tmp_path / "a.mp4", look="colours"), 180)
    assert decode(path, range, decoder="decord").note is None


def test_frames_that_decord_garbles_are_right(tmp_path: Path) -> None:
    path = videos.turn(videos.write_video(tmp_path / "clip.mp4", size=(64, 48)))
    clip = decode(path, range, decoder="decord")
    expected = np.rot90(videos.reference_frames(path), k=-1, axes=(1, 2))
    np.testing.assert_array_equal(clip.frames, expected)
    assert clip.note == "can't be decoded"


def test_pictures_that_start_late_are_at_their_time(tmp_path: Path) -> None:
    starts_ms = [2000 + 40 * index for index in range(40)]
    path = videos.write_video(tmp_path / "late.mkv", starts_ms=starts_ms)
    for decoder in ("auto", "decord"):
        clip = decode(path, range, (2.4, 2.8), decoder)
        assert (clip.indices, clip.note) == (list(range(10, 20)), None)
        assert videos.shown_indices(clip.frames) == clip.indices


def test_av1_is_read_by_pyav_for_a_decord_without_it(tmp_path: Path) -> None:
    if decoder_version("decord") != "decord 0.6.0":
        pytest.skip("only decord 0.6.0 is known to have no AV1")
    path = videos.write_video(tmp_path / "clip.mp4", codec="libsvtav1")
    clip = decode(path, range, decoder="decord")
    assert videos.shown_indices(clip.frames) == list(range(40))
    assert clip.note == "can't be opened"


@pytest.mark.parametrize(
    "name", ["file:%20 b%d.mp4", "-i.mp4", "e\u0301" * 80 + ".mp4", "\udcef.mp4"]
)
@pytest.mark.parametrize("decoder", ["auto", "decord"])
def test_files_of_any_name_are_read(
    tmp_path: Path, name: str, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    videos.write_video(tmp_path / "clip.mp4", 5).rename(tmp_path / name)
    clip = decode(Path(name), range, decoder=decoder)  # type: ignore[arg-type]
    assert videos.shown_indices(clip.frames) == list(range(5))
