"""The annotated video: frames, timestamps, sound and overlays."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emorec.data.audio import iter_audio
from emorec.data.faces import Box
from emorec.data.landmarks import contour_points, face_mesh
from emorec.inference.annotate import annotate_video
from emorec.inference.overlay import Overlay, Playback, draw, font_size_for
from emorec.inference.timeline import Timeline
from emorec.inference.video import VideoFile
from tests import videos
from tests.inference.fakes import timeline

NOTHING = replace(timeline(1), windows=())


def annotated(source: Path, predictions: Timeline = NOTHING) -> Path:
    path = source.with_name("annotated.mp4")
    annotate_video(path, VideoFile(source), predictions)
    return path


def times_and_frames(path: Path) -> tuple[list[float], npt.NDArray[np.uint8]]:
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        decoded = list(file.decode(stream))
        assert stream.time_base
        first = decoded[0].pts or 0
        times = [float(((frame.pts or 0) - first) * stream.time_base) for frame in decoded]
        return times, np.stack([frame.to_ndarray(format="rgb24") for frame in decoded])


def sound_of(path: Path) -> tuple[float, npt.NDArray[np.float32]]:
    """Start of the sound in seconds, and its samples."""
    with av.open(str(path)) as file:
        frames = list(file.decode(audio=0))
        begin = frames[0].pts * (frames[0].time_base or Fraction(1))
        return float(begin), np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.mark.parametrize(
    "starts_ms",
    [None, [0, 40, 50, 250, 1250, 1260, 1300, 2000, 2001, 2100]],
    ids=["even", "variable"],
)
@pytest.mark.parametrize("bframes", [0, 2])
def test_frames_keep_their_timestamps(
    tmp_path: Path, bframes: int, starts_ms: Sequence[int] | None
) -> None:
    source = videos.write_video(
        tmp_path / "a.mkv", 10, fps=25, bframes=bframes, look="gradient", starts_ms=starts_ms
    )
    times, frames = times_and_frames(annotated(source))
    expected_times, expected = times_and_frames(source)
    assert times == pytest.approx(expected_times, abs=1e-4)
    assert frames.shape == expected.shape
    assert np.abs(frames.astype(int) - expected).mean() < 2


def test_sound_is_copied_without_reencoding(tmp_path: Path) -> None:
    source = videos.write_video(tmp_path / "a.mp4", 30, sound=True)
    begin, samples = sound_of(annotated(source))
    expected_begin, expected = sound_of(source)
    assert begin == pytest.approx(expected_begin, abs=1e-3)
    np.testing.assert_array_equal(samples, expected)


def test_sound_not_supported_in_mp4_is_reencoded_in_sync(tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    times = np.arange(16000) / 16000
    wave = np.where(times >= 0.5, 0.5 * np.sin(2 * np.pi * 440 * times), 0).astype(np.float32)
    with av.open(str(source), "w") as file:
        video = file.add_stream("libx264", rate=30, options={"qp": "8"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = file.add_stream("pcm_s16le", rate=16000, layout="mono")
        for index in range(30):
            picture = np.full((48, 64, 3), 4 * index, np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode())
        samples = (wave * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 16000
        file.mux([*audio.encode(frame), *audio.encode()])
    path = annotated(source)
    with av.open(str(path)) as file:
        assert file.streams.audio[0].codec_context.name == "aac"
    begin, decoded = sound_of(path)
    loud = np.flatnonzero(np.abs(decoded) > 0.2)
    assert begin + loud[0] / 16000 == pytest.approx(0.5, abs=0.03)
    assert begin + loud[-1] / 16000 == pytest.approx(1.0, abs=0.03)


def test_sound_is_complete_for_any_position_in_the_file_and_any_duration(
    tmp_path: Path,
) -> None:
    pictures = videos.write_video(tmp_path / "pictures.mp4", 24, fps=2, gop=6)
    sound = videos.write_sound(tmp_path / "sound.mp4", seconds=30)
    for first, last in ((sound, pictures), (pictures, sound)):
        source = tmp_path / f"{first.stem}_first.nut"
        with av.open(str(source), "w", options={"max_interleave_delta": "1"}) as file:
            inputs = [av.open(str(path)) for path in (first, last)]
            copies = [file.add_stream_from_template(each.streams[0]) for each in inputs]
            for each, copy in zip(inputs, copies, strict=True):
                for packet in each.demux():
                    if packet.size:
                        packet.stream = copy
                        file.mux_one(packet)
                each.close()
        begin, samples = sound_of(annotated(source))
        expected_begin, expected = sound_of(source)
        assert begin == pytest.approx(expected_begin, abs=1e-3)
        np.testing.assert_array_equal(samples, expected)


def test_joined_transport_streams_with_aac_are_whole_and_in_sync(tmp_path: Path) -> None:
    parts = [
        videos.write_recording(tmp_path / f"{n}.ts", pictures=(0, 2), sound=[(0.5, 1.5)])
        for n in range(2)
    ]
    source = videos.joined(tmp_path / "both.ts", *parts)
    path = annotated(source)
    times, frames = times_and_frames(path)
    assert times == pytest.approx(np.arange(40) / 10, abs=0.1)
    assert videos.shown_indices(frames) == pytest.approx([*range(20)] * 2, abs=1)  # lossy
    assert loud_spans(path) == pytest.approx([0.5, 1.5, 2.5, 3.5], abs=0.1)


@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
def test_sound_that_starts_late_or_has_holes_stays_in_sync(tmp_path: Path, suffix: str) -> None:
    source = videos.write_recording(
        tmp_path / f"a{suffix}", pictures=(0, 4), sound=[(1, 2), (3, 4)]
    )
    path = annotated(source)
    assert loud_spans(path) == pytest.approx([1, 2, 3, 4], abs=0.1)
    with av.open(str(path)) as file:
        assert file.duration == pytest.approx(4e6, abs=0.1e6)


def loud_spans(path: Path) -> list[float]:
    """Start and end of each span of loud sound on the clock of a file, in seconds."""
    waveform = np.concatenate(list(iter_audio(path, 16_000)))
    loudness = np.abs(waveform[: len(waveform) // 400 * 400]).reshape(-1, 400).max(axis=1)
    edges = np.flatnonzero(np.diff(loudness > 0.2, prepend=False, append=False))
    return [float(edge) * 400 / 16_000 for edge in edges]


def test_pictures_that_start_late_keep_their_times(tmp_path: Path) -> None:
    source = videos.write_recording(tmp_path / "a.mkv", pictures=(2, 3), sound=[(0, 3)])
    with av.open(str(annotated(source))) as file:
        times = [frame.time for frame in file.decode(video=0)]
    assert times == pytest.approx(2 + np.arange(10) / 10, abs=1e-3)


def test_frames_are_mirrored_and_stretched_as_players_show_them(tmp_path: Path) -> None:
    mirrored = (-0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    for name, changes in (
        ("mirrored.mp4", {"matrix": mirrored}),
        ("wide.mkv", {"aspect": Fraction(4, 3)}),
    ):
        plain = videos.write_recording(tmp_path / f"plain_{name}", pictures=(0, 0.5))
        source = videos.write_recording(tmp_path / name, pictures=(0, 0.5), **changes)
        _, frames = times_and_frames(annotated(source))
        expected = videos.reference_frames(plain)
        if name == "wide.mkv":
            expected = np.stack([cv2.resize(frame, (128, 64)) for frame in expected])
        else:
            expected = expected[:, :, ::-1]
        assert frames.shape == expected.shape
        assert np.abs(frames.astype(int) - expected)[:, :28].mean() < 4
        assert np.abs(frames.astype(int) - expected)[:, 36:].mean() < 25  # noise


def test_the_video_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = videos.write_video(tmp_path / "a.mp4", 30, sound=True)
    video, opened, really = VideoFile(source), list[str](), av.open

    def counting_open(path: str, *arguments: Any, **options: Any) -> Any:
        opened.append(Path(path).name)
        return really(path, *arguments, **options)

    monkeypatch.setattr(av, "open", counting_open)
    annotate_video(tmp_path / "annotated.mp4", video, NOTHING)
    assert opened.count("a.mp4") == 1


def test_the_file_is_fragmented_and_starts_with_an_index(
    tmp_path: Path,
) -> None:
    source = videos.write_video(tmp_path / "a.mp4", 600, still=True, sound=True)
    path = annotated(source)
    boxes = top_boxes(path)
    fragments = boxes.count("moof")
    assert boxes == ["ftyp", "moov", "sidx", "sidx", *["moof", "mdat"] * fragments]
    assert fragments >= 3  # of x264's 250 frames at most
    with av.open(str(path)) as file:
        assert file.duration == pytest.approx(20e6, abs=0.1e6)
        file.seek(15_000_000)
        first = next(file.decode(video=0))
        assert 5 < float(first.time or 0) <= 15


def top_boxes(path: Path) -> list[str]:
    """Types of the top-level boxes of an mp4 file."""
    content, at, kinds = path.read_bytes(), 0, list[str]()
    while at < len(content):
        kinds.append(content[at + 4 : at + 8].decode())
        at += int.from_bytes(content[at : at + 4], "big")
    return kinds


def test_a_silent_video_stays_silent(tmp_path: Path) -> None:
    with av.open(str(annotated(videos.write_video(tmp_path / "a.mp4", 5)))) as file:
        assert not file.streams.audio


def test_sound_of_an_unknown_codec_is_dropped(tmp_path: Path) -> None:
    path = videos.change_sound(videos.write_video(tmp_path / "a.mp4", 10, sound=True))
    assert not VideoFile(path).has_sound
    with av.open(str(annotated(path))) as file:
        assert [stream.type for stream in file.streams] == ["video"]


def test_rotated_videos_are_upright(tmp_path: Path) -> None:
    source = videos.turn(videos.write_video(tmp_path / "a.mp4", 5, look="gradient"), 90)
    _, frames = times_and_frames(annotated(source))
    assert frames.shape[1:3] == (96, 64)
    expected = next(frame for _, _, frame in VideoFile(source).frames([2]))
    assert np.abs(frames[2].astype(int) - expected).mean() < 3


def test_odd_sizes_are_padded_and_huge_ones_downscaled(tmp_path: Path) -> None:
    odd = videos.write_video(tmp_path / "odd.mkv", 2, size=(45, 33), pixels="yuv444p")
    assert times_and_frames(annotated(odd))[1].shape[1:3] == (34, 46)
    huge = videos.write_video(tmp_path / "huge.mp4", 1, size=(3840, 1080), still=True)
    assert times_and_frames(annotated(huge))[1].shape[1:3] == (540, 1920)


def test_annotation_is_deterministic(tmp_path: Path) -> None:
    source = videos.write_video(tmp_path / "a.mp4", 20, sound=True)
    first = annotated(source, timeline(1)).read_bytes()
    assert annotated(source, timeline(1)).read_bytes() == first


def test_an_interrupted_annotation_leaves_no_file(tmp_path: Path) -> None:
    source = videos.write_video(tmp_path / "a.mp4", 5)

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate_video(tmp_path / "annotated.mp4", VideoFile(source), NOTHING, stop)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


GREY = np.full((200, 300, 3), 128, np.uint8)


def changed(overlay: Overlay) -> npt.NDArray[np.bool_]:
    return np.asarray((draw(GREY, [overlay]) != GREY).any(axis=2))


def test_the_box_surrounds_the_face_and_the_card_is_next_to_it() -> None:
    window = timeline(1).windows[0]
    mask = changed(Overlay(window, Box(40, 60, 50, 70), several=False))
    assert mask[60:131, 40].all()
    assert mask[60, 40:91].all()
    assert not mask[66:124, 46:84].any()  # the face itself
    assert mask[62, 96:190].all()  # the card to its right


def test_the_lines_of_a_face_move_evenly_between_the_frames_in_which_it_was_measured() -> None:
    contour = contour_points(face_mesh_at(450, 150, size=8.0))
    window = replace(
        timeline(1, boxes=False).windows[0],
        contours=((0.0, contour), (2.0, contour + np.array([20, 0]))),
    )
    playback = Playback(replace(timeline(1), windows=(window,)))
    (overlay,) = playback.at(0.5)
    assert overlay.contour is not None
    np.testing.assert_allclose(overlay.contour, contour + np.array([5, 0]))
    frame = np.full((400, 600, 3), 128, np.uint8)
    without = draw(frame, [replace(overlay, contour=None)])
    mask = (draw(frame, [overlay]) != without).any(axis=2)
    x, y = np.transpose(overlay.contour).round().astype(int)
    assert mask[y, x].mean() > 0.9
    assert mask.mean() < 0.1  # lines, no area


def face_mesh_at(x: float, y: float, *, size: float) -> npt.NDArray[np.float32]:
    """Landmarks (478, 3) of the canonical face around a place in a frame."""
    vertices = face_mesh().vertices
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[: len(vertices)] = vertices * (size, -size, -size) + (x, y, 0)
    return landmarks


@pytest.mark.parametrize("left", [-30, 5, 120, 240, 290])
def test_the_card_is_inside_the_frame_for_any_position_of_the_face(left: int) -> None:
    window = timeline(1).windows[0]
    card = np.asarray(draw(GREY, [Overlay(window, None, False)]) != GREY).any(axis=2).sum()
    for several in (False, True):
        mask = changed(Overlay(window, Box(left, 150, 40, 50), several))
        assert mask.sum() > (0.9 if not several else 0.3) * card


def test_the_card_of_an_unfamiliar_window_has_a_line_more_that_names_what_is_unfamiliar() -> None:
    window = replace(timeline(1).windows[0], unfamiliar=())
    warned = changed(Overlay(replace(window, unfamiliar=("face", "sound")), None, False))
    height = changed(Overlay(window, None, False)).any(axis=1).sum()
    assert 1.1 * height < warned.any(axis=1).sum() < 1.5 * height


def test_a_card_that_would_cover_the_face_is_shorter() -> None:
    window, frame = timeline(1).windows[0], np.full((400, 200, 3), 128, np.uint8)

    def card_rows(box: Box) -> int:
        mask = (draw(frame, [Overlay(window, box, several=False)]) != frame).any(axis=2)
        return int(mask[:, 100].sum())

    whole = card_rows(Box(60, 10, 80, 100))
    assert card_rows(Box(10, 10, 180, 300)) < 0.7 * whole


def test_drawing_does_not_modify_the_frame() -> None:
    before = GREY.copy()
    draw(GREY, [Overlay(timeline(1).windows[0], None, False)])
    np.testing.assert_array_equal(GREY, before)


def test_bars_are_as_long_as_the_probabilities() -> None:
    window = timeline(1).windows[0]
    picture = draw(np.zeros((720, 1280, 3), np.uint8), [Overlay(window, None, False)]).astype(int)
    blue = (np.abs(picture - [0x3D, 0x6F, 0xB6]).max(axis=2) <= 2).sum(axis=1)  # sad
    red = (np.abs(picture - [0xC8, 0x37, 0x2D]).max(axis=2) <= 2).sum(axis=1)  # angry
    probabilities = window.probabilities
    lengths = [float(np.median(rows[rows > 0])) for rows in (blue, red)]
    full_length = 6 * font_size_for(720, 1280)
    assert lengths == pytest.approx(
        [full_length * probabilities["sad"], full_length * probabilities["angry"]], abs=1.5
    )


def test_labels_change_and_boxes_are_interpolated_between_window_centres() -> None:
    predictions = timeline(3, boxes=True)
    playback = Playback(predictions)
    (early,) = playback.at(2.7)
    (late,) = playback.at(2.8)
    assert (early.window, late.window) == (predictions.windows[0], predictions.windows[1])
    # centres at 1.85 and 3.7 seconds, boxes 1 pixel apart
    assert early.box is not None
    assert early.box.left == pytest.approx(20 + (2.7 - 1.85) / 1.85)
    assert playback.at(0.5)[0].box == predictions.windows[0].box


def test_persons_are_numbered_only_if_there_are_several() -> None:
    assert [overlay.several for overlay in Playback(timeline(1)).at(1)] == [False]
    assert [overlay.several for overlay in Playback(timeline(1, people=2)).at(1)] == [True, True]


def test_no_face_is_labelled_and_a_gap_has_no_overlay() -> None:
    predictions = timeline(2, without_face=range(2))
    assert [overlay.window.predicted for overlay in Playback(predictions).at(1)] == ["no face"]
    assert Playback(predictions).at(100) == []
