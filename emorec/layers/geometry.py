"""Features of the shape of a face and of its motion, from landmarks and blendshapes."""

import torch
from torch import Tensor, nn
from typing_extensions import override

Eyes = tuple[int, int]
"""The landmarks of the outer corners of the right and the left eye."""

MIN_DISTANCE = 1e-6
"""Between the eyes, in pixels: a clip without a face has zeros for landmarks."""

MIN_STD = 1e-6
"""Of a component or its motion; one that varies less is centred only."""

MIN_BLENDSHAPE_STD = 0.03
"""Blendshapes that vary less, such as cheekPuff, are mostly noise: they are divided by this."""


class Geometry(nn.Module):
    """Landmarks and blendshapes of a clip -> standardised features of its frames.

    The landmarks are aligned (see `align`) and projected to the principal components of the training clips. Components
    and blendshapes are followed by the motion of the components, their difference to the frame before. All are
    standardised to mean 0 and standard deviation 1 over the training clips; blendshapes that hardly vary stay small.

    Args:
        num_landmarks: L.
        num_blendshapes: S.
        eyes: The landmarks by which faces are aligned.
        num_components: C, of the principal subspace.

    Attributes:
        num_features: D = 2 * C + S.
        fitted: Whether `fit` was called, here or before the weights were saved.

    Source: Cootes et al. 1995, Active Shape Models, section 4 (alignment, principal components).

    >>> geometry = Geometry(num_landmarks=478, num_blendshapes=52, eyes=(33, 263), num_components=8)
    >>> geometry(torch.rand(2, 5, 478, 3), torch.rand(2, 5, 52)).shape
    torch.Size([2, 5, 68])
    """

    components: Tensor
    mean: Tensor
    std: Tensor
    fitted: Tensor

    def __init__(
        self, *, num_landmarks: int, num_blendshapes: int, eyes: Eyes, num_components: int
    ) -> None:
        super().__init__()
        self.num_coordinates = num_landmarks * 3
        self.num_blendshapes = num_blendshapes
        self.eyes = eyes
        self.num_features = 2 * num_components + num_blendshapes
        # as untrained weights, so that the network works before `fit`
        components = torch.randn(num_components, self.num_coordinates) / self.num_coordinates**0.5
        self.register_buffer("components", components)
        self.register_buffer("mean", torch.zeros(self.num_features))
        self.register_buffer("std", torch.ones(self.num_features))
        self.register_buffer("fitted", torch.tensor(False))

    @override
    def forward(self, landmarks: Tensor, blendshapes: Tensor) -> Tensor:
        """Landmarks (B, T, L, 3) in pixels and blendshapes (B, T, S) -> (B, T, D), at float32 under autocast, too."""
        device = landmarks.device.type
        if device in ("cpu", "cuda") and torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return self.forward(landmarks.float(), blendshapes.float())
        shapes = align(landmarks, self.eyes).flatten(2)  # (B, T, 3 * L)
        components = shapes @ self.components.T  # (B, T, C)
        features = torch.cat([components, blendshapes, motion(components)], dim=2)  # (B, T, D)
        return (features - self.mean) / self.std

    def second_moments(self, landmarks: Tensor, blendshapes: Tensor) -> Tensor:
        """Return what `fit` needs of B clips; those of several batches can be added.

        Args:
            landmarks: (B, T, L, 3) in pixels.
            blendshapes: (B, T, S).

        Returns:
            (2, 1 + 3 * L + S, 1 + 3 * L + S) float64: sums over all frames of the outer products of 1, the aligned
            landmarks and the blendshapes; and the same of their motion.
        """
        shapes = align(landmarks.double(), self.eyes).flatten(2)  # (B, T, 3 * L)
        values = torch.cat([shapes, blendshapes.double()], dim=2)  # (B, T, V)
        both = torch.stack([values, motion(values)]).flatten(1, 2)  # (2, B * T, V)
        rows = torch.cat([torch.ones_like(both[..., :1]), both], dim=2)  # (2, B * T, 1 + V)
        return rows.mT @ rows

    @torch.no_grad()
    def fit(self, moments: Tensor) -> None:
        """Set components, mean and standard deviation.

        Args:
            moments: Sum of the `second_moments` of the training clips.
        """
        means = moments[:, 0, 1:] / moments[:, 0, :1]  # (2, V)
        squares = moments[:, 1:, 1:] / moments[:, 0, 0, None, None]
        covariance = squares - means[:, :, None] * means[:, None, :]  # (2, V, V)
        shapes = covariance[0, : self.num_coordinates, : self.num_coordinates]
        vectors = torch.linalg.eigh(shapes).eigenvectors.flip(1)  # largest variance first
        components = vectors[:, : len(self.components)].T  # (C, 3 * L)
        # the sign of an eigenvector is arbitrary and would differ between machines
        largest = components.gather(1, components.abs().argmax(dim=1, keepdim=True))
        components = components * largest.sign()
        project = means.new_zeros(len(components) + self.num_blendshapes, means.shape[1])
        project[: len(components), : self.num_coordinates] = components
        project[len(components) :, self.num_coordinates :] = torch.eye(self.num_blendshapes)
        variance = (project @ covariance @ project.T).diagonal(dim1=1, dim2=2)  # (2, C + S)
        std = variance.clamp(min=0).sqrt().flatten()[: self.num_features]
        self.components.copy_(components)
        self.mean.copy_((means @ project.T).flatten()[: self.num_features])
        std = torch.where(std > MIN_STD, std, 1)
        blendshapes = slice(len(components), len(components) + self.num_blendshapes)
        std[blendshapes] = std[blendshapes].clamp(min=MIN_BLENDSHAPE_STD)
        self.std.copy_(std)
        self.fitted.fill_(True)


def align(landmarks: Tensor, eyes: Eyes) -> Tensor:
    """Centre landmarks (..., L, 3), level the eyes, and divide by the distance of their outer corners.

    To align a second time changes nothing; a weighted mean of aligned faces is aligned as well.

    >>> face = torch.rand(478, 3)
    >>> turned = face @ torch.tensor([[0.0, 2, 0], [-2, 0, 0], [0, 0, 2]])
    >>> torch.allclose(align(turned + 100, (33, 263)), align(face, (33, 263)), atol=1e-3)
    True
    """
    right, left = eyes
    line = landmarks[..., left, :2] - landmarks[..., right, :2]  # (..., 2)
    square = line.square().sum(dim=-1, keepdim=True).clamp(min=MIN_DISTANCE**2)  # (..., 1)
    cos, sin = (line / square).unbind(dim=-1)  # each divided by the distance
    centred = landmarks - landmarks.mean(dim=-2, keepdim=True)
    x, y, z = centred.unbind(dim=-1)  # (..., L) each
    cos, sin = cos.unsqueeze(-1), sin.unsqueeze(-1)
    return torch.stack([cos * x + sin * y, cos * y - sin * x, z * square.rsqrt()], dim=-1)


def motion(values: Tensor) -> Tensor:
    """Values (B, T, D) -> (B, T, D), their difference to the frame before; 0 in the first frame.

    >>> motion(torch.tensor([[[1.0], [3.0], [7.0]]])).flatten().tolist()
    [0.0, 2.0, 4.0]
    """
    return values - torch.cat([values[:, :1], values[:, :-1]], dim=1)
