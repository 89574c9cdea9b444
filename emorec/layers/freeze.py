"""Which part of a backbone stays as it was pretrained."""

from typing import Literal

from torch import nn

Freeze = Literal["none", "all", "stages"]
"""Train the whole backbone, nothing of it, or its last quarter of stages."""

_CONTAINERS = ("features", "layers", "encoder.layers", "trunk_output")
"""Where torchvision's networks keep their stages; ResNets have them at the top."""


def freeze_front(network: nn.Module, freeze: Freeze) -> list[nn.Module]:
    """Takes the gradient from the front of a network and returns the modules that are frozen whole.

    With "stages" the last quarter of the stages goes on learning (at least one, and what follows it): `layer4` of a
    ResNet, `features[15:]` of a MobileNetV2, the last three blocks of a ViT-B.

    >>> network = nn.Sequential(*(nn.Linear(1, 1) for _ in range(4)))
    >>> [freeze_front(network, "stages").index(layer) for layer in network[:3]]
    [0, 1, 2]
    >>> [parameter.requires_grad for parameter in network[3].parameters()]
    [True, True]
    """
    parameters = list(network.parameters())
    frozen = {"none": 0, "all": len(parameters)}.get(freeze)
    if frozen is None:
        first_trained = next(_first_trained_stage(network).parameters())
        frozen = next(i for i, parameter in enumerate(parameters) if parameter is first_trained)
    for parameter in parameters[:frozen]:
        parameter.requires_grad_(False)
    return [module for module in network.modules() if _is_frozen(module)]


def _first_trained_stage(network: nn.Module) -> nn.Module:
    modules = dict(network.named_modules())
    container = next((modules[name] for name in _CONTAINERS if name in modules), network)
    stages = [child for child in container.children() if any(True for _ in child.parameters())]
    return stages[-max(1, len(stages) // 4)]


def _is_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
