"""What a checkpoint's network is, in the words of its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from emorec.checkpoint import Checkpoint
from emorec.files import sha256_of
from emorec.image_size import format_frames
from emorec.inference.torch_runtime import names_of, network_class
from emorec.models import ClipClassifier, ClipNetwork
from emorec.models.cost import gflops_per_clip, num_parameters

PLACES = ("root", "cache", "weights", "features", "face_detector")
"""Arguments that may hold paths of somebody's machine; a card has their last part only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """What there is to say of a network before anybody measures it.

    Attributes:
        says_classes: Whether it names one of K classes; else it predicts R numbers.
        names: Of the classes, or of the numbers.
        takes: What it is given of a clip, a sentence a sense.
        parameters: All of its weights.
        trained_parameters: Those that training changed.
        gflops_per_clip: 1e9 multiply-adds for one clip.
        file_bytes: Of the checkpoint.
        sha256: Of the checkpoint.
        hears: Whether it takes sound.
        sees: Whether it takes pictures.
    """

    says_classes: bool
    names: tuple[str, ...]
    takes: tuple[str, ...]
    parameters: int
    trained_parameters: int
    gflops_per_clip: float
    file_bytes: int
    sha256: str
    hears: bool
    sees: bool

    @classmethod
    def of(cls, said: Checkpoint) -> Self:
        """Those of a checkpoint, whose network is built to be counted.

        Raises:
            UserError: When its class can't be imported.
        """
        network = network_class(said).load_from_checkpoint(
            said.path, map_location="cpu", weights_only=True
        )
        return cls(
            says_classes=isinstance(network, ClipClassifier),
            names=names_of(said, network),
            takes=tuple(takes(said.data, network)),
            parameters=num_parameters(network),
            trained_parameters=sum(
                weights.numel() for weights in network.parameters() if weights.requires_grad
            ),
            gflops_per_clip=gflops_per_clip(network),
            file_bytes=said.path.stat().st_size,
            sha256=sha256_of(said.path),
            hears="sound" in network.inputs,
            sees="frames" in network.inputs,
        )


def takes(section: Mapping[str, Any], network: ClipNetwork) -> list[str]:
    """What a network is given of a clip, a sentence a sense.

    Args:
        section: The data module's `class_path` and `init_args`.
        network: The network.
    """
    data, given = section["init_args"], []
    if data.get("features") is not None:
        given.append(f"features of {network.num_frames} frames, computed by another network")
    elif "frames" in network.inputs:
        part = {
            "shorter_side": "the central part of the picture",
            "squash": "all of the picture, squashed into them",
        }
        what = part.get(data.get("resize", ""), "the picture")
        if data.get("face") == "crop":
            what = "the face and what is around it"
        elif section["class_path"] == "emorec.data.AffWild2DataModule":
            what = "the face, as the data set cuts it out"
        frames = format_frames(network.num_frames, network.image_size)
        spread = "" if network.num_frames == 1 else ", evenly spaced over the clip"
        given.append(f"{frames}{spread}: {what}")
    if "sound" in network.inputs:
        given.append(
            f"the middle {data.get('sound_seconds', 3.0):g} seconds of sound, "
            f"{data.get('sound_rate', 16_000):,} samples a second"
        )
    return given


def settings_of(said: Checkpoint) -> str:
    """The arguments of network and data as YAML, paths without their folders."""
    plain = {
        "seed_everything": said.settings.get("seed_everything"),
        "model": _placeless(said.model),
        "data": _placeless(said.data),
    }
    return yaml.safe_dump(plain, sort_keys=True, allow_unicode=True).rstrip()


def _placeless(section: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {
        name: value.replace("\\", "/").rstrip("/").rpartition("/")[2]
        if name in PLACES and isinstance(value, str)
        else _plain(value)
        for name, value in section["init_args"].items()
    }
    return {"class_path": section["class_path"], "init_args": arguments}


def _plain(value: Any) -> Any:
    """Tuples as lists, anything else that YAML does not know as text."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, Path):
        return value.name
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
