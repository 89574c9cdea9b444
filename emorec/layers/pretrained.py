"""Pretrained weights, torchvision's or those of a state dict or checkpoint file, and the pixels that they expect."""

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum
from typing_extensions import override

from emorec.errors import UserError
from emorec.text import first_few


class PixelStatistics(NamedTuple):
    """Mean and standard deviation of red, green and blue, on a scale of 0 to 1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = PixelStatistics(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""Source: torchvision, `ResNet18_Weights.DEFAULT.transforms()`."""

KINETICS = PixelStatistics(mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989))
"""Source: torchvision, `R3D_18_Weights.DEFAULT.transforms()`."""


class Normalize(nn.Module):
    """Normalise RGB values of 0 to 255 by channel.

    Part of the network, so that uint8 is copied to the device: a quarter of the transfer.

    Args:
        statistics: Those of the images that the weights were trained on.

    >>> Normalize(IMAGENET)(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)).flatten()
    tensor([2.2489, 2.4286, 2.6400])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: PixelStatistics) -> None:
        super().__init__()
        mean, std = (255 * torch.tensor(values).view(3, 1, 1) for values in statistics)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    @override
    def forward(self, pixels: Tensor) -> Tensor:
        """(..., 3, H, W) uint8 or float of 0 to 255 -> the same shape and strides, float."""
        return (pixels - self.mean) / self.std


_skipped: ContextVar[bool] = ContextVar("pretrained_skipped", default=False)


@contextmanager
def skip_pretrained() -> Iterator[None]:
    """Don't load pretrained weights inside this context: a checkpoint is about to replace them."""
    token = _skipped.set(True)
    try:
        yield
    finally:
        _skipped.reset(token)


def load_pretrained(
    network: nn.Module, weights: str, published: WeightsEnum | None = None, head: str = ""
) -> None:
    """Load pretrained weights into a network whose head was removed.

    Args:
        network: Changed in place.
        weights: "DEFAULT" for the published ones, "none" to leave the network as it is, or the path of a state dict or
            of a checkpoint that contains such a network.
        published: Torchvision's weights of this network, for "DEFAULT".
        head: Name of the module that was removed; its keys are ignored.

    Raises:
        UserError: When they can't be read or downloaded, are not a state dict, or belong to another network.
    """
    if weights == "none" or _skipped.get():
        return
    own = network.state_dict()
    if weights == "DEFAULT" and published is not None:
        source, state = published.url, download(published)
    else:
        source, state = weights, read_state_dict(Path(weights).expanduser(), own, head)
    state = {
        key: value for key, value in state.items() if not (head and key.startswith(f"{head}."))
    }
    if difference := _difference(own, state):
        raise UserError(f"{source} does not fit the network: {difference}")
    network.load_state_dict(state, strict=False)


def check_weights_exist(weights: str) -> None:
    """Refuse a weights file that does not exist.

    Raises:
        UserError: When there is no such file.
    """
    if weights not in ("DEFAULT", "none") and not Path(weights).expanduser().exists():
        raise UserError(
            f"no weights at {weights}: choose DEFAULT, none or the path of a state dict"
        )


def download(published: WeightsEnum) -> Mapping[str, Tensor]:
    """Return torchvision's weights from its cache or the network; the hash of a download is checked.

    Raises:
        UserError: When there is no connection, the server refuses, or the hash is wrong.
    """
    url, folder = published.url, Path(torch.hub.get_dir(), "checkpoints")
    cached = folder / url.rpartition("/")[2]
    if cached.exists():
        return read_state_dict(cached)
    try:
        state = published.get_state_dict(check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, HTTPException, RuntimeError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise UserError(
            f"can't get {url} ({reason}): put that file into {folder}, or choose --model.weights none"
        ) from error
    return _check_state_dict(state, cached)


def read_state_dict(
    path: Path, own: Mapping[str, Tensor] | None = None, head: str = ""
) -> Mapping[str, Tensor]:
    """Read names and tensors from a file, on the CPU, with `weights_only=True`.

    Args:
        path: A state dict, or a checkpoint of a larger network that contains the wanted one.
        own: State dict of the network to load; without it checkpoints are refused.
        head: Name of a module that the contained network may have in addition.

    Raises:
        UserError: When the file is missing, unreadable or not a state dict.
    """
    check_weights_exist(str(path))
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if own and isinstance(content, Mapping) and "state_dict" in content:
            return subnetwork(_check_state_dict(content["state_dict"], path), own, path, head)
        return _check_state_dict(content, path)
    except OSError as error:
        raise UserError(f"can't read weights {path}: {error.strerror}") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError):
        raise UserError(
            f"{path} is not a state dict: it is truncated, another format, or holds Python objects, which are refused"
        ) from None


def _check_state_dict(state: Any, path: Path) -> Mapping[str, Tensor]:
    if isinstance(state, Mapping) and state:
        if all(isinstance(value, Tensor) for value in state.values()):
            return state
        if "state_dict" in state:
            raise UserError(
                f"{path} is a checkpoint, not a state dict: save only its 'state_dict' entry"
            )
    raise UserError(f"{path} is not a state dict: it holds more than names and tensors")


def subnetwork(
    whole: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path, head: str = ""
) -> Mapping[str, Tensor]:
    """Return the weights of a network that is part of a larger one, under its own names.

    Args:
        whole: State dict of the larger network.
        own: State dict of the network to load.
        path: The file they are from, for error messages.
        head: Name of a module that the contained network may have in addition.

    Raises:
        UserError: When the larger network contains no such network, or several.

    >>> tensor = torch.zeros(1)
    >>> list(subnetwork({"a.net.weight": tensor, "head.bias": tensor}, {"weight": tensor}, Path("x.ckpt")))
    ['weight']
    """
    *_, last = own  # the first key is found at more prefixes: heads start with the same names
    prefixes = [name.removesuffix(last) for name in whole if name.endswith(last)]
    parts = [
        {
            name.removeprefix(prefix): value
            for name, value in whole.items()
            if name.startswith(prefix) and not (head and name.startswith(f"{prefix}{head}."))
        }
        for prefix in prefixes
        if not prefix or prefix.endswith(".")
    ]
    fitting = [part for part in parts if not _difference(own, part)]
    if len(fitting) != 1:
        found = f"{len(fitting)} such networks" if fitting else "no such network"
        raise UserError(
            f"{path} is a checkpoint of a network that contains {found}: choose one with the same backbone"
        )
    return fitting[0]


def _difference(own: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> str:
    """Describe why a state dict can't be loaded; empty when it can."""
    # Files from before torch 0.4.1, as torchvision's ResNets are, lack BatchNorm's count of batches.
    missing = [key for key in own if key not in other and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in other if key not in own]
    misshaped = [
        f"{key} {tuple(other[key].shape)} for {tuple(own[key].shape)}"
        for key in own
        if key in other and other[key].shape != own[key].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": misshaped}
    return "; ".join(
        f"{len(keys)} {kind} ({first_few(keys, limit=3)})" for kind, keys in kinds.items() if keys
    )
