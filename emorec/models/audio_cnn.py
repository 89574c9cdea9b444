"""The spectrogram of a clip as a picture."""

from torch import Tensor
from typing_extensions import override

from emorec.models.audio_classifier import MAP_BINS, MAP_WINDOWS, MAPS, AudioClassifier


class AudioCNN(AudioClassifier):
    """Three convolutions and two linear layers; 906,820 parameters with K = 4.

    Source: Singh & Fang 2020, arXiv:2006.08129, table 1, column CNN.
    """

    @property
    @override
    def num_found(self) -> int:
        return MAPS * MAP_BINS * MAP_WINDOWS

    @override
    def found(self, maps: Tensor) -> Tensor:
        return maps.flatten(1)  # (B, 24 * 19 * 29)
