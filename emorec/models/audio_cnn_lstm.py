"""The spectrogram of a clip as a sequence, read by an LSTM."""

from typing import Any

from emorec.models.audio_cnn_rnn import AudioCNNRNN


class AudioCNNLSTM(AudioCNNRNN):
    """`AudioCNNRNN` with an LSTM.

    Args:
        others: See `AudioCNNRNN`.

    Source: Singh & Fang 2020, arXiv:2006.08129, section 4 (CNN+LSTM).
    """

    def __init__(self, **others: Any) -> None:
        super().__init__(rnn="lstm", **others)
