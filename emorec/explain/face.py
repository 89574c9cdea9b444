"""Attribution of a score to the blendshapes and landmarks of each frame."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from emorec.errors import UserError
from emorec.explain.saliency import captum_is_installed
from emorec.explain.score import Score
from emorec.models import ClipNetwork, Fusion, LandmarkRNN

Attribution = npt.NDArray[np.float32]

NUM_STEPS = 64
"""Of the integral; with more the result does not change visibly."""


def landmark_network(network: ClipNetwork) -> LandmarkRNN | None:
    """Return the network of landmarks: itself, or the first of a fusion; `None` without one."""
    networks = network.networks if isinstance(network, Fusion) else [network]
    return next((each for each in networks if isinstance(each, LandmarkRNN)), None)


def face_attribution(score: Score, face: LandmarkRNN, inputs: Mapping[str, Tensor]) -> Attribution:
    """Return (S + 1, T): by how much each of S blendshapes, and last the landmarks, raise the score in each frame.

    Their sum is the score of the clip less that of a clip whose features are the mean of the training clips.

    Args:
        score: What is explained.
        face: The network of landmarks: `score.network` itself, or one of the networks that it fuses.
        inputs: One clip.

    Raises:
        UserError: When captum is not installed.

    Source: Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, equation 1 (integrated gradients).
    """
    if not captum_is_installed():
        raise UserError(
            "landmarks are explained by captum, which is not installed: pip install 'emorec[explain]'"
        )
    from captum.attr import IntegratedGradients

    with torch.no_grad():
        features = face.features(*(inputs[name] for name in face.inputs))  # (1, T, D)
    gradients = IntegratedGradients(_score_of_features(score, face, inputs))
    # cuDNN has no gradients of recurrent networks in evaluation mode
    with torch.backends.cudnn.flags(enabled=False):
        by_feature: Tensor = gradients.attribute(features, n_steps=NUM_STEPS)[0]  # (T, D)
    geometry = face.geometry
    sizes = [len(geometry.components), geometry.num_blendshapes, len(geometry.components)]
    shape, blendshapes, motion = torch.split(by_feature.detach().float(), sizes, dim=1)
    landmarks = torch.cat([shape, motion], dim=1).sum(dim=1, keepdim=True)  # (T, 1)
    together = torch.cat([blendshapes, landmarks], dim=1).T  # (S + 1, T)
    attribution: Attribution = together.cpu().numpy()
    return attribution


def _score_of_features(
    score: Score, face: LandmarkRNN, inputs: Mapping[str, Tensor]
) -> Callable[[Tensor], Tensor]:
    """Return the score (B,) as a function of the features (B, T, D) of the face, all else as in the clip."""
    network = score.network
    if not isinstance(network, Fusion):
        return lambda features: score.of_logits(face.classify(features))
    with torch.no_grad():
        outputs = [each(*(inputs[name] for name in each.inputs)) for each in network.networks]
        present = network.present(inputs)

    def fused(features: Tensor) -> Tensor:
        count = len(features)
        branches = [
            face.classify(features) if each is face else output.expand(count, -1)
            for each, output in zip(network.networks, outputs, strict=True)
        ]
        return score.of_logits(network.fuse(branches, present.expand(count, -1)))

    return fused
