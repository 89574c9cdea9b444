"""Hand-made boxes become tracks."""

from collections.abc import Sequence

import numpy as np
import pytest

from emorec.data.faces.face import Box
from emorec.inference.tracks import Tracker

STEP = 0.2


def face(x: float, y: float = 100.0, side: float = 40.0) -> Box:
    """A face around a point."""
    return Box(x - side / 2, y - side / 2, side, side)


def tracks_of(frames: Sequence[Sequence[Box]], patience: float = 1.0) -> list[dict[int, Box]]:
    tracker = Tracker(patience)
    return [tracker.update(boxes, place * STEP) for place, boxes in enumerate(frames)]


def test_no_face_is_no_track() -> None:
    assert tracks_of([[], [], []]) == [{}, {}, {}]


def test_many_faces_keep_their_numbers_in_whatever_order_they_are_found() -> None:
    row = [face(100.0 * place) for place in range(20)]
    shuffled = [list(np.random.default_rng(seed).permutation(20)) for seed in range(5)]
    for found in tracks_of([[row[place] for place in order] for order in shuffled]):
        assert found == {place + 1: row[place] for place in range(20)}


def test_faces_that_cross_go_on_as_they_went() -> None:
    places = np.linspace(0, 300, 31)
    frames = [[face(x), face(300 - x, 110.0)] for x in places]
    for x, found in zip(places, tracks_of(frames), strict=True):
        assert found == {1: face(x), 2: face(300 - x, 110.0)}


def test_one_that_is_hidden_while_they_cross_is_the_same_behind_it() -> None:
    places = np.linspace(0, 300, 31)
    frames = [
        [face(x)] if 13 <= place <= 17 else [face(x), face(300 - x, 110.0)]
        for place, x in enumerate(places)
    ]
    found = tracks_of(frames, patience=2.0)
    assert found[15] == {1: face(150)}
    assert found[30] == {1: face(300), 2: face(0, 110.0)}


@pytest.mark.parametrize(("away", "number"), [(3, 1), (4, 1), (5, 2), (9, 2)])
def test_a_face_that_returns_within_the_patience_is_the_same(away: int, number: int) -> None:
    frames = [[face(50)], [face(50)], *[[]] * away, [face(50)]]
    assert list(tracks_of(frames, patience=1.15)[-1]) == [number]


def test_jitter_is_no_new_person() -> None:
    draw = np.random.default_rng(0)
    frames = [
        [face(100 + draw.normal(0, 2), 100 + draw.normal(0, 2), 40 + draw.normal(0, 2))]
        for _ in range(200)
    ]
    assert {number for found in tracks_of(frames) for number in found} == {1}


def test_a_mistake_elsewhere_does_not_take_the_track_along() -> None:
    frames = [[face(50)], [face(50)], [face(400)], [face(50)]]
    assert [list(found) for found in tracks_of(frames)] == [[1], [1], [2], [1]]
