"""Checkpoints run by torch: the network with its normalization before it, and temperature and softmax behind it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec import __version__, checkpoint
from emorec.data.datasheets import datasheet
from emorec.errors import UserError
from emorec.image_size import parse_image_size
from emorec.inference.runtimes import Features, Inputs, Outputs, choose_device
from emorec.inference.spec import FeatureSpec, ModelSpec
from emorec.io import sha256
from emorec.layers.pretrained import skip_pretrained
from emorec.models import ClipClassifier, ClipNetwork, Fusion
from emorec.models.feature_classifier import FeatureClassifier
from emorec.pretrained import ABSTAIN_BELOW

DEFAULT_CLIP_SECONDS = 3.7
"""Window length for checkpoints that do not record the length of their clips.

Source: the median (3.66) and the mean (3.69) of the 1,320 RAVDESS clips with sound of actors 1 to 22.
"""

AFFWILD2_FRAME_RATE = 30
"""Of the same checkpoints on Aff-Wild2, whose clips are windows of consecutive frames."""


class TorchRuntime:
    """Checkpoint, run by torch.

    Args:
        path: The checkpoint.
        device: Such as "cuda" or "cpu"; by default a GPU where there is one.

    Raises:
        UserError: If the file is not an emorec checkpoint, its network takes features, or the device does not exist.
    """

    def __init__(self, path: Path, device: str | None = None) -> None:
        self.device = choose_device(device)
        network, self.spec = load_network(path, adapted=True)
        self.module = InferenceModule(network, self.spec).to(self.device)
        self.description = f"torch {torch.__version__}, {self.device}"

    def __call__(self, inputs: Inputs) -> Outputs:
        """B windows -> (B, K) probabilities or (B, R) numbers."""
        tensors = [torch.from_numpy(inputs[name]).to(self.device) for name in self.spec.inputs]
        with torch.inference_mode():
            outputs: Outputs = self.module(*tensors).cpu().numpy().astype(np.float32, copy=False)
        return outputs

    @property
    def feature_streams(self) -> tuple[str, ...]:
        """See `TwoStepRuntime`.

        Raises:
            UserError: When the network, or one of a fusion, has no features to adapt.
        """
        return tuple(each.streams[0] for each in self._two_steps.networks)

    @torch.inference_mode()
    def features(self, inputs: Inputs) -> list[Features]:
        """See `TwoStepRuntime`."""
        return [each.cpu().numpy() for each in self._two_steps.features(self._tensors(inputs))]

    @torch.inference_mode()
    def classify(self, features: Sequence[Features], masks: Inputs) -> Outputs:
        """See `TwoStepRuntime`."""
        tensors = [torch.from_numpy(each).to(self.device) for each in features]
        outputs: Outputs = self._two_steps.classify(tensors, self._tensors(masks)).cpu().numpy()
        return outputs

    @cached_property
    def _two_steps(self) -> "AdaptedModule":
        return AdaptedModule(self.module.network, self.spec)

    def _tensors(self, inputs: Inputs) -> dict[str, Tensor]:
        return {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items()}


class InferenceModule(nn.Module):
    """Trained network as it is used and exported: from decoded frames to probabilities.

    Takes the inputs of `spec.inputs` in that order: frames (B, T, H, W, 3) uint8, sound (B, samples) float32, heard
    (B,) bool. Returns (B, K) probabilities or (B, R) numbers, float32.

    Args:
        network: The trained network.
        spec: Its specification.
    """

    def __init__(self, network: ClipNetwork, spec: ModelSpec) -> None:
        super().__init__()
        self.network = network
        self.frames_position = spec.inputs.index("frames") if spec.uses_frames else None
        self.temperature = spec.temperature or 1.0
        self.is_classifier = spec.task == "classes"
        self.eval().requires_grad_(False)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        """Inputs -> (B, K) or (B, R)."""
        tensors = list(inputs)
        if self.frames_position is not None:
            # memory stays (B, T, H, W, 3), as in training
            tensors[self.frames_position] = tensors[self.frames_position].permute(
                0, 1, 4, 2, 3
            )  # (B, T, 3, H, W)
        outputs: Tensor = self.network(*tensors)
        return self.probabilities(outputs) if self.is_classifier else outputs.float()

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits (B, K) -> calibrated probabilities (B, K)."""
        return (logits.float() / self.temperature).softmax(dim=1)


class AdaptedModule(InferenceModule):
    """Trained network in two steps: features of windows, and the classification of features adapted to a person.

    It takes the inputs of `spec.inputs` and the adapted features of the M networks, and returns the features (B, T, D)
    of the M networks and the probabilities (B, K). Either step depends on its own inputs alone.

    Args:
        network: The trained network.
        spec: Its specification.

    Raises:
        UserError: When the network, or one of a fusion, has no features to adapt.
    """

    def __init__(self, network: ClipNetwork, spec: ModelSpec) -> None:
        super().__init__(network, spec)
        self.inputs = spec.inputs
        self.fusion = network if isinstance(network, Fusion) else None
        parts = self.fusion.networks if self.fusion else [network]
        self.networks = [each for each in parts if isinstance(each, FeatureClassifier)]
        if len(self.networks) < len(parts):
            raise UserError(
                f"{spec.network} has no features to adapt to a person: leave --adapt and --enrol out, or name a "
                "network of landmarks or sound embeddings"
            )

    @override
    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Inputs of windows, and adapted features -> features, and probabilities."""
        count = len(self.inputs)
        batch = dict(zip(self.inputs, inputs[:count], strict=True))
        return (*self.features(batch), self.classify(inputs[count:], batch))

    def features(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """B windows -> features of each network, (B, T, D) float32."""
        return [
            network.features(*(inputs[name] for name in network.inputs)).float()
            for network in self.networks
        ]

    def classify(self, features: Sequence[Tensor], masks: Mapping[str, Tensor]) -> Tensor:
        """Adapted features (B, T, D), and masks of what windows have -> probabilities (B, K)."""
        dtype = next(self.network.parameters()).dtype
        outputs = [
            network.classify(rows.to(dtype))
            for network, rows in zip(self.networks, features, strict=True)
        ]
        if self.fusion is None:
            return self.probabilities(outputs[0])
        return self.probabilities(self.fusion.fuse(outputs, self.fusion.present(masks)))

    def feature_specs(self) -> tuple[FeatureSpec, ...]:
        """Return the features of each network."""
        examples = [
            each.features(
                *(torch.zeros_like(example, device="cpu") for example in each.example_inputs)
            )
            for each in self.networks
        ]  # M times (1, T, D)
        streams = [each.streams[0] for each in self.networks]
        names = self.fusion.network_names if self.fusion else streams
        return tuple(
            FeatureSpec(name=name, stream=stream, shape=(example.shape[1], example.shape[2]))
            for name, stream, example in zip(names, streams, examples, strict=True)
        )


def load_network(path: Path, *, adapted: bool = False) -> tuple[ClipNetwork, ModelSpec]:
    """Load a checkpoint's network, on the CPU and in evaluation mode, and its specification.

    Args:
        path: The checkpoint.
        adapted: Whether it may be one that has to be adapted to a person.

    Raises:
        UserError: When it is not an emorec checkpoint, its network takes features, or has to be adapted and may not.
    """
    loaded = checkpoint.read(path)
    if not adapted and loaded.data["init_args"].get("adapt", "none") != "none":
        raise UserError(
            f"{path} was trained with data.adapt person, and only predict, app, test and export adapt it to people: "
            "name a checkpoint trained with data.adapt none"
        )
    network = make_network(loaded)
    return network.eval(), model_spec(loaded, network)


def make_network(loaded: checkpoint.Checkpoint) -> ClipNetwork:
    """Return a checkpoint's network with its weights, on the CPU.

    Raises:
        UserError: When it is not an emorec network, or its state dict does not match.
    """
    cls = network_class(loaded)
    if loaded.path.suffix != checkpoint.PLAIN_SUFFIX:
        return cls.load_from_checkpoint(loaded.path, map_location="cpu", weights_only=True)
    with skip_pretrained():
        network = cls(**loaded.model["init_args"])
    try:
        network.load_state_dict(checkpoint.load(loaded.path)["state_dict"])
    except RuntimeError as error:
        raise UserError(
            f"{loaded.path} does not fit {loaded.model['class_path']}: {error}"
        ) from None
    return network


def network_class(loaded: checkpoint.Checkpoint) -> type[ClipNetwork]:
    """Import the class of a checkpoint's network.

    Raises:
        UserError: When it can't be imported, or is not an emorec network.
    """
    cls = loaded.import_class("model")
    if not (isinstance(cls, type) and issubclass(cls, ClipNetwork)):
        raise UserError(
            f"{loaded.path} holds {loaded.model['class_path']}, which is not an emorec network"
        )
    return cls


def model_spec(loaded: checkpoint.Checkpoint, network: ClipNetwork) -> ModelSpec:
    """Return the specification of a checkpoint's network.

    Raises:
        UserError: When it takes features instead of frames.
    """
    data = loaded.data["init_args"]
    if data.get("features") is not None:
        raise UserError(
            f"{loaded.path} was trained on frame features: name the checkpoint of a network that takes frames"
        )
    embedding = data.get("sound_embedding", "none")
    is_affwild2 = loaded.data["class_path"] == "emorec.data.AffWild2DataModule"
    return ModelSpec(
        network=loaded.model["class_path"],
        task="classes" if isinstance(network, ClipClassifier) else "numbers",
        names=loaded.class_names or network.names,
        inputs=network.inputs,
        num_frames=data["num_frames"],
        image_size=parse_image_size(data["image_size"]),
        resize=data["resize"],
        face="crop" if is_affwild2 else data.get("face", "none"),
        sound_rate=16_000 if embedding != "none" else data.get("sound_rate", 16_000),
        sound_embedding=embedding,
        embedding_layer=data.get("embedding_layer"),
        adapt=data.get("adapt", "none"),
        abstain_below=ABSTAIN_BELOW if loaded.is_built_in else 0.0,
        sound_seconds=data.get("sound_seconds", 3.0),
        window_seconds=loaded.clip_seconds
        or (data["num_frames"] / AFFWILD2_FRAME_RATE if is_affwild2 else DEFAULT_CLIP_SECONDS),
        temperature=loaded.temperatures.get(1),
        checkpoint_sha256=sha256(loaded.path),
        emorec_version=__version__,
        data=loaded.data["class_path"],
        split=dict(loaded.split),
        licence=datasheet(loaded.data["class_path"], loaded.split).licence,
    )
