"""What the networks share that hear a clip: a spectrogram, and the convolutions that read it."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.layers.spectrogram import Denoise, Scale, Spectrogram
from emorec.layers.spectrogram_mask import SpectrogramMask
from emorec.models.base import ClipClassifier

BINS, WINDOWS = 200, 300
"""Of the spectrogram."""

MAPS, MAP_BINS, MAP_WINDOWS = 24, 19, 29
"""What the convolutions make of it."""

HIDDEN = 64


class AudioClassifier(ClipClassifier):
    """Three convolutions over a spectrogram of 200 x 300; a subclass makes one vector of what they find.

    Args:
        sound_rate: Samples a second; as the data's.
        sound_seconds: Of a clip's sound; as the data's.
        scale: "log_power" or "log_mel", see `Spectrogram`.
        denoise: "none" or "spectral_gating", see `Spectrogram`.
        mask_bins: Widest band of pitches that is hidden in training.
        mask_windows: Longest stretch of time that is hidden in training.
        dropout: Before the last layer.
        training: See `ClipClassifier`.

    Source: Singh & Fang 2020, arXiv:2006.08129, table 1 (the third convolution has 24 filters in their slides).
    """

    inputs: ClassVar[tuple[str, ...]] = ("sound",)

    def __init__(
        self,
        *,
        sound_rate: int = 16_000,
        sound_seconds: float = 3.0,
        scale: Scale = "log_power",
        denoise: Denoise = "none",
        mask_bins: int = 0,
        mask_windows: int = 0,
        dropout: float = 0.2,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.sound_rate = sound_rate
        self.sound_seconds = sound_seconds
        self.spectrogram = Spectrogram(
            rate=sound_rate,
            seconds=sound_seconds,
            bins=BINS,
            windows=WINDOWS,
            scale=scale,
            denoise=denoise,
        )
        self.mask = SpectrogramMask(mask_bins, mask_windows)
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(1, 16, (12, 16)), nn.ReLU(), nn.MaxPool2d(2)),  # (B, 16, 94, 142)
            *(nn.Conv2d(16, 24, (8, 12)), nn.ReLU(), nn.MaxPool2d(2)),  # (B, 24, 43, 65)
            *(nn.Conv2d(24, MAPS, (5, 7)), nn.ReLU(), nn.MaxPool2d(2)),  # (B, 24, 19, 29)
        )
        # a training step then takes three quarters of the time on a CPU
        self.convolutions.to(memory_format=torch.channels_last)
        self.hidden = nn.Sequential(
            nn.Linear(self.num_found, HIDDEN), nn.ReLU(), nn.Dropout(dropout)
        )
        self.classifier = nn.Linear(HIDDEN, self.num_classes)

    @property
    @abstractmethod
    def num_found(self) -> int:
        """Numbers in the vector that `found` makes."""

    @abstractmethod
    def found(self, maps: Tensor) -> Tensor:
        """Maps (B, 24, bins, windows) -> (B, num_found)."""

    @property
    @override
    def example_inputs(self) -> tuple[Tensor, ...]:
        """(1, samples) float on the meta device."""
        return (torch.zeros(1, round(self.sound_rate * self.sound_seconds), device="meta"),)

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.refuse_other_sound(getattr(self.trainer, "datamodule", None))

    def refuse_other_sound(self, data: object) -> None:
        """Stops at data that gives no sound, or sound of another rate or length.

        Raises:
            UserError: At such data.
        """
        if not hasattr(data, "audio_spec"):  # a data module of somebody else's
            return
        spec: Any = data.audio_spec
        if spec is None:
            raise UserError(f"{type(self).__name__} hears: give it sound with --data.sound true")
        told = spec.sound_rate, spec.sound_seconds
        if told != (self.sound_rate, self.sound_seconds):
            raise UserError(
                f"{type(self).__name__} hears {self.sound_seconds:g} s at {self.sound_rate} samples a second, the data "
                f"has {told[1]:g} s at {told[0]}: set model.sound_rate and model.sound_seconds alike"
            )

    @override
    def forward(self, sound: Tensor) -> Tensor:
        """Sound (B, samples) from -1 to 1 -> logits (B, K)."""
        maps = self.convolutions(self.mask(self.spectrogram(sound)))  # (B, 24, 19, 29)
        hidden = self.hidden(self.found(maps))  # (B, 64)
        logits: Tensor = self.classifier(hidden)  # (B, K)
        return logits
