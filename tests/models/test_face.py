"""Face networks: single frames and sequences, classes and numbers."""

from typing import Any

import pytest
import torch

from emorec.models import FaceClassifier, FaceRegressor
from tests.models.conftest import random_frames


@pytest.mark.parametrize("kind", [FaceClassifier, FaceRegressor])
def test_without_recurrent_layers_only_the_last_frame_is_used(kind: Any) -> None:
    network = kind(num_frames=3, image_size=96).eval()
    frames = random_frames(2, 3, 96)
    changed = frames.clone()
    changed[:, :2] = 0
    with torch.no_grad():
        assert torch.equal(network(frames), network(changed))
        assert network(frames).shape == (2, 8 if kind is FaceClassifier else 2)


@pytest.mark.parametrize("kind", [FaceClassifier, FaceRegressor])
def test_cnn_and_rnn_are_trained_together(kind: Any) -> None:
    network = kind(num_frames=2, image_size=96, rnn="gru", hidden_sizes=(6,))
    network(random_frames(2, 2, 96)).square().sum().backward()
    grads = [weights.grad for weights in network.parameters()]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)
