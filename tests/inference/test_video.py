"""Videos of any container, codec and length, damaged or not."""

import re
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from emorec.data.video.pyav import Reader
from emorec.data.video.reader import ClipError, decode
from emorec.inference.video import VideoFile, prefetch
from tests import videos


def indices_of(video: VideoFile, needed: set[int] | None = None) -> list[int]:
    """Indices of the decoded frames; checks that each frame shows its index."""
    needed = set(range(video.num_frames)) if needed is None else needed
    decoded = list(video.frames(needed))
    assert videos.shown_indices(np.stack([frame for *_, frame in decoded])) == [
        i for i, *_ in decoded
    ]
    return [index for index, *_ in decoded]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts", ".avi"])
@pytest.mark.parametrize("bframes", [0, 3])
def test_every_frame_of_every_container_is_decoded(
    tmp_path: Path, suffix: str, bframes: int
) -> None:
    video = VideoFile(videos.write_video(tmp_path / f"a{suffix}", 40, bframes=bframes))
    assert (video.width, video.height, video.has_sound) == (96, 64, False)
    assert video.frames_per_second == pytest.approx(30, rel=0.01)
    assert video.seconds == pytest.approx(40 / 30, abs=0.01)
    assert indices_of(video) == list(range(40))
    assert indices_of(video, {3, 17, 39}) == [3, 17, 39]


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9", "libsvtav1"])
def test_every_frame_of_every_codec_is_decoded(tmp_path: Path, codec: str) -> None:
    suffix = ".mp4" if codec == "libx265" else ".mkv"
    video = VideoFile(videos.write_video(tmp_path / f"a{suffix}", 30, codec=codec, bframes=2))
    assert indices_of(video, {0, 11, 29}) == [0, 11, 29]


@pytest.mark.parametrize("bframes", [0, 3])
def test_a_stream_without_timestamps_has_its_nominal_frame_rate(
    tmp_path: Path, bframes: int
) -> None:
    complete = videos.write_video(tmp_path / "a.mp4", 40, bframes=bframes)
    video = VideoFile(videos.remuxed(complete, tmp_path / "a.h264"))
    assert video.seconds == pytest.approx(40 / video.frames_per_second)
    assert indices_of(video, {0, 13, 39}) == [0, 13, 39]


@pytest.mark.parametrize("fps", [10, 120])
def test_the_frame_rate_is_that_of_the_file(tmp_path: Path, fps: int) -> None:
    video = VideoFile(videos.write_video(tmp_path / "a.mp4", 30, fps=fps))
    assert video.frames_per_second == pytest.approx(fps)
    assert video.seconds == pytest.approx(30 / fps)


def test_frames_have_their_timestamps(tmp_path: Path) -> None:
    starts = [0, 40, 300, 1000, 1033]
    video = VideoFile(videos.write_video(tmp_path / "a.mp4", 5, starts_ms=starts))
    decoded = [seconds for _, seconds, _ in video.frames({1, 3, 4})]
    assert decoded == pytest.approx([0.04, 1.0, 1.033], abs=1e-3)
    assert video.seconds == pytest.approx(1.033 + 1.033 / 4, abs=1e-3)


@pytest.mark.parametrize("offset", [0, 100])
def test_recordings_that_were_joined_are_read_one_after_another(
    tmp_path: Path, offset: int
) -> None:
    one = videos.write_video(tmp_path / "1.ts", 20, bframes=2, sound=True)
    two = tmp_path / "2.ts"
    with av.open(str(one)) as file, av.open(str(two), "w") as copy:
        streams = [copy.add_stream_from_template(stream) for stream in file.streams]
        for packet in file.demux():
            if packet.size:
                assert packet.pts is not None
                ticks = offset * 90_000
                packet.pts, packet.dts = packet.pts + ticks, (packet.dts or 0) + ticks
                packet.stream = streams[packet.stream_index]
                copy.mux_one(packet)
    video = VideoFile(videos.joined(tmp_path / "both.ts", one, two))
    assert video.promised_seconds == video.seconds == pytest.approx(40 / 30, abs=0.1)
    frames = [frame for *_, frame in video.frames(set(range(40)))]
    assert videos.shown_indices(np.stack(frames)) == [*range(20)] * 2
    starts = video.starts - video.start
    assert starts == pytest.approx(np.arange(40) / 30, abs=0.05)


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    video = VideoFile(videos.write_video(tmp_path / "a.mp4", 1))
    assert indices_of(video) == [0]
    assert video.seconds == pytest.approx(1 / 30)


@pytest.mark.parametrize(("degrees", "size"), [(90, (64, 96)), (180, (96, 64)), (270, (64, 96))])
def test_rotated_videos_are_decoded_upright(
    tmp_path: Path, degrees: int, size: tuple[int, int]
) -> None:
    path = videos.turn(videos.write_video(tmp_path / "a.mp4", 5), degrees)
    video = VideoFile(path)
    assert (video.width, video.height) == size
    ((_, _, frame),) = video.frames({2})
    np.testing.assert_array_equal(frame, decode(path, range, decoder="decord").frames[2])


def test_hidden_leading_frames_are_skipped(tmp_path: Path) -> None:
    complete = videos.write_video(tmp_path / "a.mp4", 60, bframes=2)
    video = VideoFile(videos.cut_without_encoding(complete, tmp_path / "cut.mp4", 19))
    decoded = list(video.frames(set(range(video.num_frames))))
    assert [index for index, *_ in decoded] == list(range(41))
    assert videos.shown_indices(np.stack([f for *_, f in decoded])) == list(range(19, 60))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("bframes", [0, 3])
@pytest.mark.parametrize("every", [1, 7])
def test_after_damage_decoding_continues_at_the_next_key_frame(
    tmp_path: Path, suffix: str, bframes: int, every: int
) -> None:
    path = videos.write_video(tmp_path / f"a{suffix}", 60, gop=10, bframes=bframes)
    video = VideoFile(videos.empty_middle(path))
    needed = set(range(0, video.num_frames, every))
    decoded = list(video.frames(needed))
    # a container may drop frames without counting them
    indices = [round(seconds * 30) for _, seconds, _ in decoded]
    assert videos.shown_indices(np.stack([frame for *_, frame in decoded])) == indices
    assert set(range(0, 16, every)) <= set(indices)
    assert len([index for index in indices if index >= 50]) >= 10 // every
    lost = set(range(60)) - set(indices)
    assert any(20 < index < 40 for index in lost)
    assert video.damaged or video.num_frames < 60


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_the_readable_part_of_a_truncated_file_is_decoded(tmp_path: Path, suffix: str) -> None:
    path = videos.write_video(tmp_path / f"a{suffix}", 60, bframes=0)
    video = VideoFile(videos.truncate(path, 60))
    decoded = indices_of(video)
    assert decoded == list(range(len(decoded)))
    assert 25 < len(decoded) < 45
    assert abs(video.num_frames - len(decoded)) <= 1
    assert video.promised_seconds == pytest.approx(2.0, abs=0.05) or suffix != ".mp4"


def test_a_frame_lost_by_skipping_others_is_decoded_without_skipping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = VideoFile(videos.write_video(tmp_path / "a.mp4", 40, bframes=3))
    original_stream, skipping = Reader.stream, []

    def lossy_stream(self, needed=None, packets=None):
        skipping.append(needed is not None)
        return ((i, p) for i, p in original_stream(self, needed) if needed is None or i != 13)

    monkeypatch.setattr(Reader, "stream", lossy_stream)
    assert indices_of(video, {3, 13, 26, 39}) == [3, 13, 26, 39]
    assert skipping == [True, False]


def test_a_file_that_is_not_a_video_is_a_one_line_error(tmp_path: Path) -> None:
    text, diary, empty = (tmp_path / name for name in ("text.mp4", "diary.txt", "empty.mp4"))
    for path in (text, diary):
        path.write_text("dear diary, this is not a film\n" * 40)
    empty.touch()
    (tmp_path / "folder").mkdir()
    corrupt = videos.write_video(tmp_path / "spoiled.mp4", 5)
    content = corrupt.read_bytes()
    offset = content.index(b"mdat") + 4
    corrupt.write_bytes(content[:offset] + bytes(len(content) - offset))
    no_index = videos.write_video(tmp_path / "cut.mp4", faststart=False)
    for path, reason in (
        (text, "not a video, or cut off so that its index is missing"),
        (diary, "not a video, or cut off so that its index is missing"),
        (empty, "the file is empty"),
        (tmp_path / "gone.mp4", "can't be read: No such file or directory"),
        (tmp_path / "folder", "can't be read: Is a directory"),
        (videos.write_sound(tmp_path / "sound.mp4"), "there are no pictures in it"),
        (corrupt, "damaged: none of its frames can be decoded"),
        (videos.truncate(no_index, 60), "not a video, or cut off so that its index is missing"),
    ):
        with pytest.raises(ClipError, match=re.escape(f"{path}: {reason}")):
            VideoFile(path)


def test_8k_videos_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 7680, 4320, "yuv420p"
        picture = av.VideoFrame(7680, 4320, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        file.mux(stream.encode(picture))
        file.mux(stream.encode())
    ((_, _, frame),) = VideoFile(path).frames({0})
    assert frame.shape == (4320, 7680, 3)
    assert set(np.unique(frame)) == {130}


def test_timestamps_increase(tmp_path: Path) -> None:
    path = videos.forget_display_order(videos.write_video(tmp_path / "a.mp4", 40, bframes=3))
    video = VideoFile(path)
    decoded = [seconds for _, seconds, _ in video.frames(set(range(40)))]
    assert all(before < after for before, after in pairwise(decoded))
    assert indices_of(video) == list(range(len(decoded)))


def test_a_hidden_last_frame_adds_no_time(tmp_path: Path) -> None:
    path = videos.hide_end(videos.write_video(tmp_path / "a.mp4", 40, bframes=2), 2)
    assert VideoFile(path).seconds == pytest.approx(38 / 30, abs=0.01)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photos_are_upright_as_their_exif_data_says(orientation: int, tmp_path: Path) -> None:
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).repeat(64).reshape(48, 64) * 5)
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.convert("RGB").save(path := tmp_path / "a.jpg", exif=exif, quality=100)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    ((_, _, frame),) = VideoFile(path).frames({0})
    assert frame.shape == expected.shape
    assert np.abs(frame.astype(int) - expected).max() <= 6


def test_a_thread_whose_items_were_never_wanted_ends() -> None:
    closed = []

    def numbers() -> Iterator[int]:
        try:
            yield from count()
        finally:
            closed.append(True)

    items = prefetch(numbers(), 2)
    del items
    assert closed
