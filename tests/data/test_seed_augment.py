"""Faces varied as the seed study of Aff-Wild2 meant to, compared with scipy's own way of doing the same."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from emorec.data import AffWild2DataModule
from emorec.data.seed_augment import draw_like_the_seed
from emorec.data.transform import ClipTransform, cv2

SIZE, SQUARE = (48, 80), (96, 96)


def smooth_picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(60, 200, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(noise, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def test_a_picture_is_what_scipy_makes_of_the_same_draw() -> None:
    picture = smooth_picture()
    for seed in range(20):
        (frame,) = ClipTransform(SIZE, "seed_affwild2")(picture[None], seed)
        draw = draw_like_the_seed(np.random.default_rng(seed), SIZE, SIZE)
        (xx, xy, x0), (yx, yy, y0) = draw.source
        matrix, offset = np.array([[yy, yx], [xy, xx]]), (y0, x0)  # scipy has rows first
        planes = [
            affine_transform(picture[..., k].astype(float), matrix, offset, order=1, mode="mirror")
            for k in range(3)
        ]
        expected = np.clip(np.stack(planes, -1) * draw.contrast, 0, 255)
        away = np.abs(frame - expected)
        assert np.percentile(away, 99) < 4
        assert away.mean() < 1


def test_draws_keep_to_the_study_s_limits_and_reach_them() -> None:
    draws = [draw_like_the_seed(np.random.default_rng(seed), SQUARE, SQUARE) for seed in range(500)]
    high, wide, middle, light = [], [], [], []
    for draw in draws:
        matrix = draw.source[:, :2]
        wide.append(np.linalg.norm(matrix[:, 0]))  # a column is how far one goes for a pixel
        high.append(np.linalg.norm(matrix[:, 1]))
        middle.append(np.abs(draw.source @ (47.5, 47.5, 1) - 47.5).max())
        light.append(draw.contrast)
    assert 0.9 <= min(wide) < 0.92
    assert 1.23 < max(wide) <= 1.25
    assert min(high) + 1e-9 >= 0.9
    assert max(high) <= 1.25 + 1e-9
    assert max(middle) <= 9.6 * np.sqrt(2)
    assert 0.5 <= min(light) < 0.53
    assert 1.47 < max(light) <= 1.5
    flips = np.mean([np.linalg.det(draw.source[:, :2]) < 0 for draw in draws])
    assert flips == pytest.approx(0.5, abs=0.07)


def test_all_frames_of_a_window_are_varied_alike_and_every_window_in_its_own_way() -> None:
    frames = np.repeat(smooth_picture()[None], 3, axis=0)
    transform = ClipTransform(SIZE, "seed_affwild2")
    one, other = transform(frames, 1), transform(frames, 2)
    assert (one == one[0]).all()
    assert (one != other).mean() > 0.5  # the study's program gave all pictures the same draw
    assert np.array_equal(one, transform(frames, 1))


def test_nothing_is_cut_away_from_faces_that_are_not_cropped() -> None:
    how = {"root": "x", "image_size": 96, "num_frames": 1}
    assert AffWild2DataModule(augment="seed_affwild2", **how).recipe.size == SQUARE
    assert AffWild2DataModule(augment=True, **how).recipe.size > SQUARE
