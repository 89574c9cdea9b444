"""Any container and codec, any length, damaged or not."""

import re
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from emorec.data.video.pyav import Reader
from emorec.data.video.reader import ClipError, decode
from emorec.inference.video import VideoFile
from tests import videos


def indices_of(video: VideoFile, needed: set[int] | None = None) -> list[int]:
    """What comes, each frame checked to be the one that its index says."""
    needed = set(range(video.num_frames)) if needed is None else needed
    came = list(video.frames(needed))
    assert videos.shown_indices(np.stack([frame for *_, frame in came])) == [i for i, *_ in came]
    return [index for index, *_ in came]


def remuxed(source: Path, path: Path) -> Path:
    """The same packets in another container."""
    with av.open(str(source)) as file, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(file.streams.video[0])
        for packet in file.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts", ".avi"])
@pytest.mark.parametrize("bframes", [0, 3])
def test_every_container_gives_every_frame(tmp_path: Path, suffix: str, bframes: int) -> None:
    video = VideoFile(videos.write_video(tmp_path / f"a{suffix}", 40, bframes=bframes))
    assert (video.width, video.height, video.has_sound) == (96, 64, False)
    assert video.frames_per_second == pytest.approx(30, rel=0.01)
    assert video.seconds == pytest.approx(40 / 30, abs=0.01)
    assert indices_of(video) == list(range(40))
    assert indices_of(video, {3, 17, 39}) == [3, 17, 39]


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9", "libsvtav1"])
def test_so_does_every_codec(tmp_path: Path, codec: str) -> None:
    suffix = ".mp4" if codec == "libx265" else ".mkv"
    video = VideoFile(videos.write_video(tmp_path / f"a{suffix}", 30, codec=codec, bframes=2))
    assert indices_of(video, {0, 11, 29}) == [0, 11, 29]


@pytest.mark.parametrize("bframes", [0, 3])
def test_a_stream_without_timestamps_has_its_nominal_frame_rate(
    tmp_path: Path, bframes: int
) -> None:
    whole = videos.write_video(tmp_path / "a.mp4", 40, bframes=bframes)
    video = VideoFile(remuxed(whole, tmp_path / "a.h264"))
    assert video.seconds == pytest.approx(40 / video.frames_per_second)
    assert indices_of(video, {0, 13, 39}) == [0, 13, 39]


@pytest.mark.parametrize("fps", [10, 120])
def test_the_rate_is_that_of_the_file(tmp_path: Path, fps: int) -> None:
    video = VideoFile(videos.write_video(tmp_path / "a.mp4", 30, fps=fps))
    assert video.frames_per_second == pytest.approx(fps)
    assert video.seconds == pytest.approx(30 / fps)


def test_frames_come_with_their_own_times(tmp_path: Path) -> None:
    starts = [0, 40, 300, 1000, 1033]
    video = VideoFile(videos.write_video(tmp_path / "a.mp4", 5, starts_ms=starts))
    came = [seconds for _, seconds, _ in video.frames({1, 3, 4})]
    assert came == pytest.approx([0.04, 1.0, 1.033], abs=1e-3)
    assert video.seconds == pytest.approx(1.033 + 1.033 / 4, abs=1e-3)


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    video = VideoFile(videos.write_video(tmp_path / "a.mp4", 1))
    assert indices_of(video) == [0]
    assert video.seconds == pytest.approx(1 / 30)


@pytest.mark.parametrize(("degrees", "size"), [(90, (64, 96)), (180, (96, 64)), (270, (64, 96))])
def test_what_was_filmed_turned_comes_upright(
    tmp_path: Path, degrees: int, size: tuple[int, int]
) -> None:
    path = videos.turn(videos.write_video(tmp_path / "a.mp4", 5), degrees)
    video = VideoFile(path)
    assert (video.width, video.height) == size
    ((_, _, frame),) = video.frames({2})
    np.testing.assert_array_equal(frame, decode(path, range, decoder="decord").frames[2])


def test_frames_hidden_before_the_start_do_not_count(tmp_path: Path) -> None:
    whole = videos.write_video(tmp_path / "a.mp4", 60, bframes=2)
    video = VideoFile(videos.cut_without_encoding(whole, tmp_path / "cut.mp4", 19))
    came = list(video.frames(set(range(video.num_frames))))
    assert [index for index, *_ in came] == list(range(41))
    assert videos.shown_indices(np.stack([f for *_, f in came])) == list(range(19, 60))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("bframes", [0, 3])
@pytest.mark.parametrize("every", [1, 7])
def test_behind_damage_frames_come_again_from_the_next_key_frame(
    tmp_path: Path, suffix: str, bframes: int, every: int
) -> None:
    path = videos.write_video(tmp_path / f"a{suffix}", 60, gop=10, bframes=bframes)
    video = VideoFile(videos.empty_middle(path))
    needed = set(range(0, video.num_frames, every))
    came = list(video.frames(needed))
    # a container may lose frames so that they are not even counted
    shown = [round(seconds * 30) for _, seconds, _ in came]
    assert videos.shown_indices(np.stack([frame for *_, frame in came])) == shown
    assert set(range(0, 16, every)) <= set(shown)
    assert len([index for index in shown if index >= 50]) >= 10 // every
    gone = set(range(60)) - set(shown)
    assert any(20 < index < 40 for index in gone)
    assert video.damaged or video.num_frames < 60


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_of_a_file_that_is_cut_off_the_readable_part_comes(tmp_path: Path, suffix: str) -> None:
    path = videos.write_video(tmp_path / f"a{suffix}", 60, bframes=0)
    video = VideoFile(videos.truncate(path, 60))
    came = indices_of(video)
    assert came == list(range(len(came)))
    assert 25 < len(came) < 45
    assert abs(video.num_frames - len(came)) <= 1
    assert video.promised_seconds == pytest.approx(2.0, abs=0.05) or suffix != ".mp4"


def test_a_frame_lost_by_skipping_others_is_decoded_without_skipping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = VideoFile(videos.write_video(tmp_path / "a.mp4", 40, bframes=3))
    read, asked = Reader.stream, []

    def loses(self, needed=None):
        asked.append(needed is not None)
        return ((i, p) for i, p in read(self, needed) if needed is None or i != 13)

    monkeypatch.setattr(Reader, "stream", loses)
    assert indices_of(video, {3, 13, 26, 39}) == [3, 13, 26, 39]
    assert asked == [True, False]


def test_what_is_no_video_is_one_clear_line(tmp_path: Path) -> None:
    text, diary, empty = (tmp_path / name for name in ("text.mp4", "diary.txt", "empty.mp4"))
    for path in (text, diary):
        path.write_text("dear diary, this is no film\n" * 40)
    empty.touch()
    (tmp_path / "folder").mkdir()
    spoiled = videos.write_video(tmp_path / "spoiled.mp4", 5)
    content = spoiled.read_bytes()
    place = content.index(b"mdat") + 4
    spoiled.write_bytes(content[:place] + bytes(len(content) - place))
    no_index = videos.write_video(tmp_path / "cut.mp4", faststart=False)
    for path, reason in (
        (text, "not a video, or cut off so that its index is missing"),
        (diary, "not a video, or cut off so that its index is missing"),
        (empty, "the file is empty"),
        (tmp_path / "gone.mp4", "can't be read: No such file or directory"),
        (tmp_path / "folder", "can't be read: Is a directory"),
        (videos.write_sound(tmp_path / "sound.mp4"), "there are no pictures in it"),
        (spoiled, "damaged: none of its frames can be decoded"),
        (videos.truncate(no_index, 60), "not a video, or cut off so that its index is missing"),
    ):
        with pytest.raises(ClipError, match=re.escape(f"{path}: {reason}")):
            VideoFile(path)


def test_eight_thousand_pixels_are_no_trouble(tmp_path: Path) -> None:
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


def test_times_never_go_back(tmp_path: Path) -> None:
    path = videos.forget_display_order(videos.write_video(tmp_path / "a.mp4", 40, bframes=3))
    video = VideoFile(path)
    came = [seconds for _, seconds, _ in video.frames(set(range(40)))]
    assert all(before < after for before, after in pairwise(came))
    assert indices_of(video) == list(range(len(came)))
