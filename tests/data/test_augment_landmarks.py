"""Augmented face tracks: what each step changes, and what it must leave alone."""

import numpy as np
import pytest

from emorec.data.augment_landmarks import (
    augment_track,
    drop_frames,
    mirror,
    mirror_blendshapes,
    mirror_landmarks,
    stretch,
    time_warp,
    turn,
)
from emorec.data.landmarks import BLENDSHAPES, FACE, FaceTrack, face_mesh, head_pose


def face_track(num_frames: int = 6) -> FaceTrack:
    """The canonical face, which moves to the right and down, with the irises in front of the eyes."""
    vertices = face_mesh().vertices * (1, -1, -1)
    right_iris = vertices[[33, 33, 159, 133, 145]]
    irises = np.concatenate(
        [right_iris, vertices[mirror_landmarks()[:468]][[33, 133, 159, 33, 145]]]
    )
    track = np.zeros(num_frames, FACE)
    shift = np.arange(num_frames)[:, None, None] * np.array([2.0, 1.0, 0.0])
    track["landmarks"] = 20 * np.concatenate([vertices, irises]) + (320, 240, 0) + shift
    track["blendshapes"] = np.linspace(0, 1, 52) * np.linspace(0.2, 1, num_frames)[:, None]
    track["pose"] = [head_pose(face["landmarks"]) for face in track]
    track["present"] = True
    return track


def test_each_landmark_has_one_on_the_other_side_of_the_face() -> None:
    other = mirror_landmarks()
    assert other[other].tolist() == list(range(478))
    vertices = face_mesh().vertices
    np.testing.assert_allclose(vertices[other[:468]], vertices * (-1, 1, 1), atol=0.15)
    # eyes, corners of the mouth and brows of the published map, and the irises
    pairs = {33: 263, 133: 362, 61: 291, 70: 300, 105: 334, 468: 473, 469: 476, 470: 475, 472: 477}
    assert {right: other[right] for right in pairs} == pairs
    assert {BLENDSHAPES[each] for each in np.nonzero(mirror_blendshapes() == np.arange(52))[0]} == {
        name for name in BLENDSHAPES if not name.endswith(("Left", "Right"))
    }


def test_mirrored_twice_is_the_same_track() -> None:
    track = turn(face_track(), yaw=20, pitch=5)
    once, twice = mirror(track), mirror(mirror(track))
    np.testing.assert_allclose(twice["landmarks"], track["landmarks"], atol=1e-3)
    np.testing.assert_array_equal(twice["blendshapes"], track["blendshapes"])
    poses = np.array([head_pose(face["landmarks"]) for face in once])
    np.testing.assert_allclose(poses, track["pose"] * (-1, 1, -1), atol=0.5)


@pytest.mark.parametrize(("yaw", "pitch"), [(10, 0), (0, -8), (-6, 7)])
def test_the_pose_of_a_turned_head_is_that_of_its_landmarks(yaw: float, pitch: float) -> None:
    turned = turn(face_track(), yaw, pitch)
    poses = np.array([head_pose(face["landmarks"]) for face in turned])
    np.testing.assert_allclose(turned["pose"], poses, atol=0.5)


def test_a_warped_track_runs_through_the_given_positions() -> None:
    track = face_track(9)
    warped = time_warp(track, 0.125, 0.25, 1)
    np.testing.assert_allclose(
        warped["blendshapes"][[0, 4, 8]], track["blendshapes"][[1, 2, 8]], atol=1e-6
    )
    np.testing.assert_allclose(
        warped["landmarks"][2], track["landmarks"][[1, 2]].mean(axis=0), atol=1e-3
    )
    assert len(time_warp(track[:1], 0, 0.5, 1)) == 1


def test_a_stretched_face_is_wider_and_as_high_as_before() -> None:
    track = face_track()
    size, stretched = (np.ptp(each["landmarks"], axis=1) for each in (track, stretch(track, 1.1)))
    np.testing.assert_allclose(stretched, size * (1.1, 1, 1), rtol=1e-5)


def test_a_dropped_frame_has_the_values_of_the_nearest_one_and_the_last_face_stays() -> None:
    track = face_track(4)
    dropped = drop_frames(track, np.array([True, False, False, True]))
    assert dropped["present"].tolist() == [False, True, True, False]
    np.testing.assert_array_equal(dropped["landmarks"], track["landmarks"][[1, 1, 2, 2]])
    np.testing.assert_array_equal(drop_frames(track, np.ones(4, bool)), track)


def test_augmentation_depends_on_its_generator_alone_and_leaves_the_track_as_it_is() -> None:
    track = face_track()
    before = track.copy()
    first, again, other = (augment_track(track, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(track, before)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first["landmarks"], other["landmarks"])
    assert (first.dtype, first.shape) == (FACE, track.shape)
    assert np.isfinite(first["landmarks"]).all()
    assert ((first["blendshapes"] >= 0) & (first["blendshapes"] <= 1)).all()


def test_an_empty_and_a_faceless_track_can_be_augmented() -> None:
    faceless = augment_track(np.zeros(3, FACE), np.random.default_rng(0))
    assert not faceless["present"].any()
    assert (faceless["landmarks"] == 0).all()
