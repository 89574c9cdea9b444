"""Decoding with decord: bitwise equal frames, spans, sampling and bad files."""

import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import decord
import numpy as np
import pytest

from emorec.data.video.reader import (
    ClipError,
    Decoder,
    VideoLength,
    decode,
    decode_spans,
    likely_ends,
    linspace_indices,
    run_with_timeout,
    video_length,
)
from tests import videos

sample_six = partial(linspace_indices, num_frames=6)

MAKERS: dict[str, Callable[[Path], Path]] = {
    "plain": videos.write_video,
    "index at the end": partial(videos.write_video, faststart=False),
    "with sound": partial(videos.write_video, sound=True, bframes=2),
    "only key frames": partial(videos.write_video, gop=1),
    "B-frames": partial(videos.write_video, bframes=3),
    "open groups of pictures": partial(videos.write_video, bframes=3, open_gop=True),
    "one long group of pictures": partial(videos.write_video, bframes=3, gop=250),
    "25 frames a second": partial(videos.write_video, fps=25),
    "one more declared than there is": lambda path: videos.hide_end(
        videos.write_video(path, bframes=2), 1
    ),
    "ten more declared than there are": lambda path: videos.hide_end(
        videos.write_video(path, bframes=2), 10
    ),
    "cut without encoding": lambda path: cut_video(path, bframes=2),
    "cut without encoding in an open group": lambda path: cut_video(path, bframes=3, open_gop=True),
    "cut without encoding, nothing hidden": lambda path: cut_video(path, hide=False, bframes=3),
}


def cut_video(path: Path, *, hide: bool = True, bframes: int, open_gop: bool = False) -> Path:
    original = path.with_name("whole.mp4")
    videos.write_video(original, bframes=bframes, open_gop=open_gop)
    return videos.cut_without_encoding(original, path, start_frame=17, hide=hide)


@pytest.fixture(params=MAKERS, scope="module")
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MAKERS[request.param](tmp_path_factory.mktemp("video") / "clip.mp4")


def test_frames_are_bitwise_equal_to_those_of_an_independent_decoder(video: Path) -> None:
    expected = videos.reference_frames(video)
    clip = decode(video, range)
    assert clip.video_frames == len(expected)
    assert clip.indices == list(range(len(expected)))
    assert clip.frames.dtype == np.uint8
    np.testing.assert_array_equal(clip.frames, expected)


@pytest.mark.parametrize("num_frames", [1, 10, 100])
def test_frames_are_sampled_from_all_that_can_be_decoded(video: Path, num_frames: int) -> None:
    expected = videos.reference_frames(video)
    clip = decode(video, partial(linspace_indices, num_frames=num_frames))
    assert clip.indices == linspace_indices(len(expected), num_frames)
    np.testing.assert_array_equal(clip.frames, expected[clip.indices])


@pytest.mark.parametrize(
    "options", [{}, {"bframes": 3}, {"bframes": 3, "open_gop": True}, {"gop": 250}], ids=str
)
def test_frames_have_the_grey_level_of_their_index(tmp_path: Path, options: dict[str, int]) -> None:
    clip = decode(videos.write_video(tmp_path / "clip.mp4", 40, **options), sample_six)
    assert videos.shown_indices(clip.frames) == clip.indices == [0, 7, 15, 23, 31, 39]


def test_frames_hidden_by_a_cut_are_not_decoded(tmp_path: Path) -> None:
    clip = decode(cut_video(tmp_path / "clip.mp4", bframes=2), sample_six)
    assert clip.video_frames == 23
    assert videos.shown_indices(clip.frames)[-1] == 39
    assert video_length(tmp_path / "clip.mp4") == VideoLength(23, 23)


def test_a_declared_but_missing_frame_is_not_replaced_by_the_last_one(tmp_path: Path) -> None:
    path = videos.hide_end(videos.write_video(tmp_path / "clip.mp4", 40, bframes=2), 1)
    assert len(decord.VideoReader(str(path))) == 40
    clip = decode(path, partial(linspace_indices, num_frames=39))
    assert videos.shown_indices(clip.frames) == list(range(39))
    assert video_length(path) == VideoLength(promised=40, decodable=39)


def test_a_still_video_keeps_all_its_equal_frames(tmp_path: Path) -> None:
    clip = decode(videos.write_video(tmp_path / "clip.mp4", 40, still=True, bframes=2), sample_six)
    assert clip.video_frames == 40


def test_a_short_video_repeats_frames(tmp_path: Path) -> None:
    clip = decode(videos.write_video(tmp_path / "clip.mp4", 3), sample_six)
    assert clip.indices == [0, 0, 0, 1, 1, 2]
    assert videos.shown_indices(clip.frames) == clip.indices


def test_one_frame_is_repeated(tmp_path: Path) -> None:
    clip = decode(videos.write_video(tmp_path / "clip.mp4", 1), sample_six)
    assert (clip.indices, clip.video_frames, len(clip.frames)) == ([0] * 6, 1, 6)


def test_frames_are_in_the_order_of_the_sampler(tmp_path: Path) -> None:
    clip = decode(
        videos.write_video(tmp_path / "clip.mp4"), lambda video_frames: [7, 3, video_frames - 1, 3]
    )
    assert videos.shown_indices(clip.frames) == [7, 3, 39, 3]


def test_a_rotated_video_is_turned_upright(tmp_path: Path) -> None:
    path = videos.turn(videos.write_video(tmp_path / "clip.mp4"))
    expected = np.rot90(videos.reference_frames(path), k=-1, axes=(1, 2))
    np.testing.assert_array_equal(decode(path, range).frames, expected)


@pytest.mark.parametrize("size", [(34, 66), (66, 34), (100, 82), (402, 226)])
def test_frames_of_any_width_are_exact(tmp_path: Path, size: tuple[int, int]) -> None:
    path = videos.write_video(tmp_path / "clip.mp4", 5, size=size)
    np.testing.assert_array_equal(decode(path, range).frames, videos.reference_frames(path))


@pytest.mark.parametrize(
    ("span_seconds", "expected"),
    [
        ((0.0, 0.2), range(6)),
        ((0.2, 0.4), range(6, 12)),
        ((7 / 30, 10 / 30), range(7, 10)),
        ((0.21, 0.31), range(7, 10)),
        ((1.2, 9.0), range(36, 40)),
        ((-1.0, 0.1), range(3)),
    ],
)
def test_a_span_is_half_open_and_its_indices_are_those_of_the_video(
    tmp_path: Path, span_seconds: tuple[float, float], expected: range
) -> None:
    path = videos.write_video(tmp_path / "clip.mp4", 40, bframes=2)
    clip = decode(path, range, span_seconds)
    assert clip.indices == videos.shown_indices(clip.frames) == list(expected)
    assert clip.video_frames == len(expected)


def test_a_span_of_a_cut_video_starts_at_its_first_visible_frame(tmp_path: Path) -> None:
    path = cut_video(tmp_path / "clip.mp4", bframes=2)
    clip = decode(path, range, (0.1, 0.2))
    assert clip.indices == [3, 4, 5]
    np.testing.assert_array_equal(clip.frames, videos.reference_frames(path)[3:6])


def test_a_span_up_to_the_end_stops_at_the_last_decodable_frame(tmp_path: Path) -> None:
    path = videos.hide_end(videos.write_video(tmp_path / "clip.mp4", 40, bframes=2), 1)
    assert decode(path, range, (1.2, 2.0)).indices == [36, 37, 38]


def test_a_span_without_a_frame_is_an_error_with_the_span(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "clip.mp4", 40)
    with pytest.raises(ClipError, match=r"no frame starts between 5 s and 6 s"):
        decode(path, sample_six, (5.0, 6.0))


@pytest.mark.parametrize("kind", ["plain", "B-frames", "one more declared than there is"])
def test_spans_decoded_in_one_pass_equal_those_decoded_separately(
    tmp_path: Path, decoder: Decoder, kind: str
) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=15, bframes=2 * (kind == "B-frames"))
    if kind.startswith("one more"):
        videos.hide_end(path, 1, fps=15)
    sampler = partial(linspace_indices, num_frames=5)
    spans = [(0.9, 1.7), (0.0, 0.4), (2.0, 9.0), (0.2, 1.0), (1.5, 1.6)]
    for span, clip in zip(spans, decode_spans(path, sampler, spans, decoder), strict=True):
        separate = decode(path, sampler, span, decoder)
        assert clip is not None
        np.testing.assert_array_equal(clip.frames, separate.frames)
        assert (clip.indices, clip.video_frames) == (separate.indices, separate.video_frames)


def test_one_span_without_a_frame_among_others_is_an_error(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, fps=15)
    with pytest.raises(ClipError, match="no frame starts between 5 s and 6 s"):
        decode_spans(path, range, [(0.0, 0.5), (5.0, 6.0)])


def test_a_video_without_frames_has_no_likely_end() -> None:
    assert likely_ends(promised=0, shown=0, first=0, stop=0) == set()


# Kind of bad file: function that makes it, and expected reason.
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "No such file"),
    "folder": (lambda path: path.mkdir(), "Is a directory"),
    "empty": (lambda path: path.touch(), "the file is empty"),
    "text": (lambda path: path.write_text("no video at all\n" * 50), "not a video"),
    "noise": (
        lambda path: path.write_bytes(np.random.default_rng(0).bytes(9999)),
        "not a video|no pictures",
    ),
    "sound": (videos.write_sound, "no pictures"),
    "unknown format": (
        lambda path: videos.change_format(videos.write_video(path)),
        "can't decode this format|no pictures",
    ),
    "hole": (lambda path: videos.empty_middle(videos.write_video(path)), "damaged or cut off"),
} | {
    f"cut off at {percent} %, index {'first' if faststart else 'last'}": (
        lambda path, percent=percent, faststart=faststart: videos.truncate(
            videos.write_video(path, faststart=faststart, bframes=2), percent
        ),
        "cut off",
    )
    for percent in (10, 50, 90, 99)
    for faststart in (True, False)
}


@pytest.mark.parametrize(("damage", "reason"), BAD.values(), ids=BAD)
def test_a_bad_file_is_a_one_line_error_with_path_and_reason(
    tmp_path: Path, damage: Callable[[Path], object], reason: str, decoder: Decoder
) -> None:
    path = tmp_path / "clip.mp4"
    damage(path)
    for read in (partial(decode, sampler=sample_six), video_length):
        with pytest.raises(ClipError, match=reason) as error:
            read(path, decoder=decoder)
        assert str(error.value) == f"{path}: {error.value.reason}"
        assert "\n" not in str(error.value)


def test_a_file_named_like_a_url_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    videos.write_video(tmp_path / "clip.mp4").rename(tmp_path / "http:clip é.mp4")
    assert decode(Path("http:clip é.mp4"), sample_six).video_frames == 40


def test_an_error_is_the_same_after_pickling_and_from_a_loader_process() -> None:
    error = ClipError.of(Path("clip.mp4"), "damaged")
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.reason) == ("clip.mp4: damaged", "damaged")
    try:
        raise error
    except ClipError:
        trace = traceback.format_exc()
    # torch's loader makes an exception of the same class from its text
    rebuilt = ClipError(f"Caught ClipError in DataLoader worker process 0.\nOriginal {trace}")
    assert str(rebuilt) == "clip.mp4: damaged"


@pytest.mark.parametrize("video_frames", [1, 2, 5, 9, 10, 11, 98, 99, 121, 10_007])
@pytest.mark.parametrize("num_frames", [1, 2, 6, 10, 16])
def test_indices_equal_those_of_the_seed_study(video_frames: int, num_frames: int) -> None:
    expected = np.linspace(0, video_frames - 1, num_frames, dtype=int)
    assert linspace_indices(video_frames, num_frames) == list(expected)


@pytest.mark.parametrize("video_frames", [1, 3, 10, 98])
@pytest.mark.parametrize("num_frames", [2, 6, 16])
def test_indices_are_sorted_from_the_first_to_the_last_frame(
    video_frames: int, num_frames: int
) -> None:
    indices = linspace_indices(video_frames, num_frames)
    assert (indices[0], indices[-1], len(indices)) == (0, video_frames - 1, num_frames)
    assert indices == sorted(indices)


@pytest.mark.parametrize(("video_frames", "num_frames"), [(0, 6), (-1, 6), (6, 0)])
def test_zero_frames_are_an_error_with_both_numbers(video_frames: int, num_frames: int) -> None:
    with pytest.raises(ValueError, match=f"{num_frames} frames of a video that has {video_frames}"):
        linspace_indices(video_frames, num_frames)


def test_a_timeout_is_an_error_with_the_file_name() -> None:
    never_set = threading.Event()
    with pytest.raises(ClipError, match=r"^a\.mp4: decoding hangs: no end after 0\.2 s$"):
        run_with_timeout(0.2, Path("a.mp4"), never_set.wait)
    never_set.set()


def test_an_error_within_the_timeout_is_raised_unchanged() -> None:
    with pytest.raises(ZeroDivisionError):
        run_with_timeout(9, Path("a.mp4"), lambda: 1 // 0)


def test_decoding_does_not_import_torch() -> None:
    modules = "emorec.data.video.decord, emorec.data.video.pyav, emorec.data.faces"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
