"""The features of a face, against scikit-learn and by what must not change them."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from emorec.data.landmarks import LEFT_EYE, RIGHT_EYE, face_mesh
from emorec.layers.geometry import MIN_BLENDSHAPE_STD, Geometry, align, motion

EYES = RIGHT_EYE, LEFT_EYE


def faces(clips: int, num_frames: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Landmarks (B, T, 478, 3) of the canonical face, a little changed, and random blendshapes (B, T, 52)."""
    rng = np.random.default_rng(seed)
    vertices = face_mesh().vertices * (1, -1, -1)
    face = np.concatenate([vertices, vertices[:10]])
    change = rng.normal(size=(clips, num_frames, 3, 1, 1)) * rng.normal(size=(3, 478, 3))
    landmarks = 20 * (face + 0.3 * change.sum(axis=2)) + (320, 240, 0)
    blendshapes = rng.random((clips, num_frames, 52))
    return torch.from_numpy(landmarks).float(), torch.from_numpy(blendshapes).float()


def fitted(*parts: tuple[Tensor, Tensor], num_components: int = 3) -> Geometry:
    geometry = Geometry(
        num_landmarks=478, num_blendshapes=52, eyes=EYES, num_components=num_components
    )
    geometry.fit(torch.stack([geometry.second_moments(*part) for part in parts]).sum(dim=0))
    return geometry


def test_position_size_and_roll_of_the_face_do_not_change_the_features() -> None:
    landmarks, blendshapes = faces(2, 4)
    geometry = fitted((landmarks, blendshapes))
    cos, sin = np.cos(0.4), np.sin(0.4)
    turn = torch.tensor([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]], dtype=torch.float32)
    moved = 1.7 * (landmarks @ turn) + torch.tensor([50.0, -20.0, 0.0])
    expected = geometry(landmarks, blendshapes)
    torch.testing.assert_close(geometry(moved, blendshapes), expected, rtol=1e-3, atol=1e-3)


def test_aligned_eyes_are_level_and_at_unit_distance_and_the_face_is_centred() -> None:
    aligned = align(faces(2, 3)[0], EYES)
    eyes = aligned[..., LEFT_EYE, :2] - aligned[..., RIGHT_EYE, :2]
    torch.testing.assert_close(eyes, torch.tensor([1.0, 0.0]).expand_as(eyes), atol=1e-5, rtol=0)
    torch.testing.assert_close(aligned.mean(dim=2), torch.zeros(2, 3, 3), atol=1e-5, rtol=0)


def test_components_are_those_of_scikit_learn_and_features_have_mean_0_and_deviation_1() -> None:
    parts = [faces(6, 5, seed) for seed in range(2)]
    geometry = fitted(*parts)
    landmarks, blendshapes = (torch.cat(part) for part in zip(*parts, strict=True))
    shapes = align(landmarks, EYES).flatten(2).flatten(0, 1)  # (B*T, 1434)
    expected = torch.from_numpy(PCA(3).fit(shapes.numpy()).components_)
    cosines = (geometry.components * expected).sum(dim=1).abs()
    torch.testing.assert_close(cosines, torch.ones(3), rtol=1e-3, atol=0)
    features = geometry(landmarks, blendshapes)
    components = shapes @ geometry.components.T
    moved = motion(components.view(12, 5, -1)).flatten(0, 1)
    both = torch.cat([components, blendshapes.flatten(0, 1), moved], dim=1)
    by_hand = (both - both.mean(dim=0)) / both.std(dim=0, correction=0)
    torch.testing.assert_close(features.flatten(0, 1), by_hand, rtol=1e-2, atol=1e-2)


def test_a_clip_without_a_face_has_finite_features() -> None:
    geometry = fitted(faces(2, 3))
    assert geometry(torch.zeros(1, 3, 478, 3), torch.zeros(1, 3, 52)).isfinite().all()


def test_a_blendshape_that_hardly_varies_stays_small() -> None:
    landmarks, blendshapes = faces(6, 5)
    blendshapes[..., 7] = 0.5 + (blendshapes[..., 7] - 0.5) / 1000
    geometry = fitted((landmarks, blendshapes))
    deviation = geometry(landmarks, blendshapes).flatten(0, 1).std(dim=0, correction=0)
    torch.testing.assert_close(deviation[3 + 8 :], torch.ones(47), rtol=1e-2, atol=1e-2)
    own = blendshapes[..., 7].flatten().std(correction=0)
    torch.testing.assert_close(deviation[3 + 7], own / MIN_BLENDSHAPE_STD, rtol=1e-2, atol=0)
