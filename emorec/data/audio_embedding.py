"""Embeddings of sound by networks that were trained on much more of it.

YAMNet and Google's speech embedding, which come with the package, take the log-mel spectrogram of windows of about a
second; a speech model of Hugging Face (see `emorec.data.speech_model`) takes the waveform. `EmbeddingSpec` makes them a
stream that is cached like the sound itself.

Source: Gemmeke et al. 2017, Audio Set; Howard et al. 2017, MobileNets (YAMNet); Lin et al. 2020, Training keyword
spotters with limited and synthesized speech data (speech embedding).
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController
from typing_extensions import override

from emorec.data.audio import FULL_SCALE, AudioSpec, SoundSpec, Waveform, to_float
from emorec.data.clip import Clip, settings_digest
from emorec.data.speech_model import (
    SAMPLE_RATE,
    WINDOW_SECONDS,
    SpeechModel,
    cached_speech_encoder,
    is_speech_model,
    speech_model,
)
from emorec.data.speech_model import num_windows as num_speech_windows
from emorec.errors import UserError
from emorec.pretrained import (
    DIGESTS,
    SPEECH_EMBEDDING,
    YAMNET,
    import_onnxruntime,
    litert_interpreter,
    silent_stderr,
    weights_file,
)

Embedding: TypeAlias = npt.NDArray[np.float32]
"""(S, D) float32: S windows of a clip, D features."""

Spectrogram: TypeAlias = npt.NDArray[np.float32]
"""(columns, bands) float32."""

FORMAT = 2
"""Version of the embeddings; raising it makes cached ones unused."""

HOP_SAMPLES = 160
"""Samples from one column of a spectrogram to the next: 10 ms."""

WINDOW_SAMPLES = 400
"""Samples under the window of a column: 25 ms."""

YAMNET_COLUMNS, YAMNET_BANDS = 96, 64
"""Size of the spectrogram that YAMNet takes: 0.96 s."""

YAMNET_FEATURES = 512
"""Maps (6, 4, 512) after the seventh pair of convolutions, where the file of the package ends.

The last layer's, with which sounds are named, tells emotions apart much worse.
"""

SPEECH_COLUMNS, SPEECH_BANDS = 76, 32
"""Size of the spectrogram that the speech embedding takes: 0.76 s; a longer one has several windows."""

SPEECH_STRIDE = 8
"""Columns from one of them to the next."""

FFT_SIZE = 512

FREQUENCIES = np.linspace(0, SAMPLE_RATE / 2, FFT_SIZE // 2 + 1)
"""Of the spectrograms' bins, in hertz."""

SLANEY_LOWEST, SLANEY_HIGHEST = 60 * 3 / 200, 15 + 27 * np.log(3.8) / np.log(6.4)
"""60 and 3,800 Hz in Slaney's mel."""

SPEECH_FEATURES = 96

SPEECH_OFFSET = (YAMNET_COLUMNS - SPEECH_COLUMNS) // 2
"""Columns by which its window begins later than YAMNet's, so that both have the same middle."""

STEP = 12
"""Columns from one window to the next: 0.12 s."""

STEP_SECONDS = STEP * HOP_SAMPLES / SAMPLE_RATE
"""The same in seconds."""

NUM_REMEMBERED = 64
"""Windows whose features are kept, twice those of four seconds."""

WEIGHTS: dict[str, tuple[str, ...]] = {
    "yamnet": (YAMNET,),
    "speech_embedding": (SPEECH_EMBEDDING,),
    "both": (YAMNET, SPEECH_EMBEDDING),
}
"""Files of each network of the package."""

NUM_FEATURES: dict[str, int] = {
    "yamnet": YAMNET_FEATURES,
    "speech_embedding": SPEECH_FEATURES,
    "both": YAMNET_FEATURES + SPEECH_FEATURES,
}
"""D of each."""


def num_windows(num_samples: int) -> int:
    """Return S, the number of windows in a waveform; a shorter one than a window is padded to one.

    >>> num_windows(48_000), num_windows(100)
    (17, 1)
    """
    columns = 1 + (num_samples - WINDOW_SAMPLES) // HOP_SAMPLES
    return 1 + max(0, columns - YAMNET_COLUMNS) // STEP


def embed(waveform: Waveform, network: str) -> Embedding:
    """Return the embedding of a waveform by networks of the package, (S, D).

    Args:
        waveform: (samples,) float32 from -1 to 1, at 16,000 samples per second.
        network: "yamnet", "speech_embedding" or "both", which joins their features.
    """
    parts = []
    # a product of matrices keeps a second core busy for long after it is done
    with _thread_pools().limit(limits=1, user_api="blas"):
        if network != "speech_embedding":
            parts.append(cached_yamnet()(waveform))
        if network != "yamnet":
            parts.append(cached_speech_embedding()(waveform))
    return np.hstack(parts)


@cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()


class _WindowNetwork:
    """A network of windows of a spectrogram that remembers the last ones: clips may overlap, and silence is alike."""

    def __init__(self) -> None:
        self._features: OrderedDict[bytes, Embedding] = OrderedDict()

    def _embed(self, spectrogram: Spectrogram, starts: Sequence[int], columns: int) -> Embedding:
        """Spectrogram (columns, bands) -> (S, D) of the windows that begin at S of its columns."""
        keys = [spectrogram[start : start + columns].tobytes() for start in starts]
        new = {
            key: start for key, start in zip(keys, starts, strict=True) if key not in self._features
        }
        if new:
            features = self._run(spectrogram, list(new.values()))
            self._features.update(zip(new, features, strict=True))
        embedding = np.stack([self._features[key] for key in keys])
        for key in keys:
            self._features.move_to_end(key)
        while len(self._features) > NUM_REMEMBERED:
            self._features.popitem(last=False)
        return embedding

    def _run(self, spectrogram: Spectrogram, starts: Sequence[int]) -> Embedding:
        """Like `_embed`, but each window is computed."""
        raise NotImplementedError


class Yamnet(_WindowNetwork):
    """YAMNet by LiteRT. Not picklable: each process opens its own.

    Raises:
        UserError: When LiteRT is not installed, or a file of the package is damaged.
    """

    def __init__(self) -> None:
        super().__init__()
        litert = litert_interpreter(
            "data.sound_embedding yamnet needs", "choose --data.sound_embedding speech_embedding"
        )
        with silent_stderr():
            self._interpreter = litert.Interpreter(str(weights_file(YAMNET)), num_threads=1)
            self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()

    def __call__(self, waveform: Waveform) -> Embedding:
        """Waveform (samples,) -> (S, 512): the largest value of each map in a window."""
        starts = _starts(waveform, first=0)
        spectrogram = _padded(yamnet_spectrogram(waveform), starts[-1] + YAMNET_COLUMNS)
        return self._embed(spectrogram, starts, YAMNET_COLUMNS)

    @override
    def _run(self, spectrogram: Spectrogram, starts: Sequence[int]) -> Embedding:
        windows = (spectrogram[start : start + YAMNET_COLUMNS] for start in starts)
        return np.stack([self._run_one(window) for window in windows])

    def _run_one(self, window: Spectrogram) -> Embedding:
        self._interpreter.set_tensor(self._input["index"], window[None])
        self._interpreter.invoke()
        maps = self._interpreter.get_tensor(self._output["index"])[0]  # (6, 4, 512) int8
        scale, zero = self._output["quantization"]
        return np.asarray((maps.max(axis=(0, 1)).astype(np.float32) - zero) * scale, np.float32)


class SpeechEmbedding(_WindowNetwork):
    """Google's speech embedding by ONNX Runtime. Not picklable: each process opens its own.

    Raises:
        UserError: When ONNX Runtime is not installed, or a file of the package is damaged.
    """

    def __init__(self) -> None:
        super().__init__()
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            weights_file(SPEECH_EMBEDDING), options, providers=["CPUExecutionProvider"]
        )
        (self._input,) = (each.name for each in self._session.get_inputs())

    def __call__(self, waveform: Waveform) -> Embedding:
        """Waveform (samples,) -> (S, 96)."""
        starts = _starts(waveform, first=SPEECH_OFFSET)
        spectrogram = _padded(speech_spectrogram(waveform), starts[-1] + SPEECH_COLUMNS)
        return self._embed(spectrogram, starts, SPEECH_COLUMNS)

    @override
    def _run(self, spectrogram: Spectrogram, starts: Sequence[int]) -> Embedding:
        first, end = min(starts), max(starts) + SPEECH_COLUMNS
        features: dict[int, Embedding] = {}
        # a convolution over time whose steps are of 8 columns: every other window is among them
        for begin in range(first, min(first + 2 * STEP, end - SPEECH_COLUMNS + 1), STEP):
            columns = spectrogram[None, begin:end, :, None]
            (maps,) = self._session.run(None, {self._input: columns})  # (1, 96, steps, 1)
            every_other = maps[0, :, :: 2 * STEP // SPEECH_STRIDE, 0].T
            features |= zip(range(begin, end, 2 * STEP), every_other, strict=False)
        return np.stack([features[start] for start in starts])


@cache
def cached_yamnet() -> Yamnet:
    """Return YAMNet, opened once in this process."""
    return Yamnet()


@cache
def cached_speech_embedding() -> SpeechEmbedding:
    """Return the speech embedding, opened once in this process."""
    return SpeechEmbedding()


def yamnet_spectrogram(waveform: Waveform) -> Spectrogram:
    """Waveform (samples,) -> (columns, 64), the logarithm of mel bands from 125 to 7,500 Hz.

    Source: `features.py` of YAMNet in TensorFlow's model garden.
    """
    magnitude = np.abs(np.fft.rfft(_columns(waveform, WINDOW_SAMPLES), FFT_SIZE))
    edges = np.linspace(_mel(125.0), _mel(7500.0), YAMNET_BANDS + 2)
    bands = magnitude @ _triangles(_mel(FREQUENCIES), edges)
    return np.log(bands + 0.001).astype(np.float32)


def speech_spectrogram(waveform: Waveform) -> Spectrogram:
    """Waveform (samples,) -> (columns, 32), mel bands from 60 to 3,800 Hz, in decibels / 10 + 2.

    They are those of samples of 16 bits, and at most 80 decibels below the loudest.

    Source: `melspectrogram.onnx` of openWakeWord, whose mel bands are librosa's.
    """
    power = np.abs(np.fft.rfft(_columns(waveform * np.float32(FULL_SCALE), FFT_SIZE))) ** 2
    edges = _hertz(np.linspace(SLANEY_LOWEST, SLANEY_HIGHEST, SPEECH_BANDS + 2))
    bands = power @ (_triangles(FREQUENCIES, edges) * (2 / (edges[2:] - edges[:-2])))
    decibels = 10 * np.log10(np.maximum(bands, 1e-10))
    return np.asarray(np.maximum(decibels, decibels.max() - 80) / 10 + 2, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSpec(SoundSpec):
    """The embedding of a clip's sound.

    Attributes:
        network: "yamnet", "speech_embedding", "both", or a speech model, see `speech_model`.
        sound_seconds: Length of the sound, see `AudioSpec`.
        layer: Of a speech model, see `SpeechModel.layer_number`.

    Raises:
        UserError: If the network is unknown, or `layer` is set for one without selectable layers.

    >>> EmbeddingSpec(network="both", sound_seconds=3.0).shape
    (17, 608)
    """

    network: str
    sound_seconds: float
    layer: int | None = None

    def __post_init__(self) -> None:
        if self.network not in WEIGHTS and not is_speech_model(self.network):
            raise UserError(
                f"no sound embedding is called {self.network}: choose {', '.join(WEIGHTS)}, a speech model of the "
                "Hugging Face Hub such as microsoft/wavlm-base-plus, or the folder of one"
            )
        if self.network in WEIGHTS and self.layer is not None:
            raise UserError(
                f"the layer is {self.layer}, and those of {self.network} are fixed: leave it out, or choose "
                "a speech model"
            )

    @property
    def speech_model(self) -> SpeechModel | None:
        """The speech model; `None` for networks of the package."""
        return None if self.network in WEIGHTS else speech_model(self.network)

    @property
    def title(self) -> str:
        """Network, layer and duration, for messages."""
        model = self.speech_model
        layer = f", layer {model.layer_number(self.layer)}," if model else ""
        return f"{self.network}{layer} of {self.sound_seconds:g} s"

    @property
    def audio(self) -> AudioSpec:
        """Of the waveform."""
        return AudioSpec(sound_rate=SAMPLE_RATE, sound_seconds=self.sound_seconds)

    @property
    @override
    def shape(self) -> tuple[int, int]:
        """(S, D) of a clip."""
        num_samples = self.audio.shape[0]
        if model := self.speech_model:
            return num_speech_windows(num_samples), model.num_features
        return num_windows(num_samples), NUM_FEATURES[self.network]

    @property
    @override
    def dtype(self) -> type[np.float32]:
        """Of the features."""
        return np.float32

    @property
    @override
    def name(self) -> str:
        """A file name that is unique to this specification, the networks and the version of the decoder."""
        content: dict[str, object] = {
            "format": FORMAT,
            "sound_seconds": self.sound_seconds,
            "audio": self.audio.name,
        }
        if model := self.speech_model:
            layer = model.layer_number(self.layer)
            content |= {"layer": layer, "networks": [model.digest], "windows": WINDOW_SECONDS}
        else:
            networks = [DIGESTS[name] for name in WEIGHTS[self.network]]
            content |= {"network": self.network, "networks": networks}
        windows, features = self.shape
        return f"embedding-{windows}x{features}-{settings_digest(content)}"

    def shared_hop(self, seconds: float) -> float:
        """Return the nearest distance of two clips at which their windows fall on each other, and are embedded once.

        >>> EmbeddingSpec(network="both", sound_seconds=4.0).shared_hop(1.7775)
        1.8
        """
        if self.speech_model:
            return seconds  # which embeds a clip as a whole
        return round(round(seconds / STEP_SECONDS) * STEP_SECONDS, 2) or seconds

    @override
    def decode(self, clip: Clip) -> tuple[Embedding, str | None]:
        """Decode the sound of a clip and embed it, (S, D) float32; return where it has holes, too, or `None`.

        Raises:
            ClipError: When it can't be decoded.
            UserError: When LiteRT or transformers is not installed.
        """
        samples, note = self.audio.decode(clip)
        return self.embed(to_float(samples)), note

    def embed(self, waveform: Waveform) -> Embedding:
        """Return the embedding of a waveform, (S, D).

        Args:
            waveform: (samples,) float32 from -1 to 1, at 16,000 samples per second.

        Raises:
            UserError: When LiteRT or transformers is not installed.
        """
        if model := self.speech_model:
            layer = model.layer_number(self.layer)
            return cached_speech_encoder(self.network)(waveform, layer)
        return embed(waveform, self.network)


def _columns(waveform: Waveform, length: int) -> npt.NDArray[np.float32]:
    """Cut a waveform into columns (columns, length) under a Hann window in their middle; pad one that is too short."""
    padded = np.pad(waveform, (0, max(0, length - len(waveform))))
    columns = np.lib.stride_tricks.sliding_window_view(padded, length)[::HOP_SAMPLES]
    window = np.hanning(WINDOW_SAMPLES + 1)[:-1]  # periodic
    before = (length - WINDOW_SAMPLES) // 2
    padded_window = np.pad(window, (before, length - WINDOW_SAMPLES - before))
    return np.asarray(columns * padded_window, np.float32)


def _starts(waveform: Waveform, first: int) -> list[int]:
    """Return the column with which each window begins."""
    return [first + STEP * number for number in range(num_windows(len(waveform)))]


def _padded(spectrogram: Spectrogram, columns: int) -> Spectrogram:
    """Return a spectrogram of at least so many columns; those that are missing at its end are of silence."""
    missing = max(0, columns - len(spectrogram))
    return np.pad(spectrogram, ((0, missing), (0, 0)), constant_values=spectrogram.min())


def _triangles(
    points: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return (len(points), len(edges) - 2): triangles of height 1 that reach from an edge to the next but one."""
    rising = (points[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - points[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def _mel(hertz: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Convert hertz to mel.

    >>> round(_mel(1000.0).item())
    1000
    """
    return np.asarray(1127 * np.log1p(np.asarray(hertz) / 700), np.float64)


def _hertz(slaney: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Convert Slaney's mel, linear up to 1,000 Hz (which is 15), to hertz.

    >>> _hertz(np.array([3.0, 15.0, 42.0])).round(1).tolist()
    [200.0, 1000.0, 6400.0]
    """
    above = 1000 * np.exp(np.log(6.4) / 27 * (slaney - 15))
    return np.asarray(np.where(slaney < 15, slaney * 200 / 3, above), np.float64)
