"""Networks whose output depends on one region of one frame, so that every map is known."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.inference.spec import ModelSpec
from emorec.layers.spectrogram import Spectrogram
from emorec.models import ClipClassifier, ClipNetwork

SIDE, NUM_FRAMES, USED = 48, 4, 2
"""The only frame, of four, that the networks use."""

BRIGHT = 160
"""Threshold below which pixels are ignored."""


class Bright(nn.Module):
    """Pixels (N, C, ...) of 0 to 255 -> (N, 1, ..., H / 4, W / 4), excess over BRIGHT."""

    @override
    def forward(self, pixels: Tensor) -> Tensor:
        above = (pixels.mean(dim=1, keepdim=True) - BRIGHT).clamp(min=0) / 10
        *before, height, width = above.shape
        return above.view(*before, height // 4, 4, width // 4, 4).mean(dim=(-3, -1))


class OneFrame(ClipClassifier):
    """Convolve each frame, and sum the bright pixels of frame USED."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(num_classes=2, num_frames=NUM_FRAMES, image_size=SIDE, **arguments)
        self.maps = Bright()

    @property
    @override
    def cam_layer(self) -> nn.Module | None:
        return self.maps

    @override
    def forward(self, frames: Tensor) -> Tensor:
        maps = self.maps(frames.flatten(0, 1).float())  # (B * T, 1, h, w)
        bright = maps.mean(dim=(1, 2, 3)).unflatten(0, (-1, NUM_FRAMES))  # (B, T)
        return torch.stack([bright[:, USED], torch.zeros_like(bright[:, 0])], dim=1)


class Stacked(OneFrame):
    """The same on frames stacked as channels of one image."""

    @override
    def forward(self, frames: Tensor) -> Tensor:
        used = frames[:, USED].float()  # (B, 3, H, W): the other frames have no weight
        bright = self.maps(used).mean(dim=(1, 2, 3))
        return torch.stack([bright, torch.zeros_like(bright)], dim=1)


class OverTime(OneFrame):
    """The same on maps (B, 1, T, h, w); only the second half of the time axis is used."""

    @override
    def forward(self, frames: Tensor) -> Tensor:
        maps = self.maps(frames.transpose(1, 2).float())  # (B, 1, T, h, w)
        later = maps[:, :, NUM_FRAMES // 2 :].mean(dim=(1, 2, 3, 4))
        return torch.stack([later, torch.zeros_like(later)], dim=1)


class LowAndEarly(ClipClassifier):
    """Loudness of the lower frequencies in the first half of a clip."""

    inputs = ("sound",)

    def __init__(self) -> None:
        super().__init__(num_classes=2)
        self.spectrogram = Spectrogram(seconds=1.0, bins=40, windows=60)

    @override
    def forward(self, sound: Tensor) -> Tensor:
        loud = self.spectrogram(sound)[:, 0, :20, :30].clamp(min=0).mean(dim=(1, 2))
        return torch.stack([loud, torch.zeros_like(loud)], dim=1)


def clip_with_spots(positions: list[tuple[int, int]]) -> Tensor:
    """(1, T, 3, S, S) uint8: a dark clip with a bright square of 12 pixels in each frame, at (top, left)."""
    frames = torch.full((1, len(positions), 3, SIDE, SIDE), 40, dtype=torch.uint8)
    for number, (top, left) in enumerate(positions):
        frames[0, number, :, top : top + 12, left : left + 12] = 250
    return frames


def spec_for(network: ClipNetwork, **changes: Any) -> ModelSpec:
    """Return the specification of a test network."""
    hears = "sound" in network.inputs
    known: dict[str, Any] = {
        "network": type(network).__name__,
        "task": "classes" if isinstance(network, ClipClassifier) else "numbers",
        "names": ("yes", "no"),
        "inputs": network.inputs,
        "num_frames": network.num_frames,
        "image_size": network.image_size,
        "resize": "shorter_side",
        "face": "none",
        "sound_rate": 16_000,
        "sound_seconds": 1.0 if hears else 3.0,
        "window_seconds": 3.7,
        "temperature": None,
        "checkpoint_sha256": "",
        "emorec_version": "",
        "data": "emorec.data.RavdessDataModule",
        "split": {},
        "licence": "",
    }
    return ModelSpec(**known | changes)


class Small(ClipClassifier):
    """Four convolutions over each frame, then the mean over positions and frames; trains in seconds."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        sizes = (3, 16, 32, 64, 128)
        self.maps = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(below, above, 3, 2 if above < 64 else 1, 1, bias=False),
                    nn.BatchNorm2d(above),
                    nn.ReLU(),
                )
                for below, above in pairwise(sizes)
            )
        )
        self.classifier = nn.Linear(sizes[-1], self.num_classes)

    @property
    @override
    def cam_layer(self) -> nn.Module | None:
        return self.maps

    @override
    def forward(self, frames: Tensor) -> Tensor:
        maps = self.maps(self.normalized(frames).flatten(0, 1))  # (B * T, 64, h, w)
        features = maps.mean(dim=(2, 3)).unflatten(0, (-1, self.num_frames))  # (B, T, 64)
        logits: Tensor = self.classifier(features.mean(dim=1))  # (B, K)
        return logits
