"""Face boxes are linked into tracks."""

from collections.abc import Sequence

import numpy as np
import pytest

from emorec.data.faces import Box
from emorec.inference.tracks import Tracker

STEP = 0.2


def face(x: float, y: float = 100.0, side: float = 40.0) -> Box:
    """A box around a point."""
    return Box(x - side / 2, y - side / 2, side, side)


def tracks_of(frames: Sequence[Sequence[Box]], patience: float = 1.0) -> list[dict[int, Box]]:
    tracker = Tracker(patience)
    return [tracker.update(boxes, index * STEP) for index, boxes in enumerate(frames)]


def test_frames_without_faces_have_no_tracks() -> None:
    assert tracks_of([[], [], []]) == [{}, {}, {}]


def test_many_faces_keep_their_numbers_in_any_order_of_detection() -> None:
    row = [face(100.0 * index) for index in range(20)]
    shuffled = [list(np.random.default_rng(seed).permutation(20)) for seed in range(5)]
    for tracks in tracks_of([[row[index] for index in order] for order in shuffled]):
        assert tracks == {index + 1: row[index] for index in range(20)}


def test_crossing_faces_keep_their_numbers() -> None:
    positions = np.linspace(0, 300, 31)
    frames = [[face(x), face(300 - x, 110.0)] for x in positions]
    for x, tracks in zip(positions, tracks_of(frames), strict=True):
        assert tracks == {1: face(x), 2: face(300 - x, 110.0)}


def test_a_face_occluded_while_crossing_keeps_its_number() -> None:
    positions = np.linspace(0, 300, 31)
    frames = [
        [face(x)] if 13 <= index <= 17 else [face(x), face(300 - x, 110.0)]
        for index, x in enumerate(positions)
    ]
    tracks = tracks_of(frames, patience=2.0)
    assert tracks[15] == {1: face(150)}
    assert tracks[30] == {1: face(300), 2: face(0, 110.0)}


@pytest.mark.parametrize(("away", "number"), [(3, 1), (4, 1), (5, 2), (9, 2)])
def test_a_face_that_returns_within_the_patience_keeps_its_number(away: int, number: int) -> None:
    frames = [[face(50)], [face(50)], *[[]] * away, [face(50)]]
    assert list(tracks_of(frames, patience=1.15)[-1]) == [number]


def test_a_face_in_a_picture_that_stands_still_keeps_its_number() -> None:
    for follows in (False, True):
        tracker = Tracker(1.0)
        tracker.update([face(50)], 0.0)
        assert list(tracker.update([face(50)], 9.0, follows=follows)) == [1 if follows else 2]


def test_jitter_starts_no_track() -> None:
    draw = np.random.default_rng(0)
    frames = [
        [face(100 + draw.normal(0, 2), 100 + draw.normal(0, 2), 40 + draw.normal(0, 2))]
        for _ in range(200)
    ]
    assert {number for tracks in tracks_of(frames) for number in tracks} == {1}


def test_a_false_detection_elsewhere_does_not_move_the_track() -> None:
    frames = [[face(50)], [face(50)], [face(400)], [face(50)]]
    assert [list(tracks) for tracks in tracks_of(frames)] == [[1], [1], [2], [1]]
