"""Size of a network and multiply-adds of its forward pass."""

from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from emorec.models.base import ClipNetwork


def num_parameters(network: nn.Module) -> int:
    """Return the number of all weights, frozen ones included.

    >>> num_parameters(nn.Linear(3, 2))
    8
    """
    return sum(parameter.numel() for parameter in network.parameters())


def gflops_per_clip(network: ClipNetwork) -> float:
    """Return the multiply-adds of the forward pass of one clip, in billions.

    A multiply-add counts once, as in torchvision's tables (ResNet-18: 1.814 at 224 px). The network runs on the meta
    device, on shapes alone, and is left unchanged.

    Source: https://pytorch.org/vision/stable/models.html, column GFLOPS.
    """
    weights = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    shapes = {name: tensor.detach().to("meta") for name, tensor in weights.items()}
    was_training = network.training
    network.eval()
    try:
        with (
            torch.no_grad(),
            torch.compiler.set_stance("force_eager"),
            FlopCounterMode(display=False) as counter,
        ):
            functional_call(network, shapes, network.example_inputs)
    finally:
        network.train(was_training)
    return float(counter.get_total_flops()) / 2 / 1e9


def network_record(network: ClipNetwork) -> dict[str, Any]:
    """Return the size and input of a network as plain values, for the record in its checkpoints.

    Returns:
        `num_parameters`, `num_trained_parameters`, `gflops_per_clip`; `modalities`, of "frames",
        "landmarks" and "sound"; `num_frames` and `image_size` (height and width, pixels).
    """
    trained = [each for each in network.parameters() if each.requires_grad]
    return {
        "num_parameters": num_parameters(network),
        "num_trained_parameters": sum(each.numel() for each in trained),
        "gflops_per_clip": gflops_per_clip(network),
        "modalities": sorted(network.streams),
        "num_frames": network.num_frames,
        "image_size": list(network.image_size),
    }
