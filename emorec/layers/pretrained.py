"""Weights that someone else has trained: torchvision's own, or a file."""

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from emorec.errors import UserError

MAX_LISTED = 3
"""How many keys of a kind a message names before it only counts."""

_skipped: ContextVar[bool] = ContextVar("pretrained_skipped", default=False)


@contextmanager
def pretrained_skipped() -> Iterator[None]:
    """Within it nothing is loaded: the network is about to be filled from a checkpoint of ours."""
    token = _skipped.set(True)
    try:
        yield
    finally:
        _skipped.reset(token)


def load_pretrained(network: nn.Module, weights: str, published: WeightsEnum, head: str) -> None:
    """Fills a network, whose head was taken off, with pretrained weights.

    Args:
        network: Changed in place.
        weights: "DEFAULT" for the published ones, "none" to leave the network as it is, or the path of a state dict or
            of a checkpoint with such a network in it.
        published: What torchvision offers for this network.
        head: Name of the module that was taken off; its keys are not looked at.

    Raises:
        UserError: When they can't be had, are no state dict, or belong to another network.
    """
    if weights == "none" or _skipped.get():
        return
    path = Path(weights).expanduser()
    default = weights == "DEFAULT"
    wanted = network.state_dict()
    state = download(published) if default else read_state_dict(path, wanted, head)
    state = {key: value for key, value in state.items() if not key.startswith(f"{head}.")}
    complaint = _misfit(network.state_dict(), state)
    if complaint:
        source = published.url if weights == "DEFAULT" else path
        raise UserError(f"{source} does not fit the network: {complaint}")
    network.load_state_dict(state, strict=False)


def load_file(network: nn.Module, weights: str) -> None:
    """Fills a network that nobody has published weights of.

    Args:
        network: Changed in place.
        weights: "none" to leave it as it is, or the path of a state dict or of a checkpoint with such a network in it.

    Raises:
        UserError: When they can't be had, are no state dict, or belong to another network.
    """
    if weights == "none" or _skipped.get():
        return
    path = Path(weights).expanduser()
    state = read_state_dict(path, network.state_dict())
    if complaint := _misfit(network.state_dict(), state):
        raise UserError(f"{path} does not fit the network: {complaint}")
    network.load_state_dict(state)


def refuse_missing(weights: str) -> None:
    """Stops where weights are a file that is not there.

    Raises:
        UserError: When they are.
    """
    if weights not in ("DEFAULT", "none") and not Path(weights).expanduser().exists():
        raise UserError(
            f"no weights at {weights}: choose DEFAULT, none or the path of a state dict"
        )


def download(published: WeightsEnum) -> Mapping[str, Tensor]:
    """Torchvision's weights, from its cache or the network; a download's hash is checked.

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
    return _checked(state, cached)


def read_state_dict(
    path: Path, wanted: Mapping[str, Tensor] | None = None, head: str = ""
) -> Mapping[str, Tensor]:
    """Names and tensors in a file, on the CPU; nothing in it is run.

    Args:
        path: A state dict, or a checkpoint of a network that has the wanted one within it.
        wanted: What is to be filled; without it no checkpoint will do.
        head: Name of a module that the network may have there and is not wanted.

    Raises:
        UserError: When the file is missing, unreadable or anything but a state dict.
    """
    refuse_missing(str(path))
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if wanted and isinstance(content, Mapping) and "state_dict" in content:
            return part_of(_checked(content["state_dict"], path), wanted, path, head)
        return _checked(content, path)
    except OSError as error:
        raise UserError(f"can't read weights {path}: {error.strerror}") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError):
        raise UserError(
            f"{path} is no state dict: it is cut off, something else, or holds Python objects, which are not loaded"
        ) from None


def _checked(state: Any, path: Path) -> Mapping[str, Tensor]:
    if isinstance(state, Mapping) and state:
        if all(isinstance(value, Tensor) for value in state.values()):
            return state
        if "state_dict" in state:
            raise UserError(
                f"{path} is a checkpoint, not a state dict: save its 'state_dict' part alone"
            )
    raise UserError(f"{path} is no state dict: it does not hold names and tensors alone")


def part_of(
    whole: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path, head: str = ""
) -> Mapping[str, Tensor]:
    """The weights of a network within a larger one, under its own names.

    Args:
        whole: The larger network's.
        wanted: The network's own, by its own names.
        path: Where they are from, for complaints.
        head: Name of a module that the network may have there and is not wanted.

    Raises:
        UserError: When no part of the larger network is such a network, or several are.

    >>> tensor = torch.zeros(1)
    >>> list(part_of({"a.net.weight": tensor, "head.bias": tensor}, {"weight": tensor}, Path("x.ckpt")))
    ['weight']
    """
    *_, last = wanted  # the first is found in more places: heads begin alike
    places = [name.removesuffix(last) for name in whole if name.endswith(last)]
    parts = [
        {
            name.removeprefix(at): value
            for name, value in whole.items()
            if name.startswith(at) and not (head and name.startswith(f"{at}{head}."))
        }
        for at in places
        if not at or at.endswith(".")
    ]
    fitting = [part for part in parts if not _misfit(wanted, part)]
    if len(fitting) != 1:
        found = f"{len(fitting)} such networks" if fitting else "no such network"
        raise UserError(
            f"{path} is a checkpoint of a network with {found} in it: take one with the same backbone"
        )
    return fitting[0]


def _misfit(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """What keeps the given from filling the wanted; empty when nothing does."""
    # Files from before torch 0.4.1, as torchvision's ResNets are, lack BatchNorm's count of batches.
    missing = [
        key for key in wanted if key not in given and not key.endswith("num_batches_tracked")
    ]
    unexpected = [key for key in given if key not in wanted]
    misshaped = [
        f"{key} {tuple(given[key].shape)} for {tuple(wanted[key].shape)}"
        for key in wanted
        if key in given and given[key].shape != wanted[key].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": misshaped}
    return "; ".join(
        f"{len(keys)} {kind} ({_listed(keys)})" for kind, keys in kinds.items() if keys
    )


def _listed(keys: list[str]) -> str:
    return ", ".join(keys[:MAX_LISTED] + ["..."] * (len(keys) > MAX_LISTED))
