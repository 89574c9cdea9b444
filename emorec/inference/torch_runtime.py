"""Checkpoints run by torch: the network with its normalization before it, and temperature and softmax behind it."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec import __version__, checkpoint
from emorec.data.datasheets import datasheet
from emorec.errors import UserError
from emorec.image_size import parse_image_size
from emorec.inference.runtimes import Inputs, Outputs, choose_device
from emorec.inference.spec import ModelSpec
from emorec.io import sha256
from emorec.layers.pretrained import skip_pretrained
from emorec.models import ClipClassifier, ClipNetwork

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
        UserError: When it is no emorec checkpoint, or its network takes features, or there is no such device.
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


def load_network(path: Path, *, adapted: bool = False) -> tuple[ClipNetwork, ModelSpec]:
    """Load a checkpoint's network, on the CPU and in evaluation mode, and its specification.

    Args:
        path: The checkpoint.
        adapted: Whether it may be one that has to be adapted to a person.

    Raises:
        UserError: When it is no emorec checkpoint, its network takes features, or has to be adapted and may not.
    """
    loaded = checkpoint.read(path)
    if not adapted and loaded.data["init_args"].get("adapt", "none") != "none":
        raise UserError(
            f"{path} was trained with data.adapt person, and only emorec predict and emorec test adapt it to people: "
            "name a checkpoint trained with data.adapt none"
        )
    network = make_network(loaded)
    return network.eval(), model_spec(loaded, network)


def make_network(loaded: checkpoint.Checkpoint) -> ClipNetwork:
    """Return a checkpoint's network with its weights, on the CPU.

    Raises:
        UserError: When it is no emorec network, or its state dict does not match.
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
        UserError: When it can't be imported, or is no emorec network.
    """
    cls = loaded.import_class("model")
    if not (isinstance(cls, type) and issubclass(cls, ClipNetwork)):
        raise UserError(
            f"{loaded.path} holds {loaded.model['class_path']}, which is no emorec network"
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
