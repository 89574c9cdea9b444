"""Explanations of networks of landmarks."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from emorec.data.landmarks import BLENDSHAPES, NUM_LANDMARKS
from emorec.explain.explainer import explain
from emorec.explain.face import face_attribution, landmark_network
from emorec.explain.figure import explanation_figure
from emorec.explain.score import Score
from emorec.models import AudioEmbedding, ClipNetwork, Fusion, LandmarkRNN
from tests.inference.networks import deployed

NUM_FRAMES = 3


def inputs_of(network: ClipNetwork) -> dict[str, Tensor]:
    """Return the inputs of a clip for a network of three frames and 1.5 seconds."""
    generator = torch.Generator().manual_seed(0)
    windows = AudioEmbedding(sound_seconds=1.5).spec.shape
    values: dict[str, Any] = {
        "landmarks": torch.rand(1, NUM_FRAMES, NUM_LANDMARKS, 3, generator=generator) * 100,
        "blendshapes": torch.rand(1, NUM_FRAMES, len(BLENDSHAPES), generator=generator),
        "face_present": torch.ones(1, NUM_FRAMES, dtype=torch.bool),
        "embedding": torch.rand(1, *windows, generator=generator),
        "heard": torch.tensor([True]),
    }
    return {name: values[name] for name in network.inputs}


@pytest.mark.parametrize("name", ["LandmarkRNN", "Fusion"])
def test_attributions_sum_to_the_difference_from_an_average_face(name: str) -> None:
    module, _ = deployed(name)
    network, inputs = module.network, inputs_of(module.network)
    face = landmark_network(network)
    assert face is not None
    attribution = face_attribution(Score(network, 1), face, inputs)
    assert attribution.shape == (len(BLENDSHAPES) + 1, NUM_FRAMES)
    # an average face: features of the mean of the training clips
    average = {
        **inputs,
        "landmarks": inputs["landmarks"] * 0,
        "blendshapes": inputs["blendshapes"] * 0,
    }
    features = face.features(average["landmarks"], average["blendshapes"])
    assert not features.any()  # the geometry is not fitted, so that its mean is 0
    difference = Score(network, 1).of(inputs) - Score(network, 1).of(average)
    assert attribution.sum() == pytest.approx(difference, rel=0.02, abs=0.01)


def test_a_blendshape_without_weight_has_no_attribution() -> None:
    module, _ = deployed("LandmarkRNN")
    network, inputs = module.network, inputs_of(module.network)
    assert isinstance(network, LandmarkRNN)
    jaw = BLENDSHAPES.index("jawOpen")
    column = len(network.geometry.components) + jaw
    network.geometry.std[column] = torch.inf
    attribution = face_attribution(Score(network, 0), network, inputs)
    assert not attribution[jaw].any()
    assert np.abs(attribution).sum(axis=1).astype(bool).sum() == len(BLENDSHAPES)


def test_a_fusion_of_face_and_sound_is_explained_with_a_figure() -> None:
    module, spec = deployed("Fusion")
    assert isinstance(module.network, Fusion)
    inputs = inputs_of(module.network)
    explanation = explain(module.network, spec, inputs)
    assert explanation.face is not None
    score = Score(module.network, list(spec.names).index(explanation.prediction.name))
    silent = {**inputs, "heard": torch.tensor([False])}
    assert explanation.embedding_importance == score.of(inputs) - score.of(silent) != 0
    assert explanation.frames is explanation.sound is None
    figure = explanation_figure(explanation, clip="a.mp4", truth=None)
    assert "without the sound: " in " ".join(text.get_text() for text in figure.texts)
    labels = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    assert labels[0] == "landmarks"
    assert len(labels) == 13
    assert set(labels[1:]) < set(BLENDSHAPES)
