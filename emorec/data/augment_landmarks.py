"""Augmentation of the face track of a clip, the same for landmarks, blendshapes and pose; test-time mirror image."""

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from emorec.data.landmarks import (
    BLENDSHAPES,
    LEFT_EYE,
    RIGHT_EYE,
    FaceTrack,
    face_mesh,
    fill_missing,
)

MIRROR_PROBABILITY = 0.5

MAX_CUT = 0.1
"""Share of the clip that is cut off at most at its start, and at its end."""

MAX_WARP = 0.1
"""By which the middle of the clip moves at most, as a share of its length."""

MAX_TURN_DEGREES = 8.0
"""About the vertical and about the horizontal axis."""

MAX_STRETCH = 0.05
"""Of the width of the face at constant height."""

LANDMARK_NOISE = 0.005
"""Standard deviation in eye distances, of each landmark for the whole clip, and again for each frame half of it."""

BLENDSHAPE_NOISE = 0.02
"""Standard deviation, for the whole clip."""

DROP_PROBABILITY = 0.05
"""Of each frame."""


def augment_track(track: FaceTrack, rng: np.random.Generator) -> FaceTrack:
    """Mirror half of the tracks, and warp, turn and stretch every one, with noise and without some frames.

    Args:
        track: (T,) of `FACE`; it is not changed.
        rng: Decides everything; it is called equally often for every track.

    Returns:
        A new track (T,).

    Source: Um et al. 2017, Data augmentation of wearable sensor data for Parkinson's disease monitoring (time warp,
    noise).
    """
    mirrored = rng.random() < MIRROR_PROBABILITY
    start, end = rng.uniform(0, MAX_CUT), rng.uniform(1 - MAX_CUT, 1)
    middle = (start + end) / 2 + rng.uniform(-MAX_WARP, MAX_WARP)
    yaw, pitch = rng.uniform(-MAX_TURN_DEGREES, MAX_TURN_DEGREES, 2)
    width = 1 + rng.uniform(-MAX_STRETCH, MAX_STRETCH)
    augmented = time_warp(mirror(track) if mirrored else track, start, middle, end)
    augmented = turn(augmented, yaw, pitch)
    augmented = stretch(augmented, width)
    return drop_frames(add_noise(augmented, rng), rng.random(len(track)) < DROP_PROBABILITY)


def mirror(track: FaceTrack) -> FaceTrack:
    """Return the track of the mirrored clip; the face stays where it is on average.

    >>> from emorec.data.landmarks import FACE
    >>> track = np.zeros(1, FACE)
    >>> track["pose"] = 10, 5, 2
    >>> mirror(track)["pose"].tolist()
    [[-10.0, 5.0, -2.0]]
    """
    mirrored = track.copy()
    landmarks = track["landmarks"][:, mirror_landmarks()]
    middle = landmarks[..., 0].mean() if len(track) else 0.0
    landmarks[..., 0] = 2 * middle - landmarks[..., 0]
    mirrored["landmarks"] = landmarks
    mirrored["blendshapes"] = track["blendshapes"][:, mirror_blendshapes()]
    mirrored["pose"] = track["pose"] * np.array([-1, 1, -1], np.float32)
    return mirrored


@cache
def mirror_landmarks() -> npt.NDArray[np.int64]:
    """Return (478,) the landmark on the other side of the face for each landmark.

    >>> mirror_landmarks()[[33, 1, 468]].tolist()  # outer corner of an eye, tip of the nose, centre of an iris
    [263, 1, 473]
    """
    vertices = face_mesh().vertices
    distance = np.linalg.norm(vertices[:, None] * (-1, 1, 1) - vertices, axis=2)
    # centre, and the four points of the outline, which go around either iris in the same direction
    irises = [473, 476, 475, 474, 477, 468, 471, 470, 469, 472]
    return np.array([*distance.argmin(axis=1), *irises])


@cache
def mirror_blendshapes() -> npt.NDArray[np.int64]:
    """Return (52,) the blendshape of the other side of the face for each blendshape.

    >>> BLENDSHAPES[mirror_blendshapes()[BLENDSHAPES.index("jawLeft")]]
    'jawRight'
    """
    other_side = {"Left": "Right", "Right": "Left"}
    names = []
    for name in BLENDSHAPES:
        side = next((side for side in other_side if name.endswith(side)), "")
        names.append(name.removesuffix(side) + other_side.get(side, ""))
    return np.array([BLENDSHAPES.index(name) for name in names])


def time_warp(track: FaceTrack, start: float, middle: float, end: float) -> FaceTrack:
    """Return a track of the same length that runs from `start` over `middle` to `end`, interpolated linearly.

    Args:
        track: (T,) of `FACE`.
        start: First moment, as a share of the clip.
        middle: Where the middle of the result lies.
        end: Last moment.

    >>> from emorec.data.landmarks import FACE
    >>> track = np.zeros(5, FACE)
    >>> track["pose"][:, 0] = range(5)
    >>> time_warp(track, 0, 0.25, 1)["pose"][:, 0].tolist()
    [0.0, 0.5, 1.0, 2.5, 4.0]
    """
    last = len(track) - 1
    positions = np.interp(np.linspace(0, 1, len(track)), (0, 0.5, 1), (start, middle, end)) * last
    before = np.floor(positions).astype(int)
    after = np.minimum(before + 1, max(last, 0))
    share = (positions - before).astype(np.float32)
    warped = track[np.where(share < 0.5, before, after)]
    for name in ("landmarks", "blendshapes", "pose"):
        weight = share.reshape(-1, *[1] * (track[name].ndim - 1))
        warped[name] = (1 - weight) * track[name][before] + weight * track[name][after]
    return warped


def turn(track: FaceTrack, yaw: float, pitch: float) -> FaceTrack:
    """Return a track of the head turned by the same angles in every frame, about the middle of the face.

    Args:
        track: (T,) of `FACE`.
        yaw: In degrees, above 0 turns the nose to the right of the picture.
        pitch: In degrees, above 0 turns it down.
    """
    turned = track.copy()
    centre = track["landmarks"].mean(axis=1, keepdims=True)
    points = (track["landmarks"] - centre).reshape(-1, 3)  # one product is faster than T
    turned["landmarks"] = (points @ _turn_matrix(yaw, pitch).T).reshape(
        centre.shape[0], -1, 3
    ) + centre
    turned["pose"] += np.array([yaw, pitch, 0], np.float32)
    return turned


def _turn_matrix(yaw: float, pitch: float) -> npt.NDArray[np.float32]:
    """(3, 3); the nose points to -z."""
    cos_yaw, sin_yaw = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    cos_pitch, sin_pitch = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    about_vertical = np.array([[cos_yaw, 0, -sin_yaw], [0, 1, 0], [sin_yaw, 0, cos_yaw]])
    about_horizontal = np.array([[1, 0, 0], [0, cos_pitch, -sin_pitch], [0, sin_pitch, cos_pitch]])
    matrix: npt.NDArray[np.float32] = (about_vertical @ about_horizontal).astype(np.float32)
    return matrix


def stretch(track: FaceTrack, width: float) -> FaceTrack:
    """Return a track of a face that is wider by a factor, as another person's may be."""
    stretched = track.copy()
    x = track["landmarks"][..., 0]
    centre = x.mean(axis=1, keepdims=True)
    stretched["landmarks"][..., 0] = (x - centre) * np.float32(width) + centre
    return stretched


def add_noise(track: FaceTrack, rng: np.random.Generator) -> FaceTrack:
    """Return a track with normal noise, in landmarks at the scale of the distance between the eyes."""
    noisy = track.copy()
    landmarks, blendshapes = track["landmarks"], track["blendshapes"]
    eyes = landmarks[:, LEFT_EYE] - landmarks[:, RIGHT_EYE]
    scale = np.linalg.norm(eyes, axis=1)[:, None, None] * np.float32(LANDMARK_NOISE)
    of_clip = rng.standard_normal(landmarks.shape[1:], dtype=np.float32)
    of_frames = rng.standard_normal(landmarks.shape, dtype=np.float32)
    noisy["landmarks"] += scale * (of_clip + of_frames / 2)
    of_clip = rng.standard_normal(blendshapes.shape[1:], dtype=np.float32)
    noisy["blendshapes"] = (blendshapes + np.float32(BLENDSHAPE_NOISE) * of_clip).clip(0, 1)
    return noisy


def drop_frames(track: FaceTrack, dropped: npt.NDArray[np.bool_]) -> FaceTrack:
    """Return a track in which some frames (T,) have no face, see `fill_missing`; unchanged where no face is left."""
    present = track["present"] & ~dropped
    if not present.any():
        return track
    remaining = track.copy()
    remaining["present"] = present
    return fill_missing(remaining)
