"""Videos become windows; undecodable parts become gaps."""

import itertools
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest

from emorec.data.audio import AudioSpec, decode_audio, to_float
from emorec.data.clip import Clip
from emorec.data.faces import Box, Face, FaceDetector
from emorec.data.landmarks import FACE, NUM_LANDMARKS, FaceTrack
from emorec.data.preprocessing import center_crop, resize_frames
from emorec.data.synthetic.clips import encode_mp4
from emorec.data.video.reader import CUT_OFF, ClipError, Frames
from emorec.inference.frame_buffer import frame_buffer
from emorec.inference.options import Options
from emorec.inference.timeline import Gap, Window
from emorec.inference.video import Stopwatch, VideoFile, open_file
from emorec.inference.windows import AudioWindows, windows_of
from tests import videos
from tests.inference.specs import make_spec

SECOND = Options(window_seconds=1.0, hop_seconds=0.5)


class Marks:
    """A fake detector: a face at each bright square in the first row."""

    version = "marks"

    def __init__(self) -> None:
        self.num_calls = 0

    def detect(self, frame: Frames, *, refine: bool = False) -> list[Face]:
        assert not refine  # crops need boxes alone
        self.num_calls += 1
        bright = np.flatnonzero(frame[4, :, 0] > 128)
        groups = np.split(bright, np.flatnonzero(np.diff(bright) > 1) + 1) if len(bright) else []
        sides = [(float(g[0]), float(len(g))) for g in groups if len(g) > 8]
        return [Face(Box(left, 0.0, side, side), ((left, 0.0),), 1.0) for left, side in sides]


def film(path: Path, faces: Sequence[Sequence[int]], fps: int = 10) -> Path:
    """A video with bright squares of 16 pixels at the chosen left edges of each frame."""
    frames = np.full((len(faces), 64, 160, 3), 30, dtype=np.uint8)
    for frame, lefts in zip(frames, faces, strict=True):
        for left in lefts:
            frame[:16, left : left + 16] = 220
    path.write_bytes(encode_mp4(frames, fps=fps))
    return path


def windows(
    path: Path, options: Options = SECOND, *, detector: Marks | None = None, **changes: object
) -> list[Window | Gap]:
    spec = make_spec(**changes)
    return list(windows_of(open_file(path, spec), spec, options, detector))


def people(path: Path, patience: float = 1.0) -> list[tuple[float, int | None]]:
    options = Options(window_seconds=patience, hop_seconds=patience)
    results = windows(path, options, detector=Marks(), face="crop", num_frames=10)
    return [(each.start, each.person) for each in results if isinstance(each, Window)]


def test_a_long_video_is_split_into_overlapping_windows(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=20, bframes=2)
    results = windows(path)
    assert [(w.start, w.end, w.person) for w in results] == [
        (start, start + 1, 1) for start in (0.0, 0.5, 1.0, 1.5, 2.0)
    ]
    frames = videos.reference_frames(path)
    for window in results:
        indices = np.array([2, 6, 10, 14, 18]) + round(20 * window.start)
        pictures = resize_frames(frames[indices], (32, 32))
        # the reference is converted to RGB less precisely
        np.testing.assert_allclose(window.frames, center_crop(pictures, (28, 28)), atol=4)


def test_one_frame_is_one_window(tmp_path: Path) -> None:
    (window,) = windows(videos.write_video(tmp_path / "a.mp4", 1))
    assert isinstance(window, Window)
    assert (window.start, window.end) == (0.0, pytest.approx(1 / 30))
    assert window.frames is not None
    assert (window.frames == window.frames[0]).all()


def test_a_damaged_interval_is_one_gap_and_other_parts_have_windows(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=10, gop=5)
    results = windows(videos.empty_middle(path))
    gaps = [each for each in results if isinstance(each, Gap)]
    assert len(gaps) == 1
    assert 1.0 <= gaps[0].start <= 2.0
    assert 4.0 <= gaps[0].end <= 5.0
    starts = [each.start for each in results]
    assert starts == sorted(starts)
    assert isinstance(results[0], Window)
    assert isinstance(results[-1], Window)
    assert results[-1].end == 6.0


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
@pytest.mark.parametrize("bframes", [0, 3])
def test_the_picture_before_lost_ones_does_not_stand_for_them(
    tmp_path: Path, suffix: str, bframes: int
) -> None:
    path = videos.write_video(tmp_path / f"a{suffix}", 60, fps=10, gop=5, bframes=bframes)
    options = Options(window_seconds=0.5, hop_seconds=0.5)
    gaps = [each for each in windows(videos.empty_middle(path), options) if isinstance(each, Gap)]
    assert [(gap.start, gap.end) for gap in gaps] == [pytest.approx((2.0, 4.0))]


def test_the_missing_end_of_a_truncated_file_is_a_gap(tmp_path: Path) -> None:
    path = videos.truncate(videos.write_video(tmp_path / "a.mp4", 60, fps=10), 50)
    *before, gap = windows(path)
    assert all(isinstance(each, Window) for each in before[:4])
    assert isinstance(gap, Gap)
    assert gap.end == pytest.approx(6.0)


def test_a_window_in_which_the_picture_stands_still_shows_it(tmp_path: Path) -> None:
    starts = [*range(0, 2000, 100), *range(6000, 8000, 100)]
    path = videos.write_video(tmp_path / "a.mp4", 40, starts_ms=starts)
    results = windows(path)
    assert [each.start for each in results[:14]] == [0.5 * count for count in range(14)]
    frames = center_crop(resize_frames(videos.reference_frames(path), (32, 32)), (28, 28))
    for window in results:
        assert isinstance(window, Window)
        if 2.0 <= window.start <= 5.0:
            np.testing.assert_allclose(window.frames, [frames[19]] * 5, atol=4)


def test_a_face_in_a_picture_that_stands_still_stays_the_same_person(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [[20]] * 20)
    assert {person for _, person in people(path, 0.2)} == {1}
    with av.open(str(path)) as file, av.open(str(tmp_path / "b.mp4"), "w") as still:
        stream = still.add_stream_from_template(file.streams.video[0])
        for packet in file.demux(video=0):
            if packet.size:
                assert packet.pts is not None
                assert packet.time_base
                pause = round(5 / packet.time_base) if packet.pts * packet.time_base >= 1 else 0
                packet.pts, packet.dts = packet.pts + pause, (packet.dts or 0) + pause
                packet.stream = stream
                still.mux_one(packet)
    assert people(tmp_path / "b.mp4") == [(float(second), 1) for second in range(7)]


def test_windows_begin_with_the_pictures_on_the_clock_of_the_file(tmp_path: Path) -> None:
    path = videos.write_recording(tmp_path / "a.mkv", pictures=(2, 5), sound=[(0, 3), (4, 5)])
    changes = {"inputs": ("frames", "sound", "heard"), "sound_seconds": 0.8}
    results = windows(path, **changes)
    assert [(each.start, each.end) for each in results] == [
        (pytest.approx(start), pytest.approx(start + 1)) for start in (2.0, 2.5, 3.0, 3.5, 4.0)
    ]
    frames = resize_frames(videos.reference_frames(path), (32, 32))
    loudness = []
    for window in results:
        assert isinstance(window, Window)
        assert window.frames is not None
        assert window.sound is not None
        indices = np.array([1, 3, 5, 7, 9]) + round(10 * (window.start - 2))
        expected = center_crop(frames[indices], (28, 28))
        np.testing.assert_allclose(window.frames, expected, atol=4)
        loudness.append(float(np.abs(window.sound).max()))
    assert loudness == pytest.approx([0.5, 0.5, 0.0, 0.5, 0.5], abs=0.1)
    # a whole clip is what training reads
    (whole,) = windows(path, Options(window_seconds=3.0), **changes)
    assert isinstance(whole, Window)
    assert (whole.start, whole.end) == (pytest.approx(2), pytest.approx(5))
    clip = Clip(path=path, label=0, actor="", take="")
    recipe = AudioSpec(sound_rate=16_000, sound_seconds=0.8)
    np.testing.assert_array_equal(whole.sound, to_float(recipe.load(clip)))


def test_holes_of_the_sound_are_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = videos.write_recording(tmp_path / "a.mkv", pictures=(0, 5), sound=[(1, 2), (2.3, 4)])
    windows(path, inputs=("frames", "sound", "heard"))
    assert caplog.messages == ["a.mkv: no sound from 0 s to 1 s and 1 more"]


@pytest.mark.parametrize("num_frames", [1, 2])
def test_windows_shorter_than_a_frame_contain_the_current_frame(
    tmp_path: Path, num_frames: int
) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 12, fps=4)
    options = Options(window_seconds=0.2, hop_seconds=0.2)
    results = windows(path, options, num_frames=num_frames)
    assert [each.start for each in results] == pytest.approx([0.2 * count for count in range(15)])
    frames = center_crop(resize_frames(videos.reference_frames(path), (32, 32)), (28, 28))
    for count, window in enumerate(results):
        parts = (np.arange(num_frames) + 0.5) / num_frames  # of the window, whose middles are shown
        indices = (4 * 0.2 * (count + parts)).astype(int)
        assert isinstance(window, Window)
        np.testing.assert_allclose(window.frames, frames[indices], atol=4)


def test_windows_that_overlap_by_half_share_half_of_their_frames_whatever_the_rate(
    tmp_path: Path,
) -> None:
    path = film(tmp_path / "a.mp4", [[20]] * 100, fps=13)
    marks, spec = Marks(), make_spec(face="crop", num_frames=6, window_seconds=1.7)
    results = list(windows_of(VideoFile(path), spec, Options(), marks))
    shown = [[seconds for seconds, _ in each.boxes] for each in results if isinstance(each, Window)]
    assert len(shown) == 8
    # the last window ends with the video
    assert all(one[3:] == other[:3] for one, other in itertools.pairwise(shown[:-1]))
    assert marks.num_calls <= 3 * len(shown) + 3 + 3


def test_each_face_is_a_person_with_separate_windows(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [[20, 100]] * 30)
    assert people(path) == [(float(s), person) for s in range(3) for person in (1, 2)]


def test_a_window_without_a_face_has_no_person(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [[]] * 20)
    options = Options(window_seconds=1.0, hop_seconds=1.0)
    for window in windows(path, options, detector=Marks(), face="crop"):
        assert isinstance(window, Window)
        assert (window.person, window.frames, window.box) == (None, None, None)


def test_a_face_that_returns_late_is_a_new_person(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [*[[20]] * 10, *[[]] * 15, *[[20]] * 15])
    assert people(path) == [(0.0, 1), (1.0, None), (2.0, 2), (3.0, 2)]


@pytest.mark.parametrize("fps", [3, 10])
def test_a_briefly_lost_face_stays_the_same_person_for_short_windows(
    tmp_path: Path, fps: int
) -> None:
    path = film(tmp_path / "a.mp4", [*[[20]] * fps, *[[]] * (fps // 2), *[[20]] * fps], fps)
    assert {person for _, person in people(path, 0.2)} == {1, None}


def test_a_window_needs_a_face_in_half_of_its_frames(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [*[[20]] * 15, *[[]] * 6, *[[20]] * 9])
    assert people(path) == [(0.0, 1), (1.0, 1), (2.0, 1)]


def test_each_needed_frame_is_searched_once(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [[20]] * 40)
    marks, stopwatch = Marks(), Stopwatch()
    options = Options(window_seconds=1.0, hop_seconds=0.1)
    spec = make_spec(face="crop", num_frames=10)
    results = list(windows_of(VideoFile(path), spec, options, marks, stopwatch))
    assert len(results) == 31
    assert marks.num_calls == stopwatch.frames == 40
    assert all(isinstance(w, Window) and len(w.boxes) == 10 for w in results)


def test_a_person_whom_one_detection_misses_is_followed_by_landmarks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shifted(frames: Sequence[Frames], _: object, __: object) -> FaceTrack:
        """Landmarks that move by a pixel a frame, whether the face was detected or not."""
        track = np.zeros(1, FACE)
        track["landmarks"] = np.arange(3 * NUM_LANDMARKS).reshape(-1, 3) + int(frames[0][0, 0, 0])
        track["present"] = True
        return track

    class Detector:
        def __init__(self) -> None:
            self.detections = iter([(10, 60), (10,)])

        def detect(self, _: Frames, *, refine: bool) -> list[Face]:
            return [Face(Box(left, 5, 20, 20), (), 1.0) for left in next(self.detections)]

    monkeypatch.setattr("emorec.data.landmarks.cached_landmarker", lambda: shifted)
    spec = make_spec(inputs=("landmarks", "blendshapes"))
    buffer = frame_buffer(spec, cast("FaceDetector", Detector()), 2.0, Stopwatch(), is_long=True)
    for index, seconds in enumerate((0.0, 0.3, 0.9, 1.1)):  # detected in the first and third
        buffer.add(index, seconds, np.full((40, 100, 3), index, np.uint8))
    first, second = buffer.windows(0.0, 2.0, range(4))
    assert [round(box.left, 3) for _, box in first.boxes] == [10, 11, 10, 11]
    assert [round(box.left, 3) for _, box in second.boxes] == [60, 61]


def test_landmarks_that_no_open_window_needs_are_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = []

    def landmarker(frames: Sequence[Frames], _: object, __: object) -> FaceTrack:
        """Landmarks that go on where the face was, however often it is a new one elsewhere."""
        measured.append(int(frames[0][0, 0, 0]))
        track = np.zeros(1, FACE)
        track["present"] = True
        return track

    class Detector:
        def __init__(self) -> None:
            self.lefts = itertools.count(0, 50)

        def detect(self, _: Frames, *, refine: bool) -> list[Face]:
            return [Face(Box(next(self.lefts), 5, 20, 20), (), 1.0)]

    monkeypatch.setattr("emorec.data.landmarks.cached_landmarker", lambda: landmarker)
    spec = make_spec(inputs=("landmarks", "blendshapes"))
    buffer = frame_buffer(spec, cast("FaceDetector", Detector()), 2.0, Stopwatch(), is_long=True)
    for index in range(20):
        buffer.drop_before(index - 2)
        buffer.add(index, float(index), np.full((40, 100, 3), index, np.uint8))
    assert measured.count(19) == 3


def test_a_face_is_cropped_around_the_median_of_its_boxes(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [[20 + index] for index in range(10)])
    options = Options(window_seconds=1.0, hop_seconds=1.0)
    (window,) = windows(path, options, detector=Marks(), face="crop", num_frames=10)
    assert isinstance(window, Window)
    assert window.box is not None
    assert window.box.left + window.box.width / 2 == pytest.approx(32.5, abs=1)
    assert [box.left for _, box in window.boxes] == pytest.approx(range(20, 30), abs=1)
    assert [seconds for seconds, _ in window.boxes] == pytest.approx(np.arange(10) / 10)


def test_the_sound_of_each_window_is_that_of_the_file(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=20, sound=True)
    recipe = AudioSpec(sound_rate=16_000, sound_seconds=0.8)
    results = windows(path, inputs=("frames", "sound", "heard"), sound_seconds=0.8)
    assert len(results) == 5
    for window in results:
        assert isinstance(window, Window)
        clip = Clip(path=path, label=0, actor="", take="", span_seconds=(window.start, window.end))
        oracle = to_float(recipe.load(clip))
        np.testing.assert_array_equal(window.sound, oracle)
        assert window.has_sound


def test_a_muted_microphone_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=20, sound=True)
    zeros = np.zeros(16_000, np.float32)
    monkeypatch.setattr(AudioWindows, "read", lambda self, start, end: (zeros, True))
    results = windows(path, inputs=("frames", "sound", "heard"))
    assert [each.has_sound for each in results if isinstance(each, Window)] == [False] * 5


def test_missing_or_broken_sound_is_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changes = {"inputs": ("frames", "sound", "heard")}
    silent = windows(videos.write_video(tmp_path / "silent.mp4", 60, fps=20), **changes)
    assert not caplog.messages
    assert not any(w.has_sound or np.any(w.sound) for w in silent if isinstance(w, Window))
    path = videos.truncate(videos.write_video(tmp_path / "a.mp4", 60, fps=20, sound=True), 60)
    has_sound = [w.has_sound for w in windows(path, **changes) if isinstance(w, Window)]
    assert has_sound == sorted(has_sound, reverse=True)
    (message,) = caplog.messages
    assert re.match(r"silence from \d\.\d s on, where the sound can't be decoded: ", message)


@pytest.mark.parametrize(
    ("end", "messages"), [(1.04, []), (1.8, ["a.mp4: no sound from 1 s to 1.9 s"])]
)
def test_after_damaged_packets_the_sound_goes_on(
    end: float, messages: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=20, sound=True)
    options = Options(window_seconds=0.8, hop_seconds=0.4)
    changes = {"inputs": ("frames", "sound", "heard"), "sound_seconds": 0.8}
    whole = windows(path, options, **changes)
    damaged = windows(videos.damage_sound(path, 1.0, end), options, **changes)
    for one, other in zip(whole, damaged, strict=True):
        assert isinstance(one, Window)
        assert isinstance(other, Window)
        assert one.sound is not None
        assert other.sound is not None
        assert other.has_sound
        is_untouched = one.end <= 1 or one.start >= end + 0.1
        assert np.abs(one.sound - other.sound).max() < (0.02 if is_untouched else 2)
    assert caplog.messages == messages
    with pytest.raises(ClipError, match=CUT_OFF):  # where clips train, nothing may be missing
        decode_audio(path, 16_000)


HEARING = {"inputs": ("sound",), "num_frames": 0}


def test_an_audio_network_needs_sound(tmp_path: Path) -> None:
    (window,) = windows(videos.write_video(tmp_path / "a.mp4", 30, sound=True), **HEARING)
    assert isinstance(window, Window)
    assert window.frames is None
    assert window.has_sound
    with pytest.raises(
        ClipError, match=r"b.mp4: it has no sound, and this network takes nothing else"
    ):
        windows(videos.write_video(tmp_path / "b.mp4", 30), **HEARING)


def test_an_audio_network_reads_all_of_the_sound_whatever_the_pictures(tmp_path: Path) -> None:
    path = videos.write_recording(tmp_path / "a.mp4", pictures=(0, 1), sound=[(1, 3)])
    spoiled = videos.change_format(path)
    results = windows(spoiled, **HEARING)
    assert [each.start for each in results] == [0.0, 0.5, 1.0, 1.5, 2.0]
    loudness = [np.abs(each.sound).max() for each in results if isinstance(each, Window)]
    assert loudness == pytest.approx([0, 0.5, 0.5, 0.5, 0.5], abs=0.1)


@pytest.mark.parametrize(("suffix", "codec"), [(".wav", "pcm_s16le"), (".flac", "flac")])
def test_an_audio_network_takes_sound_files(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"a{suffix}"
    wave = np.random.default_rng(0).integers(-9999, 9999, (1, 40_000)).astype(np.int16)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate = 16_000
        file.mux([*stream.encode(frame), *stream.encode()])
    results = windows(path, **HEARING)
    assert [(each.start, each.end) for each in results] == [(0, 1), (0.5, 1.5), (1, 2), (1.5, 2.5)]
    for each in results:
        assert isinstance(each, Window)
        first = round(16_000 * each.start)
        np.testing.assert_allclose(each.sound, wave[0, first : first + 16_000] / 32768, atol=1e-4)
    with pytest.raises(ClipError, match="there are no pictures in it"):
        windows(path)


def test_faces_unlike_training_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert Options().open_detector(make_spec()) is None
    assert Options().open_detector(make_spec(face="align")) is not None
    assert not caplog.messages
    assert Options(face="crop").open_detector(make_spec()) is not None
    assert Options(face="align").open_detector(make_spec(face="crop")) is not None
    assert Options(face="none").open_detector(make_spec(face="align")) is None
    assert caplog.messages == [
        "face is crop, but the network was trained on whole frames",
        "face is align, but the network was trained on cropped faces",
        "face is none, but the network was trained on aligned faces",
    ]


@pytest.mark.slow
def test_windows_need_neither_torch_nor_pyav_nor_matplotlib() -> None:
    names = ["spec", "runtimes", "video", "windows", "tracks", "camera", "predictor", "results"]
    code = "import sys\n" + "".join(f"import emorec.inference.{name}\n" for name in names)
    code += "print({'torch', 'lightning', 'albumentations', 'av', 'matplotlib'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
