"""Frozen speech models of Hugging Face, such as WavLM and XLS-R: hidden states of a layer, averaged over half seconds.

They take the waveform itself. Weights are read from `.safetensors` files alone, and no code of a model is run.

Source: Baevski et al. 2020, wav2vec 2.0; Babu et al. 2022, XLS-R; Chen et al. 2022, WavLM; Pasad et al. 2021,
Layer-wise analysis of a self-supervised speech representation model.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emorec.data.audio import Waveform
from emorec.errors import UserError
from emorec.io import sha256
from emorec.text import first_few, plural

SAMPLE_RATE = 16_000
"""Samples per second that the models take."""

WINDOW_SECONDS = 0.5
"""Length of the windows over which hidden states, one every 20 ms, are averaged."""

CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "*.safetensors"

FILES = (CONFIG, PREPROCESSOR, WEIGHTS, "*.safetensors.index.json")
"""What is downloaded of a model."""

UNUSED_WEIGHTS = {"masked_spec_embed"}
"""Weights that a file may lack: the vector takes the place of masked states in training alone."""


def is_speech_model(name: str) -> bool:
    """Whether a name is that of a model: ORG/NAME of the Hub, or the path of a folder.

    >>> is_speech_model("microsoft/wavlm-base-plus"), is_speech_model("yamnet")
    (True, False)
    """
    return "/" in name or Path(name).expanduser().is_dir()


def is_hub_name(name: str) -> bool:
    """Whether a model's name is ORG/NAME or ORG/NAME@REVISION of the Hub, and no folder's path.

    >>> is_hub_name("microsoft/wavlm-base-plus@refs/pr/1"), is_hub_name("./wavlm"), is_hub_name("models/a/b")
    (True, False, False)
    """
    path = Path(name).expanduser()
    parts = name.partition("@")[0].split("/")
    return len(parts) == 2 and parts[0] not in ("", ".", "..", "~") and not path.exists()


def num_windows(num_samples: int) -> int:
    """Return S, the number of equal windows of about half a second in a waveform.

    >>> num_windows(48_000), num_windows(19_200), num_windows(100)
    (6, 2, 1)
    """
    return max(1, round(num_samples / SAMPLE_RATE / WINDOW_SECONDS))


@dataclass(frozen=True)
class SpeechModel:
    """A model's files.

    Attributes:
        name: As the user wrote it.
        folder: Where its files are.
        num_layers: L; there are L + 1 hidden states, of which 0 is what the first layer takes.
        num_features: D of each hidden state.
    """

    name: str
    folder: Path
    num_layers: int
    num_features: int

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the configurations and weights."""
        digests = [(path.name, sha256(path)) for path in self._files]
        return hashlib.sha256(repr(digests).encode()).hexdigest()

    @property
    def _files(self) -> list[Path]:
        return sorted(
            path
            for path in self.folder.iterdir()
            if path.name in (CONFIG, PREPROCESSOR) or path.match(WEIGHTS)
        )

    def layer_number(self, number: int | None) -> int:
        """Return the number of a layer's hidden states, 0 to L.

        Args:
            number: That number, or counted from the end, from -1; `None` is the middle.

        Raises:
            UserError: If the layer does not exist.
        """
        if number is None:
            return self.num_layers // 2
        if not -self.num_layers - 1 <= number <= self.num_layers:
            raise UserError(
                f"the layer is {number}, and {self.name} has the layers 0 to {self.num_layers}: choose one of "
                f"them, or -1 to {-self.num_layers - 1} from the end"
            )
        return number % (self.num_layers + 1)


@cache
def speech_model(name: str) -> SpeechModel:
    """Return the files of a model, downloaded once, and its size.

    Args:
        name: ORG/NAME of the Hub, with @REVISION for another revision than its main one; or the path of a folder.

    Raises:
        UserError: When transformers is not installed, the model can't be had, or is none that takes a waveform.
    """
    transformers = _transformers(name)
    folder = _hub_folder(name) if is_hub_name(name) else Path(name).expanduser()
    _check_files(name, folder)
    with _model_errors(name):
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        extractor = transformers.AutoFeatureExtractor.from_pretrained(
            folder, trust_remote_code=False
        )
    takes_waveform = (
        extractor.model_input_names[0] == "input_values" and extractor.feature_size == 1
    )
    if not takes_waveform or config.is_encoder_decoder:
        raise UserError(
            f"{name} ({config.model_type}) does not take the waveform alone: choose a model such as "
            "microsoft/wavlm-base-plus or facebook/wav2vec2-xls-r-300m"
        )
    if extractor.sampling_rate != SAMPLE_RATE:
        raise UserError(
            f"{name} takes {extractor.sampling_rate} samples a second: choose a model of {SAMPLE_RATE}"
        )
    return SpeechModel(
        name=name,
        folder=folder,
        num_layers=config.num_hidden_layers,
        num_features=config.hidden_size,
    )


def _check_files(name: str, folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(
            f"no folder {name}: choose one that holds a speech model, or ORG/NAME of the Hub"
        )
    for file in (CONFIG, PREPROCESSOR):
        if not (folder / file).is_file():
            raise UserError(
                f"{name} has no {file}: choose a speech model, as transformers' save_pretrained writes it"
            )
    if not any(folder.glob(WEIGHTS)):
        raise UserError(
            f"{name} has no {WEIGHTS} file, and pickled weights are not read as they may run code: convert it at "
            "https://huggingface.co/spaces/safetensors/convert and choose that revision with NAME@refs/pr/N, or save "
            "it again by transformers' save_pretrained"
        )


class SpeechEncoder:
    """A speech model on the CPU, in evaluation mode. Not picklable: each process opens its own.

    Args:
        name: See `speech_model`.

    Raises:
        UserError: See `speech_model`; or when weights are missing.
    """

    def __init__(self, name: str) -> None:
        import torch  # late: it takes seconds

        model = speech_model(name)
        transformers = _transformers(name)
        transformers.utils.logging.disable_progress_bar()
        with _model_errors(name):
            self._extractor = transformers.AutoFeatureExtractor.from_pretrained(
                model.folder, trust_remote_code=False
            )
            network, loaded = transformers.AutoModel.from_pretrained(
                model.folder,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
        missing = sorted({*loaded["missing_keys"]} - UNUSED_WEIGHTS)
        if missing:
            raise UserError(
                f"{name} lacks {plural(len(missing), 'weight')} of its network ({first_few(missing, limit=3)}): "
                "choose another model or revision"
            )
        self._network = network.eval().requires_grad_(False)

    def __call__(self, waveform: Waveform, layer: int) -> npt.NDArray[np.float32]:
        """Waveform (samples,) -> (S, D), the mean of a layer's hidden states in each window.

        Args:
            waveform: (samples,) float32, at 16,000 samples per second.
            layer: From 0, what the first layer takes, to L.
        """
        import torch

        inputs = self._extractor(waveform, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        with torch.inference_mode():
            outputs = self._network(inputs.input_values, output_hidden_states=True)
            states = outputs.hidden_states[layer].transpose(1, 2)  # (1, D, states)
            means = torch.nn.functional.adaptive_avg_pool1d(states, num_windows(len(waveform)))
        return np.asarray(means[0].T.numpy(), np.float32)  # (S, D)


@cache
def cached_speech_encoder(name: str) -> SpeechEncoder:
    """Return the encoder of a model, opened once in this process."""
    return SpeechEncoder(name)


def _transformers(name: str) -> Any:
    try:
        return import_module("transformers")
    except ImportError as error:
        raise UserError(
            f"{name} needs transformers, which this Python can't import ({error}): pip install 'emorec[speech]'"
        ) from None


def _hub_folder(name: str) -> Path:
    """Return the folder with the files of a Hub's model, which are downloaded unless they are there."""
    hub = import_module("huggingface_hub")  # comes with transformers
    repository, _, revision = name.partition("@")

    def snapshot(*, local_files_only: bool) -> Path:
        return Path(
            hub.snapshot_download(
                repository,
                revision=revision or None,
                allow_patterns=[*FILES],
                local_files_only=local_files_only,
            )
        )

    try:
        folder = snapshot(local_files_only=True)
        if any(folder.glob(WEIGHTS)):
            return folder
    except (OSError, ValueError, hub.errors.EntryNotFoundError):
        pass  # not downloaded yet
    try:
        return snapshot(local_files_only=False)
    except Exception as error:
        raise UserError(
            f"can't get {name} from the Hugging Face Hub ({_first_line(error)}): check the name and the connection "
            "(HF_HUB_OFFLINE forbids it), or name a folder that holds the model"
        ) from error


@contextmanager
def _model_errors(name: str) -> Iterator[None]:
    """Turn what transformers raises about a model's files into one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"transformers can't load {name} ({_first_line(error)}): choose a speech model of its own classes, "
            "as its save_pretrained writes them"
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].partition(". ")[0].rstrip(".: ")
