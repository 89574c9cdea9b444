"""What a frozen image network makes of each frame."""

import hashlib

import numpy as np
import torch

from emorec.baseline.pooling import Floats
from emorec.data.decoding.decode import Frames
from emorec.errors import UserError
from emorec.image_size import Size
from emorec.models import LateFusion
from emorec.models.cost import gflops_per_clip, num_parameters


class BackboneFeatures:
    """The D features that a frozen torchvision network gives of a frame, its head taken off.

    Args:
        backbone: An image network by its torchvision name.
        weights: "DEFAULT" for ImageNet's, "none" for random ones, or the path of a state dict.
        num_frames: T.
        image_size: Of the frames.
        seed: Decides the weights where they are random.

    Attributes:
        name: The network's.
        version: What its features depend on.
        num_parameters: Of the network without its head.
        gflops_per_clip: Billions of multiply-adds for T frames.

    Raises:
        UserError: When there is no such network, or its weights can't be loaded.
    """

    def __init__(
        self, backbone: str, *, weights: str, num_frames: int, image_size: Size, seed: int
    ) -> None:
        self.name = backbone
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                network = LateFusion(
                    backbone=backbone,
                    weights=weights,
                    freeze="all",
                    num_frames=num_frames,
                    image_size=image_size,
                )
            except UserError as error:
                raise UserError(_in_our_words(str(error), backbone)) from error
        self.gflops_per_clip = gflops_per_clip(network)
        self.num_parameters = num_parameters(network.backbone)
        kind = "cuda" if torch.cuda.is_available() else "cpu"
        self.version = f"{backbone} {_digest(network.backbone)} torch {torch.__version__} {kind}"
        self._device = torch.device(kind)
        self._network = network.to(self._device).eval()

    @torch.inference_mode()
    def __call__(self, frames: Frames) -> Floats:
        """(T, H, W, C) uint8, RGB -> (T, D)."""
        pixels = torch.from_numpy(frames).to(self._device).permute(0, 3, 1, 2)  # (T, C, H, W)
        pictures = self._network.normalized(pixels.unsqueeze(0)).squeeze(0)  # (T, C, H, W)
        features = self._network.backbone(pictures)  # (T, D)
        return np.asarray(features.float().cpu().numpy(), np.float32)


def _digest(network: torch.nn.Module) -> str:
    """Sixteen hexadecimal digits of all weights and running statistics."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _in_our_words(complaint: str, backbone: str) -> str:
    """What is said of a network's weights, with the names that the options have here.

    >>> _in_our_words("w.pth does not fit the network: 3 missing (a)", "resnet18")
    'w.pth does not fit the network: 3 missing (a); --backbone, now resnet18, says whose weights they are'
    """
    if "does not fit the network" in complaint:
        return f"{complaint}; --backbone, now {backbone}, says whose weights they are"
    return complaint.replace("--model.weights", "--weights")
