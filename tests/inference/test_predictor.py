"""Predictions of videos and frames, with networks of predictable outputs."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emorec.data import faces
from emorec.data.faces import Box, Face
from emorec.errors import UserError
from emorec.inference.options import Options
from emorec.inference.predictor import Predictor
from emorec.inference.runtimes import Inputs, Outputs
from emorec.inference.timeline import Gap
from emorec.inference.video import VideoFile
from tests import videos
from tests.inference.fakes import Grey


def black_then_white(path: Path, num_frames: int = 60) -> Path:
    """A video of one black and one white second."""
    import av

    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=30, options={"qp": "0"})
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for index in range(num_frames):
            picture = np.full((32, 32, 3), 255 if 2 * index >= num_frames else 0, np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode())
    return path


def test_a_video_is_predicted_window_by_window(tmp_path: Path) -> None:
    result = Predictor(Grey()).predict(black_then_white(tmp_path / "a.mp4"))
    assert [(each.start, each.end) for each in result.windows] == [
        (pytest.approx(start), pytest.approx(start + 0.5)) for start in np.arange(0, 1.51, 0.25)
    ]
    bright = [each.probabilities["bright"] for each in result.windows]
    assert bright == pytest.approx([0, 0, 0, 0.5, 1, 1, 1], abs=0.01)
    assert [each.person for each in result.windows] == [1] * 7
    assert (result.path, result.gaps, result.seconds) == (tmp_path / "a.mp4", (), pytest.approx(2))


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_windows_are_predicted_in_batches(tmp_path: Path, batch_size: int) -> None:
    runtime = Grey()
    path = black_then_white(tmp_path / "a.mp4")
    unbatched = Predictor(Grey()).predict(path, batch_size=1)
    assert Predictor(runtime, Options(batch_size=batch_size)).predict(path) == unbatched
    assert runtime.batches == {1: [1] * 7, 3: [3, 3, 1], 16: [7]}[batch_size]


def test_options_of_a_call_override_the_defaults(tmp_path: Path) -> None:
    predictor = Predictor(Grey(), Options(window_seconds=1.0))
    path = black_then_white(tmp_path / "a.mp4")
    assert predictor.predict(path).window_seconds == 1.0
    assert predictor.predict(path, window_seconds=0.2, hop_seconds=0.2).windows[-1].end == 2.0
    labels = {each.predicted for each in predictor.predict(path, abstain_below=0.9).windows}
    assert labels == {"dark", "uncertain", "bright"}


def test_a_stream_yields_the_first_windows_before_the_video_ends(tmp_path: Path) -> None:
    runtime, progress = Grey(), []
    video = VideoFile(black_then_white(tmp_path / "a.mp4", 300))
    stream = Predictor(runtime).stream(video, Options(batch_size=2), progress=progress.append)
    next(stream)
    assert runtime.batches == [2]
    assert max(progress) < 1


def test_a_damaged_part_is_a_gap_and_the_rest_is_predicted(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 60, gop=3)
    predictor = Predictor(Grey(window_seconds=0.1))
    undamaged = predictor.predict(path)
    result = predictor.predict(videos.empty_middle(path))
    assert result.gaps
    assert all(isinstance(each, Gap) for each in result.gaps)
    assert 0 < len(result.windows) < len(undamaged.windows)
    by_start = {each.start: each for each in undamaged.windows}
    for each in result.windows:
        assert each.values == pytest.approx(by_start[each.start].values)


def test_a_regressor_predicts_numbers(tmp_path: Path) -> None:
    runtime = Grey(task="numbers", names=("valence", "arousal"))
    result = Predictor(runtime).predict(black_then_white(tmp_path / "a.mp4"))
    assert result.windows[0].probabilities == pytest.approx(
        {"valence": -1, "arousal": -1}, abs=0.02
    )
    assert result.windows[-1].probabilities == pytest.approx({"valence": 1, "arousal": 1}, abs=0.02)
    assert {(each.predicted, each.confidence) for each in result.windows} == {("", None)}


def test_a_single_frame_network_predicts_five_times_a_second(tmp_path: Path) -> None:
    runtime = Grey(num_frames=1, window_seconds=1 / 30)
    result = Predictor(runtime).predict(black_then_white(tmp_path / "a.mp4"))
    assert len(result.windows) == 10
    assert [each.predicted for each in result.windows] == ["dark"] * 5 + ["bright"] * 5


def test_an_array_of_frames_is_one_window() -> None:
    frames = np.zeros((7, 40, 60, 3), np.uint8)
    frames[-1] = 255  # the network uses the first and the last frame
    result = Predictor(Grey()).predict(frames)
    assert result.probabilities == pytest.approx({"dark": 0.5, "bright": 0.5})
    assert Predictor(Grey()).predict(frames[:1]).predicted == "dark"


def test_frames_are_preprocessed_like_those_of_a_video(tmp_path: Path) -> None:
    path = videos.write_video(tmp_path / "a.mp4", 15, look="gradient")
    frames = np.stack([frame for _, _, frame in VideoFile(path).frames(range(15))])
    predictor = Predictor(Grey(num_frames=4))
    (window,) = predictor.predict(path).windows
    assert predictor.predict(frames).values == window.values


def test_faces_in_frames_are_cropped_as_in_training(monkeypatch: pytest.MonkeyPatch) -> None:

    frames = np.zeros((2, 100, 100, 3), np.uint8)
    frames[:, 35:65, 35:65] = 255
    face = Face(Box(40, 40, 20, 20), (), 1.0)

    class Finds:
        version = "made"

        def __init__(self, face: Face | None) -> None:
            self.face = face

        def __call__(self, frame: Any, *, refine: bool) -> Face | None:
            return self.face

    opened = []
    runtime = Grey(face="crop")
    monkeypatch.setattr(faces, "find_detector", lambda wanted: wanted)
    monkeypatch.setattr(faces, "FaceDetector", lambda path: opened.append(path) or Finds(face))
    predictor = Predictor(runtime)
    assert predictor.predict(frames).probabilities["bright"] == 1
    assert predictor.predict(frames).probabilities["bright"] == 1
    assert len(opened) == 1
    assert predictor.predict(frames, face="none").probabilities["bright"] < 0.2
    monkeypatch.setattr(faces, "FaceDetector", lambda path: Finds(None))
    assert Predictor(runtime).predict(frames).predicted == "no face"


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((2, 9, 9, 3)), "frames are float64: pass uint8, 0 to 255, RGB"),
        (np.zeros((9, 9, 3), np.uint8), r"frames have the shape \(9, 9, 3\): .*\(T, H, W, 3\)"),
        (np.zeros((2, 3, 9, 9), np.uint8), r"frames have the shape \(2, 3, 9, 9\)"),
        (np.zeros((0, 9, 9, 3), np.uint8), r"frames have the shape \(0, 9, 9, 3\)"),
    ],
)
def test_invalid_frames_are_refused(frames: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Predictor(Grey()).predict(frames)


def test_an_audio_network_needs_a_file_with_sound(tmp_path: Path) -> None:
    predictor = Predictor(Grey(inputs=("sound",), num_frames=0))
    with pytest.raises(UserError, match="takes only sound"):
        predictor.predict(np.zeros((2, 9, 9, 3), np.uint8))
    with pytest.raises(UserError, match=r"silent\.mp4: .*sound"):
        predictor.predict(videos.write_video(tmp_path / "silent.mp4", 9))
    path = videos.write_video(tmp_path / "a.mp4", 30, sound=True)
    assert predictor.predict(path).windows[1].probabilities["bright"] == pytest.approx(
        0.3, abs=0.02
    )


def test_an_audio_visual_network_treats_frames_as_a_silent_clip() -> None:
    class Both(Grey):
        def __call__(self, windows: Any) -> Any:
            assert not windows["heard"].any()
            assert not windows["sound"].any()
            assert windows["sound"].shape == (1, 8000)
            return super().__call__({"frames": windows["frames"]})

    result = Predictor(Both(inputs=("frames", "sound", "heard"))).predict(
        np.full((2, 9, 9, 3), 255, np.uint8)
    )
    assert result.predicted == "bright"


@pytest.mark.parametrize("content", ["", "no video"])
def test_a_file_that_is_not_a_video_is_named_in_the_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text(content)
    with pytest.raises(UserError, match=r"notes\.mp4"):
        Predictor(Grey()).predict(path)
    with pytest.raises(UserError, match=r"gone\.mp4"):
        Predictor(Grey()).predict(str(tmp_path / "gone.mp4"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_name_no_emotion(value: float) -> None:
    class Diverged(Grey):
        def __call__(self, windows: Inputs) -> Outputs:
            return super().__call__(windows) + np.float32(value)

    with pytest.raises(
        UserError, match=r"made\.Grey are NaN or infinite: choose another checkpoint"
    ):
        Predictor(Diverged()).predict(np.zeros((2, 16, 16, 3), np.uint8))


def test_options_can_be_compared_and_reused() -> None:
    predictor = Predictor(Grey())
    assert predictor.detector() is None
    assert replace(predictor.options, batch_size=3) != predictor.options


def test_importing_emorec_imports_no_heavy_package() -> None:
    program = (
        "import sys, emorec\n"
        "heavy = ('torch', 'lightning', 'cv2', 'av', 'numpy', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "emorec.Predictor, emorec.Timeline, emorec.Prediction, emorec.Window, emorec.load\n"
        "print([name for name in ('torch', 'lightning', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_unknown_attributes_of_emorec_are_attribute_errors() -> None:
    import emorec

    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        emorec.lod  # type: ignore[attr-defined]  # noqa: B018
