"""A clip's face box, the square around it, and the cut."""

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from emorec.data.decoding.decode import Frames
from emorec.data.faces.detector import load_detector
from emorec.data.faces.face import (
    MARGIN,
    MIN_SHARE,
    Area,
    Box,
    ClipFace,
    area_around,
    clip_box,
    cut_out,
    overlap,
)
from emorec.data.ravdess import RavdessName
from emorec.data.synthetic.clips import draw_clip
from emorec.data.synthetic.settings import ClipSettings
from emorec.image_size import CROP_SHARE, Size

HERE = Box(100, 40, 60, 80)


def frames(num_frames: int) -> Frames:
    return np.zeros((num_frames, 8, 8, 3), dtype=np.uint8)


def saying(boxes: Iterable[Box | None]) -> Callable[[Frames], Box | None]:
    """A detector that has its answers ready."""
    answers = iter(boxes)
    return lambda frame: next(answers)


def test_a_clips_box_is_the_median_of_centre_and_size() -> None:
    boxes = [Box(10, 20, 40, 50), Box(12, 20, 44, 50), Box(20, 30, 30, 70)]
    # centres (30, 45), (34, 45), (35, 65): median (34, 45); sizes: median 40 by 50
    assert clip_box(frames(3), saying(boxes)) == ClipFace(Box(14, 20, 40, 50), 3)


def test_a_clip_of_one_frame_has_that_frames_box() -> None:
    assert clip_box(frames(1), saying([HERE])) == ClipFace(HERE, 1)


def test_a_clip_without_a_face_has_no_box() -> None:
    assert clip_box(frames(4), saying([None] * 4)) == ClipFace(None, 0)


@pytest.mark.parametrize("wild", [Box(-900, 0, 20, 30), Box(0, 0, 4000, 3000), None])
def test_a_frame_with_a_wrong_box_or_none_changes_nothing(wild: Box | None) -> None:
    steady = clip_box(frames(6), saying([HERE] * 6)).box
    for position in range(6):
        answers: list[Box | None] = [HERE] * 6
        answers[position] = wild
        assert clip_box(frames(6), saying(answers)) == ClipFace(steady, 5)


@pytest.mark.parametrize("order", [[0, 1, 0, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]])
def test_of_two_faces_the_one_found_in_more_frames_counts_and_never_the_space_between(
    order: list[int],
) -> None:
    faces = [HERE, Box(500, 40, 70, 90)]
    assert clip_box(frames(5), saying(faces[each] for each in order)) == ClipFace(HERE, 3)


def test_a_face_found_in_half_of_the_frames_is_enough_and_in_fewer_is_not() -> None:
    assert MIN_SHARE == 0.5
    half = clip_box(frames(10), saying([HERE] * 5 + [None] * 5))
    fewer = clip_box(frames(10), saying([HERE] * 4 + [None] * 6))
    assert half == ClipFace(HERE, 5)
    assert fewer == ClipFace(None, 4)


def test_boxes_in_a_different_place_in_every_frame_are_no_face() -> None:
    scattered = [Box(100.0 * index, 0, 50, 50) for index in range(10)]
    assert clip_box(frames(10), saying(scattered)) == ClipFace(None, 1)


def test_a_face_that_leans_and_nods_is_one_face() -> None:
    leaning = [Box(100 + 4 * index, 40 + 3 * index, 60, 80) for index in range(9)]
    assert clip_box(frames(9), saying(leaning)) == ClipFace(Box(116, 52, 60, 80), 9)


def test_overlap_is_one_for_the_same_box_and_zero_for_boxes_that_only_touch() -> None:
    assert overlap(HERE, HERE) == 1
    assert overlap(Box(0, 0, 10, 10), Box(10, 0, 10, 10)) == 0
    assert overlap(Box(0, 0, 10, 10), Box(30, 30, 10, 10)) == 0
    assert overlap(Box(0, 0, 10, 10), Box(2, 2, 5, 4)) == 0.2
    assert overlap(Box(5, 5, 0, 0), Box(5, 5, 0, 0)) == 0


@pytest.mark.parametrize("height", [1.0, 17.3, 110.0, 371.9])
@pytest.mark.parametrize("margin", [0.0, MARGIN, 0.4])
@pytest.mark.parametrize("shape", [(1, 1), (60, 100), (100, 60)])
def test_the_central_crop_of_the_area_is_the_face_and_its_margin(
    height: float, margin: float, shape: Size
) -> None:
    box = Box(33.3, 20.8, 0.7 * height, height)
    area = area_around(box, shape, margin)
    shorter = min(area.height, area.width)
    assert shorter * CROP_SHARE == pytest.approx(height * (1 + 2 * margin), abs=0.5)
    assert area.height * shape[1] == pytest.approx(area.width * shape[0], abs=max(shape))
    assert area.left + area.width / 2 == pytest.approx(33.3 + 0.35 * height, abs=0.5)
    assert area.top + area.height / 2 == pytest.approx(20.8 + 0.5 * height, abs=0.5)


def test_a_head_that_lies_on_its_side_fits_too() -> None:
    upright, lying = (area_around(box, (1, 1)) for box in (Box(0, 0, 70, 100), Box(0, 0, 100, 70)))
    assert (upright.height, upright.width) == (lying.height, lying.width)


def test_an_area_within_the_picture_is_cut_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    cut = cut_out(picture, Area(left=4, top=2, height=15, width=9))
    np.testing.assert_array_equal(cut, picture[:, 2:17, 4:13])
    assert not np.shares_memory(cut, picture), "a whole clip would stay in memory for its face"


@pytest.mark.parametrize(
    "area",
    [
        Area(left=-7, top=3, height=12, width=12),
        Area(left=25, top=3, height=12, width=12),
        Area(left=5, top=-6, height=12, width=12),
        Area(left=5, top=15, height=12, width=12),
        Area(left=-9, top=-4, height=60, width=45),
        Area(left=29, top=19, height=5, width=5),
        Area(left=-5, top=-5, height=5, width=5),
        Area(left=40, top=-30, height=9, width=9),
        Area(left=0, top=0, height=1, width=1),
    ],
    ids=str,
)
def test_beyond_the_picture_its_border_goes_on(area: Area) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    framed = [
        cv2.copyMakeBorder(frame, 100, 100, 100, 100, cv2.BORDER_REPLICATE) for frame in picture
    ]
    top, left = area.top + 100, area.left + 100
    expected = np.stack(framed)[:, top : top + area.height, left : left + area.width]
    np.testing.assert_array_equal(cut_out(picture, area), expected)


@pytest.mark.parametrize(("left", "top"), [(20, 10), (260, 100)])
def test_a_drawn_face_is_found_where_it_was_put(left: int, top: int) -> None:
    drawn = draw_clip(
        RavdessName.parse("01-01-03-01-01-01-04"),
        ClipSettings(width=112, height=112, num_frames=4, sound=False),
    )
    wide = np.full((4, 224, 400, 3), drawn[0, 0, 0], dtype=np.uint8)
    wide[:, top : top + 112, left : left + 112] = drawn
    face = clip_box(wide, load_detector("haar"))
    assert face.found == 4
    assert face.box is not None
    middle = face.box.left + face.box.width / 2, face.box.top + face.box.height / 2
    # heads are drawn up to a twentieth of the picture's half away from its middle
    assert middle == pytest.approx((left + 56, top + 56), abs=10)
    assert 70 <= face.box.height <= 120


@pytest.mark.parametrize("actor", [1, 2, 12, 19])
def test_drawn_clips_have_a_face_that_fills_their_picture(actor: int) -> None:
    drawn = draw_clip(
        RavdessName.parse(f"01-01-05-01-01-01-{actor:02d}"),
        ClipSettings(width=160, height=160, num_frames=4, sound=False),
    )
    face = clip_box(drawn, load_detector("haar"))
    assert face.box is not None
    area = area_around(face.box, (1, 1))
    assert 0.8 <= area.height * CROP_SHARE / 160 <= 1.1, "drawn heads are as high as the picture"
    assert area.left + area.width / 2 == pytest.approx(80, abs=16)


@pytest.mark.real
def test_the_face_of_real_clips_is_where_actors_are_filmed(ravdess_root: Path) -> None:
    from functools import partial

    from emorec.data.decoding.decode import decode
    from emorec.data.decoding.sample import linspace_indices

    detect = load_detector("haar")
    clips = sorted(ravdess_root.glob("Actor_*/01-01-0[1358]-*.mp4"))[::40]
    assert clips
    for clip in clips:
        seen = decode(clip, partial(linspace_indices, num_frames=6)).frames
        face = clip_box(seen, detect)
        assert face.box is not None, clip
        assert face.found >= 5, clip
        height, width = seen.shape[1:3]
        # a head and shoulders in the middle of the picture
        assert 0.45 * height <= face.box.height <= 0.85 * height, clip
        assert abs(face.box.left + face.box.width / 2 - width / 2) <= 0.15 * width, clip
