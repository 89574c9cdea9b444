"""The face detector returns the largest face of a frame."""

import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emorec.data.faces.boxes import Box
from emorec.data.faces.detector import YUNET_SIDE, FaceDetector
from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.clips import draw_clip
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.video.reader import Frames
from emorec.errors import UserError
from tests.yunet_stand_in import stand_in_onnx


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "Gesichter ü.onnx"
    path.write_bytes(stand_in_onnx())
    return path


def black_frame(height: int, width: int) -> Frames:
    return np.zeros((height, width, 3), dtype=np.uint8)


def synthetic_frames(actor: int, pixels: int = 160) -> Frames:
    return draw_clip(
        RavdessName.parse(f"01-01-04-01-01-01-{actor:02d}"),
        ClipSettings(width=pixels, height=pixels, num_frames=3, sound=False),
    )


def test_yunet_boxes_are_in_pixels_of_the_frame(stand_in: Path) -> None:
    frame = black_frame(176, 320)
    frame[64:72, 128:136, 0] = 255  # a cell of 8: a face of 24 by 32 around it
    box = FaceDetector(stand_in)(frame)
    assert box is not None
    assert astuple(box) == pytest.approx((120, 52, 24, 32), abs=1e-3)


@pytest.mark.parametrize(("height", "width"), [(528, 960), (960, 528), (359, 641), (1125, 2000)])
def test_large_frames_are_downscaled_and_the_box_is_scaled_back(
    stand_in: Path, height: int, width: int
) -> None:
    frame = black_frame(height, width)
    scale = max(height, width) / YUNET_SIDE
    top, left, cell = round(64 * scale), round(128 * scale), round(8 * scale)
    frame[top : top + cell, left : left + cell, 0] = 255
    box = FaceDetector(stand_in)(frame)
    assert box is not None
    assert astuple(box) == pytest.approx(
        (120 * scale, 52 * scale, 24 * scale, 32 * scale), rel=0.02
    )


def test_yunet_receives_bgr_frames(stand_in: Path) -> None:
    blue = black_frame(176, 320)
    blue[64:72, 128:136, 2] = 255
    assert FaceDetector(stand_in)(blue) is None


def test_the_largest_face_is_returned_even_if_a_smaller_one_scores_higher(stand_in: Path) -> None:
    frame = black_frame(176, 320)
    frame[8:16, 8:16, 0] = 255
    frame[96:112, 160:176, 0] = 220  # a cell of 16, less red
    box = FaceDetector(stand_in)(frame)
    assert box is not None
    assert astuple(box) == pytest.approx((144, 72, 48, 64), abs=1e-3)


def test_a_face_below_the_score_threshold_is_ignored(stand_in: Path) -> None:
    detect = FaceDetector(stand_in)
    frame = black_frame(176, 320)
    frame[64:72, 128:136, 0] = round(0.69 * 255)
    assert detect(frame) is None
    frame[64:72, 128:136, 0] = round(0.71 * 255)
    assert detect(frame) is not None


def test_the_version_is_the_digest_of_the_file(stand_in: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(stand_in.read_bytes()).hexdigest()
    assert FaceDetector(stand_in).version == f"yunet {digest[:8]}"
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(stand_in.read_bytes())
    assert FaceDetector(str(moved)).version == f"yunet {digest[:8]}"


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (31, 33), (224, 400)], ids=str)
def test_frames_of_any_size_without_a_face_return_none(
    stand_in: Path, size: tuple[int, int]
) -> None:
    assert FaceDetector(stand_in)(black_frame(*size)) is None


def test_frames_are_not_changed(stand_in: Path) -> None:
    frame = synthetic_frames(4)[0]
    original = frame.copy()
    FaceDetector(stand_in)(frame)
    np.testing.assert_array_equal(frame, original)


def test_detections_do_not_depend_on_previous_frames(stand_in: Path) -> None:
    face_frame = black_frame(176, 320)
    face_frame[64:72, 128:136, 0] = 255
    frames = [face_frame, *synthetic_frames(2), black_frame(90, 160), face_frame]
    detect = FaceDetector(stand_in)
    boxes = [detect(frame) for frame in frames]
    assert boxes == [FaceDetector(stand_in)(frame) for frame in frames]
    assert boxes[0] == boxes[-1] is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a network",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:8f23\nsize 232589\n",
        stand_in_onnx()[:-1000],
        stand_in_onnx().replace(b"kps_32", b"pks_32"),
    ],
    ids=["empty", "text", "pointer", "cut off", "another network"],
)
def test_a_file_of_another_kind_is_refused_in_one_line(
    content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "detector.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"detector\.onnx: not a YuNet network") as error:
        FaceDetector(path)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", ""), "OpenCV prints what we say ourselves"


@pytest.mark.parametrize("missing", ["nowhere.onnx", "."])
def test_a_file_that_cant_be_read_is_named(missing: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        FaceDetector(str(tmp_path / missing))


def test_a_detector_can_not_be_pickled(stand_in: Path) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(FaceDetector(stand_in))


def test_importing_the_detector_imports_neither_torch_nor_requests_nor_scipy() -> None:
    code = (
        "import sys, json; import emorec.data.faces.detector; "
        "print(json.dumps([name for name in ('torch', 'requests', 'scipy') if name in sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []


def astuple(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.width, box.height


def test_all_faces_above_the_threshold_are_returned(stand_in: Path) -> None:
    frame = black_frame(176, 320)
    frame[24:32, 24:32, 0] = frame[64:72, 128:136, 0] = 255
    frame[120:128, 240:248, 0] = 100
    detect = FaceDetector(stand_in)
    boxes = sorted(map(astuple, detect.all_faces(frame)))
    np.testing.assert_allclose(boxes, [(16, 12, 24, 32), (120, 52, 24, 32)], atol=1e-3)
    assert detect.all_faces(black_frame(176, 320)) == []
