"""Classifiers of sound: convolutions over a spectrogram, alone or followed by a recurrent network."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.layers.spectrogram import Denoise, Scale, Spectrogram, SpectrogramMask
from emorec.layers.temporal import RNN, last_state, recurrent
from emorec.models.classifier import ClipClassifier

BINS, WINDOWS = 200, 300
"""Size of the spectrogram."""

MAPS, MAP_BINS, MAP_WINDOWS = 24, 19, 29
"""Shape of the maps after the convolutions."""

HIDDEN = 64


class AudioClassifier(ClipClassifier):
    """Three convolutions over a spectrogram of 200 x 300; a subclass turns the maps into one vector a clip.

    Args:
        sound_rate: Samples a second; as in the data.
        sound_seconds: Duration of the sound; as in the data.
        scale: "log_power" or "log_mel", see `Spectrogram`.
        denoise: "none" or "spectral_gating", see `Spectrogram`.
        mask_bins: Widest frequency band that is masked in training.
        mask_windows: Longest time span that is masked in training.
        dropout: Before the last layer.
        training: See `ClipClassifier`.

    Source: Singh & Fang 2020, arXiv:2006.08129, table 1 (the third convolution has 24 filters in their slides).
    """

    inputs: tuple[str, ...] = ("sound",)

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
            nn.Linear(self.num_pooled, HIDDEN), nn.ReLU(), nn.Dropout(dropout)
        )
        self.classifier = nn.Linear(HIDDEN, self.num_classes)

    @property
    @abstractmethod
    def num_pooled(self) -> int:
        """Size of the vector that `pool` returns."""

    @abstractmethod
    def pool(self, maps: Tensor) -> Tensor:
        """Maps (B, 24, bins, windows) -> (B, num_pooled)."""

    @property
    @override
    def example_inputs(self) -> tuple[Tensor, ...]:
        """Sound (1, samples) float, on the meta device."""
        return (torch.zeros(1, round(self.sound_rate * self.sound_seconds), device="meta"),)

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.check_sound(getattr(self.trainer, "datamodule", None))

    def check_sound(self, data: object) -> None:
        """Refuse a data module of emorec with another rate or duration of the sound.

        Raises:
            UserError: When the data does not fit.
        """
        if not hasattr(data, "audio_spec"):
            return
        spec: Any = data.audio_spec
        name = type(self).__name__
        if spec is not None and (spec.sound_rate, spec.sound_seconds) != (
            self.sound_rate,
            self.sound_seconds,
        ):
            raise UserError(
                f"{name} takes {self.sound_seconds:g} s of sound at {self.sound_rate} samples a second, the data has "
                f"{spec.sound_seconds:g} s at {spec.sound_rate}: set model.sound_rate and model.sound_seconds alike"
            )

    @override
    def forward(self, sound: Tensor) -> Tensor:
        """Sound (B, samples) from -1 to 1 -> logits (B, K)."""
        maps = self.convolutions(self.mask(self.spectrogram(sound)))  # (B, 24, 19, 29)
        hidden = self.hidden(self.pool(maps))  # (B, 64)
        logits: Tensor = self.classifier(hidden)  # (B, K)
        return logits


class AudioCNN(AudioClassifier):
    """Three convolutions and two linear layers; 906,820 parameters with K = 4.

    Source: Singh & Fang 2020, arXiv:2006.08129, table 1, column CNN.
    """

    @property
    @override
    def num_pooled(self) -> int:
        return MAPS * MAP_BINS * MAP_WINDOWS

    @override
    def pool(self, maps: Tensor) -> Tensor:
        return maps.flatten(1)  # (B, 24 * 19 * 29)


class AudioCNNRNN(AudioClassifier):
    """Three convolutions, then a recurrent network over their 29 points in time; 325,700 parameters with K = 4.

    The authors' code flattens all points in time into a sequence of length one.

    Args:
        rnn: "rnn", "gru" or "lstm".
        hidden_size: Of its state, in each direction.
        num_layers: Stacked layers.
        bidirectional: Read the clip backwards too; the two last states are concatenated.
        audio_and_training: See `AudioClassifier` and `ClipClassifier`.

    Source: Singh & Fang 2020, arXiv:2006.08129, table 1, column CNN+RNN.
    """

    def __init__(
        self,
        *,
        rnn: RNN = "rnn",
        hidden_size: int = 128,
        num_layers: int = 2,
        bidirectional: bool = True,
        **audio_and_training: Any,
    ) -> None:
        self.bidirectional = bidirectional
        self.hidden_size = hidden_size
        super().__init__(**audio_and_training)
        self.rnn = recurrent(
            rnn, MAPS * MAP_BINS, hidden_size, num_layers, bidirectional=bidirectional
        )

    @property
    @override
    def num_pooled(self) -> int:
        return self.hidden_size * (2 if self.bidirectional else 1)

    @override
    def pool(self, maps: Tensor) -> Tensor:
        sequence = maps.permute(0, 3, 1, 2).flatten(2)  # (B, 29, 24 * 19)
        states, _ = self.rnn(sequence)  # (B, 29, num_pooled)
        return last_state(states, bidirectional=self.bidirectional)  # (B, num_pooled)


class AudioCNNLSTM(AudioCNNRNN):
    """`AudioCNNRNN` with an LSTM.

    Args:
        audio_and_training: See `AudioCNNRNN`, without `rnn`.

    Source: Singh & Fang 2020, arXiv:2006.08129, section 4 (CNN+LSTM).
    """

    fixed_arguments = ("rnn",)

    def __init__(self, **audio_and_training: Any) -> None:
        super().__init__(rnn="lstm", **audio_and_training)
