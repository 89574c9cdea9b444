"""CNNRNN generalises CNNLSTM; each option equals its formula."""

from typing import Any

import pytest
import torch
from torch import Tensor

from emorec.errors import UserError
from emorec.layers.temporal import temporal_states
from emorec.models import CNNLSTM, CNNRNN

SMALL: dict[str, Any] = {"weights": "none", "num_classes": 5, "num_frames": 3, "image_size": 32}


@pytest.fixture
def features() -> Tensor:
    return torch.randn(2, 3, 512, generator=torch.Generator().manual_seed(0))


def network(**arguments: Any) -> CNNRNN:
    torch.manual_seed(0)
    return CNNRNN(**SMALL, **arguments).eval()


@pytest.mark.parametrize("shape", [{}, {"bidirectional": True, "num_layers": 2}])
def test_defaults_equal_cnn_lstm_with_the_same_weights(
    shape: dict[str, Any], features: Tensor
) -> None:
    reference, model = CNNLSTM(**SMALL, **shape).eval(), network(**shape)
    weights = {key.replace("lstm.", "over_time."): it for key, it in reference.state_dict().items()}
    model.load_state_dict(weights)
    with torch.no_grad():
        assert torch.equal(model.classify(features), reference.classify(features))


def test_the_last_state_of_the_gru_equals_its_formula(features: Tensor) -> None:
    model = network(rnn="gru", hidden_size=4)
    gru: Any = model.over_time
    state = torch.zeros(2, 4)
    for frame in features.unbind(dim=1):
        from_frame = frame @ gru.weight_ih_l0.T + gru.bias_ih_l0
        from_state = state @ gru.weight_hh_l0.T + gru.bias_hh_l0
        (r, z, n), (hr, hz, hn) = from_frame.chunk(3, dim=1), from_state.chunk(3, dim=1)
        update = torch.sigmoid(z + hz)
        new = torch.tanh(n + torch.sigmoid(r + hr) * hn)
        state = (1 - update) * new + update * state
    torch.testing.assert_close(model.classify(features), model.classifier(state))


def test_mean_pooling_without_rnn_equals_late_fusion(features: Tensor) -> None:
    model = network(rnn="none", pool="mean")
    expected = model.classifier(features.mean(dim=1))
    torch.testing.assert_close(model.classify(features), expected)


@pytest.mark.parametrize("rnn", ["lstm", "gru", "transformer"])
def test_mean_pooling_averages_all_states(rnn: Any, features: Tensor) -> None:
    model = network(rnn=rnn, pool="mean")
    states = temporal_states(model.over_time, features)
    assert states.shape == (2, 3, 256)
    torch.testing.assert_close(model.classify(features), model.classifier(states.mean(dim=1)))


def test_feature_dropout_is_active_only_in_training(features: Tensor) -> None:
    model = network(feature_dropout=0.5)
    assert torch.equal(model.classify(features), model.classify(features))
    inputs = []
    model.train().over_time.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    model.classify(features)
    dropped = (inputs[0] == 0).float().mean()
    assert 0.4 < dropped < 0.6
    torch.testing.assert_close(inputs[0][inputs[0] != 0], 2 * features[inputs[0] != 0])


def test_a_vit_can_be_the_backbone() -> None:
    """At its image size of 224 pixels."""
    model = CNNRNN(
        backbone="vit_b_16",
        weights="none",
        rnn="transformer",
        pool="attention",
        num_frames=2,
        num_classes=3,
    ).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 2, 3, 224, 224, dtype=torch.uint8)).shape == (1, 3)
    with pytest.raises(
        UserError, match="vit_b_16 only takes images of 224 x 224 pixels, not 112 x 112"
    ):
        CNNRNN(backbone="vit_b_16", weights="none", image_size=112)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rnn": "none"}, "last classifies the last frame only: choose mean or attention"),
        ({"rnn": "transformer", "bidirectional": True}, "rnn transformer has no direction"),
        ({"hidden_size": 0}, "hidden_size 0 and model.num_layers 1 have to be at least 1"),
    ],
)
def test_contradictory_settings_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        network(**settings)
