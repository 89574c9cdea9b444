"""A plain clip becomes one window with the frames and the sound of training."""

from pathlib import Path

import numpy as np
import pytest

from emorec.data.audio import AudioSpec, to_float
from emorec.data.audio_embedding import EmbeddingSpec
from emorec.data.augment import ClipTransform
from emorec.data.clip import Clip
from emorec.data.landmarks import LandmarkSpec
from emorec.data.preprocessing import FaceMode, FrameSpec
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.clips import draw_clip, encode_mp4
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.video.reader import Decoder
from emorec.image_size import Size, size_before_crop
from emorec.inference.frame_buffer import window_from_frames
from emorec.inference.options import Options
from emorec.inference.predictor import stack_inputs
from emorec.inference.spec import ModelSpec
from emorec.inference.timeline import Window
from emorec.inference.video import AudioFile, VideoFile
from emorec.inference.windows import windows_of
from tests import videos
from tests.inference.specs import make_spec

DECODERS: tuple[Decoder, ...] = ("pyav", "decord")


def only_window(path: Path, wanted: ModelSpec) -> Window:
    (window,) = windows_of(VideoFile(path), wanted, Options(), Options().open_detector(wanted))
    assert isinstance(window, Window)
    return window


def trained(path: Path, wanted: ModelSpec, decoder: Decoder = "pyav") -> np.ndarray:
    recipe = FrameSpec(
        num_frames=wanted.num_frames,
        size=size_before_crop(wanted.image_size),
        resize=wanted.resize,
        decoder=decoder,
        face=wanted.face,
    )
    return ClipTransform(wanted.image_size)(
        recipe.load(Clip(path=path, label=0, actor="", take=""))
    )


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("num_frames", [1, 5, 16, 60])
@pytest.mark.parametrize("bframes", [0, 3])
def test_a_plain_clip_gives_the_frames_of_training(
    tmp_path: Path, num_frames: int, bframes: int, decoder: Decoder
) -> None:
    path = videos.write_video(tmp_path / "clip.mp4", 40, bframes=bframes)
    wanted = make_spec(num_frames=num_frames)
    window = only_window(path, wanted)
    assert (window.start, window.end, window.person) == (0.0, pytest.approx(40 / 30), 1)
    np.testing.assert_array_equal(window.frames, trained(path, wanted, decoder=decoder))


@pytest.mark.parametrize("image_size", [(28, 28), (45, 45), (60, 100), (50, 29)])
@pytest.mark.parametrize("resize", ["shorter_side", "squash"])
def test_a_plain_clip_gives_the_frames_of_training_at_every_size(
    tmp_path: Path, image_size: Size, resize: str
) -> None:
    path = videos.write_video(tmp_path / "clip.mp4", 20, look="gradient")
    wanted = make_spec(image_size=image_size, resize=resize)
    np.testing.assert_array_equal(only_window(path, wanted).frames, trained(path, wanted))


@pytest.mark.parametrize("hidden", [1, 2, 5])
@pytest.mark.parametrize("bframes", [0, 3])
def test_a_clip_with_an_overstated_frame_count_gives_the_frames_of_training(
    tmp_path: Path, hidden: int, bframes: int
) -> None:
    path = videos.hide_end(videos.write_video(tmp_path / "a.mp4", bframes=bframes), hidden)
    np.testing.assert_array_equal(only_window(path, make_spec()).frames, trained(path, make_spec()))


@pytest.mark.parametrize("bframes", [0, 2])
def test_a_clip_with_hidden_leading_frames_gives_the_frames_of_training(
    tmp_path: Path, bframes: int
) -> None:
    complete = videos.write_video(tmp_path / "whole.mp4", 60, bframes=bframes)
    path = videos.cut_without_encoding(complete, tmp_path / "cut.mp4", 19)
    np.testing.assert_array_equal(only_window(path, make_spec()).frames, trained(path, make_spec()))


@pytest.mark.parametrize("face", ["crop", "align"])
@pytest.mark.parametrize("image_size", [(28, 28), (60, 100)])
def test_a_drawn_face_gives_the_frames_of_training(
    tmp_path: Path, face: FaceMode, image_size: Size
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(encode_mp4(videos.face_frames(8), fps=10))
    wanted = make_spec(image_size=image_size, face=face)
    window = only_window(path, wanted)
    assert window.box is not None
    np.testing.assert_array_equal(window.frames, trained(path, wanted))
    decoded = np.stack([frame for _, _, frame in VideoFile(path).frames(range(8))])
    predicted = window_from_frames(decoded, wanted, Options().open_detector(wanted))
    np.testing.assert_array_equal(window.frames, predicted.frames)


@pytest.mark.real
@pytest.mark.parametrize(
    "face", [*(pytest.param(face, marks=pytest.mark.nightly) for face in ("none", "crop")), "align"]
)
def test_real_clips_give_the_frames_of_training(ravdess_root: Path, face: FaceMode) -> None:
    wanted = make_spec(num_frames=10, image_size=(112, 112), face=face, window_seconds=3.7)
    for path in sorted(ravdess_root.rglob("01-01-*-02-*-01-*.mp4"))[::40]:
        window = only_window(path, wanted)
        assert window.person == 1
        for decoder in DECODERS:
            np.testing.assert_array_equal(window.frames, trained(path, wanted, decoder))


@pytest.mark.parametrize("face", ["none", "crop"])
def test_a_clip_of_a_face_gives_the_landmarks_of_training(tmp_path: Path, face: FaceMode) -> None:
    name = RavdessName.parse("01-01-03-01-01-01-05")
    frames = draw_clip(name, ClipSettings(width=160, height=160, num_frames=9, sound=False))
    path = tmp_path / "face.mp4"
    path.write_bytes(encode_mp4(frames, fps=30))
    inputs = ("landmarks", "blendshapes", "face_present", *(("frames",) if face == "crop" else ()))
    wanted = make_spec(inputs=inputs, face=face, num_frames=4)
    clip = Clip(path=path, label=0, actor="", take="")
    window, expected = only_window(path, wanted), LandmarkSpec(num_frames=4).load(clip)
    assert window.face is not None
    assert expected["present"].all()
    np.testing.assert_array_equal(window.face, expected)
    assert window.pose == pytest.approx(expected["pose"].mean(axis=0))
    assert window.seconds == pytest.approx([0, 2 / 30, 5 / 30, 8 / 30])
    assert [seconds for seconds, _ in window.contours] == list(window.seconds)
    # the first of its lines is the oval, from the top of the forehead around to it
    points = expected["landmarks"][:, [10, 338, 297], :2]
    for (_, contour), top in zip(window.contours, points, strict=True):
        np.testing.assert_allclose(contour[:3], top, atol=0.5)
    if face == "crop":
        np.testing.assert_array_equal(window.frames, trained(path, wanted))
    decoded = np.stack([frame for _, _, frame in VideoFile(path).frames(range(9))])
    predicted = window_from_frames(decoded, wanted, Options().open_detector(wanted))
    np.testing.assert_array_equal(window.face, predicted.face)


def test_a_plain_clip_gives_the_embedding_of_training(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "clip.mp4", 40, sound=True)
    spec = make_spec(inputs=("embedding",), sound_embedding="both")
    (window,) = windows_of(AudioFile(path), spec, Options(), None)
    assert isinstance(window, Window)
    expected = EmbeddingSpec(network="both", sound_seconds=1.0).load(
        Clip(path=path, label=0, actor="", take="")
    )
    np.testing.assert_array_equal(stack_inputs([window], spec)["embedding"], expected[None])


def test_a_plain_clip_gives_the_sound_of_training(voiced_clips: Path, tmp_path: Path) -> None:
    spec = make_spec(inputs=("frames", "sound", "heard"))
    for path in (
        next(iter(sorted(voiced_clips.rglob("01-01-*.mp4")))),
        videos.write_video(tmp_path / "clip.mp4", 40, sound=True),
    ):
        window = only_window(path, spec)
        recipe = AudioSpec(sound_rate=16_000, sound_seconds=1.0)
        assert window.has_sound
        np.testing.assert_array_equal(
            window.sound, to_float(recipe.load(Clip(path=path, label=0, actor="", take="")))
        )
