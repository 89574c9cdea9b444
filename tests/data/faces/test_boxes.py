"""The face box of a clip, the area around it, and the crop."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from emorec.data.faces.boxes import (
    MARGIN,
    MIN_SHARE,
    Box,
    ClipFace,
    CropArea,
    clip_box,
    crop,
    crop_area,
    iou,
)
from emorec.data.faces.detector import FaceDetector, find_detector
from emorec.data.video.reader import Frames, decode, linspace_indices
from emorec.errors import UserError
from emorec.image_size import CROP_SHARE, Size

FACE_BOX = Box(100, 40, 60, 80)


def frames(num_frames: int) -> Frames:
    return np.zeros((num_frames, 8, 8, 3), dtype=np.uint8)


def detector_of(boxes: Iterable[Box | None]) -> Callable[[Frames], Box | None]:
    """Return a detector that returns the boxes one after another."""
    remaining = iter(boxes)
    return lambda frame: next(remaining)


def test_a_clips_box_is_the_median_of_centre_and_size() -> None:
    boxes = [Box(10, 20, 40, 50), Box(12, 20, 44, 50), Box(20, 30, 30, 70)]
    # centres (30, 45), (34, 45), (35, 65): median (34, 45); sizes: median 40 by 50
    assert clip_box(frames(3), detector_of(boxes)) == ClipFace(Box(14, 20, 40, 50), 3)


def test_a_clip_of_one_frame_has_that_frames_box() -> None:
    assert clip_box(frames(1), detector_of([FACE_BOX])) == ClipFace(FACE_BOX, 1)


def test_a_clip_without_a_face_has_no_box() -> None:
    assert clip_box(frames(4), detector_of([None] * 4)) == ClipFace(None, 0)


@pytest.mark.parametrize("outlier", [Box(-900, 0, 20, 30), Box(0, 0, 4000, 3000), None])
def test_one_wrong_or_missing_box_has_no_effect(outlier: Box | None) -> None:
    steady = clip_box(frames(6), detector_of([FACE_BOX] * 6)).box
    for position in range(6):
        frame_boxes: list[Box | None] = [FACE_BOX] * 6
        frame_boxes[position] = outlier
        assert clip_box(frames(6), detector_of(frame_boxes)) == ClipFace(steady, 5)


@pytest.mark.parametrize("order", [[0, 1, 0, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]])
def test_of_two_faces_the_more_frequent_one_is_selected_and_not_their_mean(
    order: list[int],
) -> None:
    faces = [FACE_BOX, Box(500, 40, 70, 90)]
    assert clip_box(frames(5), detector_of(faces[index] for index in order)) == ClipFace(
        FACE_BOX, 3
    )


def test_a_face_must_be_detected_in_half_of_the_frames() -> None:
    assert MIN_SHARE == 0.5
    half = clip_box(frames(10), detector_of([FACE_BOX] * 5 + [None] * 5))
    fewer = clip_box(frames(10), detector_of([FACE_BOX] * 4 + [None] * 6))
    assert half == ClipFace(FACE_BOX, 5)
    assert fewer == ClipFace(None, 4)


def test_scattered_boxes_are_not_a_face() -> None:
    scattered = [Box(100.0 * index, 0, 50, 50) for index in range(10)]
    assert clip_box(frames(10), detector_of(scattered)) == ClipFace(None, 1)


def test_a_moving_face_is_one_face() -> None:
    moving_boxes = [Box(100 + 4 * index, 40 + 3 * index, 60, 80) for index in range(9)]
    assert clip_box(frames(9), detector_of(moving_boxes)) == ClipFace(Box(116, 52, 60, 80), 9)


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


@pytest.mark.real
def test_faces_of_real_clips_are_in_the_middle_of_the_frame(ravdess_root: Path) -> None:
    try:
        detect = FaceDetector(find_detector())
    except UserError as error:
        pytest.skip(str(error))
    clips = sorted(ravdess_root.glob("Actor_*/01-01-0[1358]-*.mp4"))[::40]
    assert clips
    for clip in clips:
        frames = decode(clip, partial(linspace_indices, num_frames=6)).frames
        face = clip_box(frames, detect)
        assert face.box is not None, clip
        assert face.found >= 5, clip
        height, width = frames.shape[1:3]
        # head and shoulders in the middle of the picture
        assert 0.45 * height <= face.box.height <= 0.85 * height, clip
        assert abs(face.box.left + face.box.width / 2 - width / 2) <= 0.15 * width, clip
