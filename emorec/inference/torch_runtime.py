"""A checkpoint becomes a network that is ready to use, run by torch."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from emorec import __version__, checkpoint
from emorec.data.affwild2 import FRAMES_PER_SECOND
from emorec.data.datasheets import datasheet
from emorec.errors import UserError
from emorec.files import sha256_of
from emorec.image_size import parse_image_size
from emorec.inference.deployed import Deployed
from emorec.inference.facts import Facts
from emorec.inference.runtime import Outputs, Windows
from emorec.models import ClipClassifier, ClipNetwork, ClipRegressor

CLIP_SECONDS = 3.7
"""Of a clip of RAVDESS, for checkpoints that do not say how long theirs were.

Source: the median (3.66) and the mean (3.69) of the 1,320 clips with sound of actors 1 to 22.
"""


class TorchRuntime:
    """A checkpoint, run by torch.

    Args:
        path: The checkpoint.
        device: Such as "cuda" or "cpu"; a GPU where there is one when not given.

    Raises:
        UserError: When it is no checkpoint of emorec, or of a network that takes no pictures and no sound.
    """

    def __init__(self, path: Path, device: str | None = None) -> None:
        network, self.facts = load_network(path)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.deployed = Deployed(network, self.facts).to(self.device)
        self.description = f"torch {torch.__version__}, {self.device}"

    def __call__(self, windows: Windows) -> Outputs:
        """B windows -> (B, K) probabilities or (B, R) numbers."""
        given: Any = windows
        inputs = [torch.from_numpy(given[name]).to(self.device) for name in self.facts.inputs]
        with torch.inference_mode():
            said: Outputs = self.deployed(*inputs).cpu().numpy().astype(np.float32, copy=False)
        return said


def load_network(path: Path) -> tuple[ClipNetwork, Facts]:
    """The network of a checkpoint, on the CPU and in evaluation mode, and what there is to know of it.

    Raises:
        UserError: When it is no checkpoint of emorec, or its network takes features instead of pictures.
    """
    said = checkpoint.read(path)
    network = network_class(said).load_from_checkpoint(
        said.path, map_location="cpu", weights_only=True
    )
    return network.eval(), facts_of(said, network)


def network_class(said: checkpoint.Checkpoint) -> type[ClipNetwork]:
    """The class of a checkpoint's network.

    Raises:
        UserError: When it can't be imported or is no network of emorec.
    """
    found = checkpoint.imported(said, said.model["class_path"])
    if not (isinstance(found, type) and issubclass(found, ClipNetwork)):
        raise UserError(f"{said.path} holds {said.model['class_path']}, no network of emorec")
    return found


def facts_of(said: checkpoint.Checkpoint, network: ClipNetwork) -> Facts:
    """What there is to know of a checkpoint's network.

    Raises:
        UserError: When it takes features instead of pictures.
    """
    data = said.data["init_args"]
    if data.get("features") is not None:
        raise UserError(
            f"{said.path} was trained on features of frames: name a network that sees pictures"
        )
    of_frames = said.data["class_path"] == "emorec.data.AffWild2DataModule"
    return Facts(
        network=said.model["class_path"],
        says="classes" if isinstance(network, ClipClassifier) else "numbers",
        names=names_of(said, network),
        inputs=network.inputs,
        num_frames=data["num_frames"],
        image_size=parse_image_size(data["image_size"]),
        resize=data["resize"],
        face=data.get("face") == "crop" or of_frames,
        sound_rate=data.get("sound_rate", 16_000),
        sound_seconds=data.get("sound_seconds", 3.0),
        window_seconds=said.clip_seconds
        or (data["num_frames"] / FRAMES_PER_SECOND if of_frames else CLIP_SECONDS),
        temperature=said.temperatures.get(1),
        checkpoint_sha256=sha256_of(said.path),
        emorec_version=__version__,
        data=said.data["class_path"],
        split=said.split,
        licence=datasheet(said.data["class_path"]).licence,
    )


def names_of(said: checkpoint.Checkpoint, network: ClipNetwork) -> tuple[str, ...]:
    """Of the classes or the numbers that a checkpoint's network says."""
    return said.class_names or (network.target_names if isinstance(network, ClipRegressor) else ())
