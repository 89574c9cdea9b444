"""The spectrogram of a clip as a sequence, read by a recurrent network."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.models.audio_classifier import MAP_BINS, MAPS, AudioClassifier

KINDS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class AudioCNNRNN(AudioClassifier):
    """Three convolutions, then a recurrent network over the 29 points in time that they leave; 325,700 with K = 4.

    The authors' code gave theirs a sequence of length one: all points in time as one vector.

    Args:
        rnn: "rnn", "gru" or "lstm".
        hidden_size: Of its state, in each direction.
        num_layers: One above the other.
        bidirectional: Read the clip backwards too; the two last states stand side by side.
        hearing_and_training: See `AudioClassifier` and `ClipClassifier`.

    Source: Singh & Fang 2020, arXiv:2006.08129, table 1, column CNN+RNN.
    """

    def __init__(
        self,
        *,
        rnn: Literal["rnn", "gru", "lstm"] = "rnn",
        hidden_size: int = 128,
        num_layers: int = 2,
        bidirectional: bool = True,
        **hearing_and_training: Any,
    ) -> None:
        self.directions = 2 if bidirectional else 1
        self.hidden_size = hidden_size
        super().__init__(**hearing_and_training)
        self.rnn = KINDS[rnn](
            MAPS * MAP_BINS, hidden_size, num_layers, batch_first=True, bidirectional=bidirectional
        )

    @property
    @override
    def num_found(self) -> int:
        return self.directions * self.hidden_size

    @override
    def found(self, maps: Tensor) -> Tensor:
        sequence = maps.permute(0, 3, 1, 2).flatten(2)  # (B, 29, 24 * 19)
        read, _ = self.rnn(sequence)  # (B, 29, directions * hidden)
        # the last states, which torch 2.11 exports with a dimension too many if they are an LSTM's
        forwards, backwards = read[:, -1, : self.hidden_size], read[:, 0, self.hidden_size :]
        return torch.cat([forwards, backwards], dim=1)  # (B, directions * hidden)
