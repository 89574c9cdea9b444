"""The face detector and its file, the face of a clip, the crop around it, and its alignment."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from emorec.data.faces import (
    EYE,
    MARGIN,
    MIN_SHARE,
    MOUTH,
    NOSE,
    YUNET_SIDE,
    Box,
    CropArea,
    Face,
    FaceDetector,
    alignment,
    canonical_points,
    clip_face,
    crop,
    crop_area,
    face_of_frames,
    find_detector,
    iou,
    warp,
)
from emorec.data.preprocessing import FaceMode, FrameSpec
from emorec.data.video.reader import Frames, decode, linspace_indices
from emorec.errors import UserError
from emorec.image_size import CROP_SHARE, Size
from tests.videos import face_frames
from tests.yunet_stand_in import stand_in_onnx


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "Gesichter ü.onnx"
    path.write_bytes(stand_in_onnx())
    return path


def black_frame(height: int, width: int) -> Frames:
    return np.zeros((height, width, 3), dtype=np.uint8)


def test_yunet_boxes_are_in_pixels_of_the_frame(stand_in: Path) -> None:
    frame = black_frame(176, 320)
    frame[64:72, 128:136, 0] = 255  # a cell of 8: a face of 24 by 32 around it
    box = box_of(FaceDetector(stand_in)(frame))
    assert astuple(box) == pytest.approx((120, 52, 24, 32), abs=1e-3)


@pytest.mark.parametrize(("height", "width"), [(528, 960), (960, 528), (359, 641), (1125, 2000)])
def test_large_frames_are_downscaled_and_the_box_is_scaled_back(
    stand_in: Path, height: int, width: int
) -> None:
    frame = black_frame(height, width)
    scale = max(height, width) / YUNET_SIDE
    top, left, cell = round(64 * scale), round(128 * scale), round(8 * scale)
    frame[top : top + cell, left : left + cell, 0] = 255
    box = box_of(FaceDetector(stand_in)(frame))
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
    box = box_of(FaceDetector(stand_in)(frame))
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
    frame = face_frames(1)[0]
    original = frame.copy()
    FaceDetector(stand_in)(frame)
    np.testing.assert_array_equal(frame, original)


def test_detections_do_not_depend_on_previous_frames(stand_in: Path) -> None:
    face_frame = black_frame(176, 320)
    face_frame[64:72, 128:136, 0] = 255
    frames = [face_frame, *face_frames(3), black_frame(90, 160), face_frame]
    detect = FaceDetector(stand_in)
    faces = [detect(frame) for frame in frames]
    assert faces == [FaceDetector(stand_in)(frame) for frame in frames]
    assert faces[0] == faces[-1] is not None


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
        "import sys, json; import emorec.data.faces; "
        "print(json.dumps([name for name in ('torch', 'requests', 'scipy') if name in sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []


def box_of(face: Face | None) -> Box:
    assert face is not None
    return face.box


def astuple(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.width, box.height


def test_all_faces_above_the_threshold_are_returned(stand_in: Path) -> None:
    frame = black_frame(176, 320)
    frame[24:32, 24:32, 0] = frame[64:72, 128:136, 0] = 255
    frame[120:128, 240:248, 0] = 100
    detect = FaceDetector(stand_in)
    boxes = sorted(astuple(face.box) for face in detect.detect(frame))
    np.testing.assert_allclose(boxes, [(16, 12, 24, 32), (120, 52, 24, 32)], atol=1e-3)
    assert detect.detect(black_frame(176, 320)) == []


@pytest.mark.parametrize("perturb", ["0", "165"])
def test_small_frames_are_detected_in_like_larger_ones_whatever_was_in_memory(perturb: str) -> None:
    code = (
        "import numpy as np; from emorec.data.faces import FaceDetector, find_detector; "
        "from tests.videos import face_frames; small = face_frames(1, 32)[0]; "
        "detect = FaceDetector(find_detector()).detect; "
        "print(repr(detect(small))); print(repr(detect(np.pad(small, ((0, 32), (0, 32), (0, 0))))))"
    )
    # glibc then fills what it hands out, of which OpenCV read what it had not written
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MALLOC_PERTURB_": perturb},
    )
    small, padded = run.stdout.splitlines()
    assert small == padded


@pytest.mark.parametrize("name", ["auto", "yunet"])
def test_the_file_in_the_package_detects_a_drawn_face(name: str) -> None:
    frame = np.zeros((360, 480, 3), np.uint8)
    frame[100:228, 200:328] = face_frames(1, 128)[0]
    face = FaceDetector(find_detector(name))(frame)
    assert face is not None
    x, y = np.transpose(face.points) - [[200], [100]]
    right_eye, left_eye, nose, right_mouth, left_mouth = range(5)
    assert 0 < x[right_eye] < x[nose] < x[left_eye] < 128
    assert 0 < y[right_eye] < y[nose] < y[right_mouth] < 128
    assert x[right_mouth] < x[left_mouth]


def test_a_path_names_another_file_of_yunet(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stand_in.parent)
    assert find_detector(stand_in.name) == str(stand_in)


@pytest.mark.parametrize("name", ["YuNet", "mtcnn", "", "models/"])
def test_an_unknown_detector_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"'{name}'.*choose yunet or a file of YuNet"):
        find_detector(name)


POINTS = ((115.0, 70.0), (145.0, 70.0), (130.0, 85.0), (118.0, 98.0), (142.0, 98.0))


def face_at(box: Box) -> Face:
    """A face whose points move with its box."""
    shift = box.left - FACE_BOX.left, box.top - FACE_BOX.top
    return Face(box, tuple((x + shift[0], y + shift[1]) for x, y in POINTS), 0.9)


FACE_BOX = Box(100, 40, 60, 80)


def frames(num_frames: int) -> Frames:
    return np.zeros((num_frames, 8, 8, 3), dtype=np.uint8)


def steady_box(boxes: Iterable[Box | None]) -> tuple[Box | None, int]:
    """Return the box of a clip in whose frames a detector finds these, and in how many it was found."""
    faces = [None if box is None else face_at(box) for box in boxes]
    remaining = iter(faces)
    clip = clip_face(frames(len(faces)), lambda frame: next(remaining))
    return None if clip.face is None else clip.face.box, clip.found


def test_a_clips_box_is_the_median_of_centre_and_size() -> None:
    boxes = [Box(10, 20, 40, 50), Box(12, 20, 44, 50), Box(20, 30, 30, 70)]
    # centres (30, 45), (34, 45), (35, 65): median (34, 45); sizes: median 40 by 50
    assert steady_box(boxes) == (Box(14, 20, 40, 50), 3)


def test_a_clip_of_one_frame_has_that_frames_box() -> None:
    assert steady_box([FACE_BOX]) == (FACE_BOX, 1)


def test_a_clip_without_a_face_has_no_box() -> None:
    assert steady_box([None] * 4) == (None, 0)


@pytest.mark.parametrize("outlier", [Box(-900, 0, 20, 30), Box(0, 0, 4000, 3000), None])
def test_one_wrong_or_missing_box_has_no_effect(outlier: Box | None) -> None:
    for position in range(6):
        frame_boxes: list[Box | None] = [FACE_BOX] * 6
        frame_boxes[position] = outlier
        assert steady_box(frame_boxes) == (FACE_BOX, 5)


@pytest.mark.parametrize("order", [[0, 1, 0, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]])
def test_of_two_faces_the_more_frequent_one_is_selected_and_not_their_mean(
    order: list[int],
) -> None:
    faces = [FACE_BOX, Box(500, 40, 70, 90)]
    assert steady_box(faces[index] for index in order) == (FACE_BOX, 3)


def test_a_face_must_be_detected_in_half_of_the_frames() -> None:
    assert MIN_SHARE == 0.5
    assert steady_box([FACE_BOX] * 5 + [None] * 5) == (FACE_BOX, 5)
    assert steady_box([FACE_BOX] * 4 + [None] * 6) == (None, 4)


def test_scattered_boxes_are_not_a_face() -> None:
    scattered = [Box(100.0 * index, 0, 50, 50) for index in range(10)]
    assert steady_box(scattered) == (None, 1)


def test_a_moving_face_is_one_face() -> None:
    moving_boxes = [Box(100 + 4 * index, 40 + 3 * index, 60, 80) for index in range(9)]
    assert steady_box(moving_boxes) == (Box(116, 52, 60, 80), 9)


def test_the_points_of_a_clip_are_their_median_where_its_face_is() -> None:
    faces = [face_at(Box(100 + shift, 40, 60, 80)) for shift in (0, 2, 10, 500)]
    steady = face_of_frames([*faces, None]).face
    assert steady is not None
    assert steady.points == tuple((x + 2, y) for x, y in POINTS)


def test_iou_is_one_for_the_same_box_and_zero_for_boxes_that_only_touch() -> None:
    assert iou(FACE_BOX, FACE_BOX) == 1
    assert iou(Box(0, 0, 10, 10), Box(10, 0, 10, 10)) == 0
    assert iou(Box(0, 0, 10, 10), Box(30, 30, 10, 10)) == 0
    assert iou(Box(0, 0, 10, 10), Box(2, 2, 5, 4)) == 0.2
    assert iou(Box(5, 5, 0, 0), Box(5, 5, 0, 0)) == 0


@pytest.mark.parametrize("height", [1.0, 17.3, 110.0, 371.9])
@pytest.mark.parametrize("margin", [0.0, MARGIN, 0.4])
@pytest.mark.parametrize("shape", [(1, 1), (60, 100), (100, 60)])
def test_the_central_crop_of_the_area_is_the_face_and_its_margin(
    height: float, margin: float, shape: Size
) -> None:
    box = Box(33.3, 20.8, 0.7 * height, height)
    area = crop_area(box, shape, margin)
    shorter = min(area.height, area.width)
    assert shorter * CROP_SHARE == pytest.approx(height * (1 + 2 * margin), abs=0.5)
    assert area.height * shape[1] == pytest.approx(area.width * shape[0], abs=max(shape))
    assert area.left + area.width / 2 == pytest.approx(33.3 + 0.35 * height, abs=0.5)
    assert area.top + area.height / 2 == pytest.approx(20.8 + 0.5 * height, abs=0.5)


def test_the_area_fits_a_head_on_its_side() -> None:
    upright, sideways = (crop_area(box, (1, 1)) for box in (Box(0, 0, 70, 100), Box(0, 0, 100, 70)))
    assert (upright.height, upright.width) == (sideways.height, sideways.width)


def test_an_area_within_the_frame_is_cropped_unchanged() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    cropped = crop(clip, CropArea(left=4, top=2, height=15, width=9))
    np.testing.assert_array_equal(cropped, clip[:, 2:17, 4:13])
    assert not np.shares_memory(cropped, clip), "a whole clip would stay in memory for its face"


@pytest.mark.parametrize(
    "area",
    [
        CropArea(left=-7, top=3, height=12, width=12),
        CropArea(left=25, top=3, height=12, width=12),
        CropArea(left=5, top=-6, height=12, width=12),
        CropArea(left=5, top=15, height=12, width=12),
        CropArea(left=-9, top=-4, height=60, width=45),
        CropArea(left=29, top=19, height=5, width=5),
        CropArea(left=-5, top=-5, height=5, width=5),
        CropArea(left=40, top=-30, height=9, width=9),
        CropArea(left=0, top=0, height=1, width=1),
    ],
    ids=str,
)
def test_border_pixels_are_repeated_outside_the_frame(area: CropArea) -> None:
    clip = np.random.default_rng(1).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    padded = [cv2.copyMakeBorder(frame, 100, 100, 100, 100, cv2.BORDER_REPLICATE) for frame in clip]
    top, left = area.top + 100, area.left + 100
    expected = np.stack(padded)[:, top : top + area.height, left : left + area.width]
    np.testing.assert_array_equal(crop(clip, area), expected)


SIZES = [(64, 64), (69, 114), (114, 69)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("degrees", [-170, -20, 0, 35, 90])
def test_alignment_maps_turned_and_scaled_points_back(size: Size, degrees: float) -> None:
    canonical = np.array(canonical_points(size))
    turn = cv2.getRotationMatrix2D((30, 50), degrees, 3.7)
    turned = canonical @ turn[:, :2].T + turn[:, 2]
    matrix = alignment(tuple(map(tuple, turned)), size)
    np.testing.assert_allclose(matrix, cv2.invertAffineTransform(turn), atol=1e-9)


def test_alignment_is_the_similarity_transform_of_least_squares() -> None:
    points = np.random.default_rng(0).normal(size=(5, 2)) * 30 + np.array(POINTS)
    target = np.array(canonical_points((64, 64)))

    def error(parameters: Sequence[float]) -> float:
        a, b, x, y = parameters
        return float(((points @ np.array([[a, b], [-b, a]]) + (x, y) - target) ** 2).sum())

    (a, minus_b, x), (b, _, y) = alignment(tuple(map(tuple, points)), (64, 64))
    assert b == -minus_b
    best = np.array([a, b, x, y])
    for step in np.concatenate([np.eye(4), -np.eye(4)]) * 1e-4:
        assert error(best + step) > error(best)


@pytest.mark.parametrize("size", SIZES)
def test_canonical_points_lie_where_a_crop_has_them(size: Size) -> None:
    (eye_x, eye_y), (mouth_x, mouth_y) = EYE, MOUTH
    points = np.array([(-eye_x, eye_y), EYE, NOSE, (-mouth_x, mouth_y), MOUTH])
    box = Box(1000, 3000, 1500, 2000)  # large, as the area has whole pixels
    area = crop_area(box, size)
    in_area = points * 2000 + (1750, 4000) - (area.left, area.top)
    scale = size[0] / area.height
    np.testing.assert_allclose(canonical_points(size), in_area * scale, atol=0.05)


@pytest.mark.parametrize("shift", [(0, 0), (5, -9), (-30, 40)])
def test_a_warp_by_whole_pixels_is_a_crop(shift: tuple[int, int]) -> None:
    clip = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    left, top = shift
    matrix = np.array([[1.0, 0, -left], [0, 1, -top]])
    expected = crop(clip, CropArea(left=left, top=top, height=24, width=18))
    np.testing.assert_array_equal(warp(clip, matrix, (24, 18)), expected)


def test_a_warp_that_shrinks_averages_fine_texture() -> None:
    clip = np.zeros((1, 200, 300, 3), np.uint8)
    clip[:, :, ::2] = 200
    turn = cv2.getRotationMatrix2D((150, 100), 20, 1 / 4)
    turn[:, 2] += (32 - 150, 32 - 100)
    warped = warp(clip, turn, (64, 64))[0, 20:44, 20:44].astype(int)
    assert np.abs(warped - 100).max() <= 3


def test_a_turned_and_smaller_drawn_face_is_aligned_alike() -> None:
    assert_aligned_alike([face_frames(3, 240)])


@pytest.mark.real
def test_a_turned_and_smaller_real_face_is_aligned_alike(ravdess_root: Path) -> None:
    paths = sorted(ravdess_root.glob("Actor_*/01-01-0[1358]-*.mp4"))[::80]
    assert paths
    sampler = partial(linspace_indices, num_frames=3)
    assert_aligned_alike([decode(path, sampler).frames for path in paths])


def assert_aligned_alike(clips: Sequence[Frames]) -> None:
    """Compare clips to the same turned by 20 degrees and smaller: where the points end up, and the pixels."""
    detect = partial(FaceDetector(find_detector()), refine=True)
    distances, pixels = [], {mode: [] for mode in get_args(FaceMode)}
    for clip in clips:
        height, width = clip.shape[1:3]
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), 20, 0.75)
        turned = np.stack(
            [
                cv2.warpAffine(frame, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
                for frame in clip
            ]
        ).astype(np.uint8)
        upright_face, turned_face = clip_face(clip, detect).face, clip_face(turned, detect).face
        assert upright_face is not None
        assert turned_face is not None
        points = np.array(upright_face.points)
        upright, tilted = (alignment(face.points, (64, 64)) for face in (upright_face, turned_face))
        there = transformed(transformed(points, turn), tilted) - transformed(points, upright)
        distances.append(np.linalg.norm(there, axis=1).mean())
        for mode, differences in pixels.items():
            faces = [middle_of_face(each, mode) for each in (clip, turned)]
            differences.append(np.abs(faces[0] - faces[1]).mean())
    assert np.mean(distances) < 1.5  # pixels of 64
    assert 1.5 * np.mean(pixels["align"]) < np.mean(pixels["crop"])


def transformed(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return points (N, 2) after an affine map (2, 3)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def middle_of_face(clip: Frames, mode: FaceMode) -> np.ndarray:
    """Return pixels (T, 32, 32, 3) int, without what lies around the face and perhaps beyond the frame."""
    frames, _ = FrameSpec(num_frames=len(clip), size=(64, 64), face=mode).preprocess(clip)
    return frames[:, 16:48, 16:48].astype(int)


@pytest.mark.real
def test_faces_of_real_clips_are_in_the_middle_of_the_frame(ravdess_root: Path) -> None:
    detect = FaceDetector(find_detector())
    clips = sorted(ravdess_root.glob("Actor_*/01-01-0[1358]-*.mp4"))[::40]
    assert clips
    for clip in clips:
        frames = decode(clip, partial(linspace_indices, num_frames=6)).frames
        found = clip_face(frames, detect)
        assert found.face is not None, clip
        assert found.found >= 5, clip
        box = found.face.box
        height, width = frames.shape[1:3]
        # head and shoulders in the middle of the picture
        assert 0.45 * height <= box.height <= 0.85 * height, clip
        assert abs(box.left + box.width / 2 - width / 2) <= 0.15 * width, clip
