"""Explanations of every network of the package, frozen or not."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from emorec.explain.explainer import explain
from emorec.explain.figure import explanation_figure
from emorec.image_size import Size
from emorec.models import (
    CNN3D,
    CNNLSTM,
    CNNRNN,
    AudioCNN,
    AudioCNNRNN,
    AudioVisual,
    ClipNetwork,
    EarlyFusionCNN,
    EarlyFusionResNet,
    LateFusion,
)
from tests.explain.networks import spec_for

SEES: dict[str, Any] = {"num_classes": 3, "num_frames": 2, "image_size": (128, 160)}
SMALL: dict[str, Any] = {**SEES, "image_size": (32, 48)}
FROZEN: dict[str, Any] = {**SEES, "backbone": "mobilenet_v2", "weights": "none", "freeze": "all"}
NETWORKS: dict[str, tuple[type[ClipNetwork], dict[str, Any], str | None]] = {
    "early fusion": (EarlyFusionCNN, SMALL, "occlusion"),
    "early fusion, ResNet": (
        EarlyFusionResNet,
        {**SMALL, "weights": "none", "freeze": "all"},
        "occlusion",
    ),
    "late fusion": (LateFusion, FROZEN, "grad_cam"),
    "late fusion, small": (LateFusion, {**FROZEN, "image_size": (32, 48)}, "occlusion"),
    "3D": (CNN3D, {**SEES, "image_size": (64, 96), "weights": "none", "freeze": "all"}, "grad_cam"),
    "LSTM": (CNNLSTM, FROZEN, "grad_cam"),
    "GRU": (CNNRNN, {**FROZEN, "rnn": "gru", "pool": "attention"}, "grad_cam"),
    "transformer": (CNNRNN, {**FROZEN, "rnn": "transformer", "hidden_size": 16}, "grad_cam"),
    "audio": (AudioCNN, {"num_classes": 3}, None),
    "audio, recurrent": (AudioCNNRNN, {"num_classes": 3}, None),
    "both": (
        AudioVisual,
        {
            **SMALL,
            "video_args": {"backbone": "mobilenet_v2", "weights": "none", "freeze": "all"},
        },
        "occlusion",
    ),
}


BY_NIGHT = frozenset(
    ("early fusion, ResNet", "late fusion, small", "GRU", "transformer", "audio, recurrent")
)
"""Networks of whose kind another one is explained by day."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.nightly] if name in BY_NIGHT else [])
        for name in NETWORKS
    ],
)
def test_every_network_is_explained_and_left_unchanged(name: str) -> None:
    torch.manual_seed(0)
    kind, arguments, method = NETWORKS[name]
    network = kind(**arguments).eval()
    inputs = {
        "frames": torch.randint(0, 256, (1, 2, 3, *network.image_size), dtype=torch.uint8),
        "sound": torch.randn(1, 48_000) / 10,
        "heard": torch.tensor([True]),
    }
    inputs = {each: inputs[each] for each in network.inputs}
    before = {key: value.clone() for key, value in network.state_dict().items()}
    learns = [parameter.requires_grad for parameter in network.parameters()]
    with torch.no_grad():
        probabilities = network(*inputs.values())[0].softmax(dim=0)

    spec = spec_for(network, names=("a", "b", "c"), sound_seconds=3.0)
    explanation = explain(network, spec, inputs)

    assert explanation.prediction.name == "abc"[int(probabilities.argmax())]
    assert explanation.prediction.value == pytest.approx(probabilities.max().item(), rel=1e-5)
    assert (explanation.frames is None) == ("frames" not in network.inputs)
    assert (explanation.sound is None) == ("sound" not in network.inputs)
    if explanation.frames is not None:
        assert explanation.frames.method == method
        assert explanation.frames.saliency.shape == (2, *network.image_size)
        assert explanation.frames.importance is not None
        assert explanation.frames.importance.shape == (2,)
        assert np.isfinite(explanation.frames.importance).all()
        assert explanation.frames.saliency.min() >= 0
    if explanation.sound is not None:
        assert explanation.sound.saliency.shape == (200, 300)
        assert explanation.sound.importance.shape == (15,)
        assert explanation.sound.importance.any()
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert [parameter.requires_grad for parameter in network.parameters()] == learns
    assert all(parameter.grad is None for parameter in network.parameters())
    with torch.no_grad():
        assert torch.equal(network(*inputs.values())[0].softmax(dim=0), probabilities)


@pytest.mark.parametrize(("num_frames", "size"), [(1, (24, 40)), (2, (24, 40)), (12, (40, 24))])
def test_frames_keep_their_aspect_ratio(num_frames: int, size: Size) -> None:
    network = EarlyFusionCNN(num_classes=3, num_frames=num_frames, image_size=size).eval()
    inputs = {"frames": torch.randint(0, 256, (1, num_frames, 3, *size), dtype=torch.uint8)}
    explanation = explain(network, spec_for(network, names=("a", "b", "c")), inputs)
    figure = explanation_figure(explanation, clip="a.mp4", truth=None)
    boxes = [axes.get_window_extent() for axes in figure.axes if axes.images]
    assert len(boxes) == 2 * num_frames  # each frame without and with its saliency
    for box in boxes:
        assert box.height / box.width == pytest.approx(size[0] / size[1], rel=1e-6)
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
        assert 0 <= box.y0 < box.y1 <= figure.bbox.height
    assert not any(first.overlaps(second) for first, second in combinations(boxes, 2))


def test_a_clip_without_sound_has_no_sound_map() -> None:
    kind, arguments, _ = NETWORKS["both"]
    network = kind(**arguments).eval()
    inputs = {
        "frames": torch.zeros(1, 2, 3, *network.image_size, dtype=torch.uint8),
        "sound": torch.zeros(1, 48_000),
        "heard": torch.tensor([False]),
    }
    assert explain(network, spec_for(network, names=("a", "b", "c")), inputs).sound is None
