"""Properties of every network."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.nn.functional import cross_entropy

from emorec.checkpoint import class_path
from emorec.errors import UserError
from emorec.models import (
    CNN3D,
    CNNLSTM,
    CNNRNN,
    ClipClassifier,
    EarlyFusionCNN,
    EarlyFusionResNet,
    LateFusion,
)
from emorec.models.flops import num_parameters

MakeFrames = Callable[..., Tensor]

NETWORKS: dict[str, Callable[..., ClipClassifier]] = {
    "EarlyFusionCNN": EarlyFusionCNN,
    "EarlyFusionCNN-grid": lambda **arguments: EarlyFusionCNN(
        num_strided=4, grid=2, inflate="mean", relative_to_onset=True, **arguments
    ),
    "EarlyFusionResNet": lambda **arguments: EarlyFusionResNet(weights="none", **arguments),
    "EarlyFusionResNet-random": lambda **arguments: EarlyFusionResNet(
        weights="none", inflate="random", **arguments
    ),
    "LateFusion-mean": lambda **arguments: LateFusion(weights="none", **arguments),
    "LateFusion-concat": lambda **arguments: LateFusion(
        weights="none", fusion="concat", **arguments
    ),
    "LateFusion-max": lambda **arguments: LateFusion(
        weights="none", fusion="max", backbone="mobilenet_v2", **arguments
    ),
    "CNN3D": lambda **arguments: CNN3D(weights="none", **arguments),
    "CNN3D-mc3": lambda **arguments: CNN3D(weights="none", backbone="mc3_18", **arguments),
    "CNNLSTM": lambda **arguments: CNNLSTM(weights="none", **arguments),
    "CNNLSTM-deep": lambda **arguments: CNNLSTM(
        weights="none", bidirectional=True, num_layers=2, dropout=0.1, **arguments
    ),
    "CNNRNN": lambda **arguments: CNNRNN(weights="none", **arguments),
    "CNNRNN-gru-attention": lambda **arguments: CNNRNN(
        weights="none",
        rnn="gru",
        pool="attention",
        bidirectional=True,
        num_layers=2,
        feature_dropout=0.1,
        **arguments,
    ),
    "CNNRNN-transformer": lambda **arguments: CNNRNN(
        weights="none", rnn="transformer", pool="mean", **arguments
    ),
    "CNNRNN-none": lambda **arguments: CNNRNN(
        weights="none", rnn="none", pool="attention", **arguments
    ),
}
PRETRAINED = ["EarlyFusionResNet", "LateFusion-mean", "CNN3D", "CNNLSTM", "CNNRNN"]
ORDERLESS = ["LateFusion-mean", "LateFusion-max", "CNNRNN-none"]
SMALL = {"num_classes": 5, "num_frames": 3, "image_size": 32}


@pytest.fixture(params=NETWORKS, scope="module")
def make(request: pytest.FixtureRequest) -> Callable[..., ClipClassifier]:
    network: str = request.param
    return NETWORKS[network]


@pytest.fixture(scope="module")
def unchanged(make: Callable[..., ClipClassifier]) -> ClipClassifier:
    """A small network for all tests of a module, which must not change it: random weights take long to draw."""
    torch.manual_seed(0)
    return make(**SMALL)


@pytest.fixture
def network(unchanged: ClipClassifier) -> ClipClassifier:
    """A small network in training mode."""
    torch.manual_seed(0)
    return deepcopy(unchanged)


@pytest.fixture
def frames(make_frames: MakeFrames) -> Tensor:
    return make_frames(2, 3, 32)


def test_a_network_returns_one_logit_per_class(network: ClipClassifier, frames: Tensor) -> None:
    logits = network(frames)
    assert logits.shape == (2, 5)
    assert logits.dtype == torch.float32


def test_memory_layout_and_pixel_type_do_not_change_the_logits(
    network: ClipClassifier, frames: Tensor
) -> None:
    network.eval()
    with torch.no_grad():
        logits = network(frames)
        torch.testing.assert_close(network(frames.contiguous()), logits)
        torch.testing.assert_close(network(frames.float()), logits)
        if not isinstance(network, CNN3D):  # torch has this layout for images only
            network.to(memory_format=torch.channels_last)
            torch.testing.assert_close(network(frames), logits)


@pytest.mark.parametrize("shape", [(2, 4, 3, 32, 32), (2, 3, 1, 32, 32), (3, 3, 32, 32)])
def test_frames_of_another_shape_are_refused(
    unchanged: ClipClassifier, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"expected frames \(B, 3, 3, H, W\), got \([234]"):
        unchanged(torch.zeros(shape, dtype=torch.uint8))


def test_frames_need_not_be_square(make: Callable[..., ClipClassifier]) -> None:
    network = make(**{**SMALL, "image_size": (32, 56)})
    assert network(torch.zeros((2, 3, 3, 32, 56), dtype=torch.uint8)).shape == (2, 5)
    assert network.example_inputs[0].shape == (1, 3, 3, 32, 56)


def test_every_weight_gets_a_gradient(network: ClipClassifier, frames: Tensor) -> None:
    cross_entropy(network(frames), torch.tensor([0, 1])).backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@pytest.mark.parametrize("name", PRETRAINED)
@pytest.mark.parametrize("freeze", ["all", "stages"])
def test_only_unfrozen_weights_are_trained(name: str, freeze: str, frames: Tensor) -> None:
    network = NETWORKS[name](freeze=freeze, **SMALL).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    cross_entropy(network(frames), torch.tensor([0, 1])).backward()
    optimizer.step()
    after = network.state_dict()
    changed = {key for key in after if not torch.equal(before[key], after[key])}
    learns = {key for key in after if not key.startswith("backbone")}
    if name == "EarlyFusionResNet":
        learns.add("backbone.network.conv1.weight")
    if freeze == "stages":
        learns |= {key for key in after if key.startswith("backbone.network.layer4.")}
    assert changed == learns


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in PRETRAINED else [pytest.mark.nightly])
        for name in NETWORKS
    ],
)
def test_a_network_overfits_eight_clips(name: str, make_frames: MakeFrames) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](num_classes=8, num_frames=3, image_size=32).train()
    frames, labels = make_frames(8, 3, 32), torch.arange(8)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(25):
        optimizer.zero_grad()
        loss = cross_entropy(network(frames), labels)
        loss.backward()
        optimizer.step()
        if loss < 0.5:
            break
    assert loss < 0.5


def test_bfloat16_gives_nearly_the_same_logits(network: ClipClassifier, frames: Tensor) -> None:
    network.eval()
    clip = frames[:1]
    with torch.no_grad():
        expected = network(clip)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(clip)
    torch.testing.assert_close(logits.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.nightly
def test_a_network_trains_in_mixed_precision(network: ClipClassifier, frames: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        loss = cross_entropy(network(frames), torch.tensor([0, 1]))
    loss.backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_weights_round_trip_through_a_state_dict(
    make: Callable[..., ClipClassifier], network: ClipClassifier, frames: Tensor
) -> None:
    network.eval()
    torch.manual_seed(1)
    restored = make(**SMALL).eval()
    restored.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(restored(frames), network(frames))


def test_a_checkpoint_has_all_arguments_as_plain_values_and_rebuilds_the_network(
    make: Callable[..., ClipClassifier], frames: Tensor, tmp_path: Path
) -> None:
    network = make(lr=0.125, warmup_epochs=2.5, **SMALL).eval()
    trainer = Trainer(accelerator="cpu", logger=False, barebones=True)
    trainer.strategy.connect(network)
    network.trainer = trainer
    path = tmp_path / "network.ckpt"
    trainer.save_checkpoint(path, weights_only=True)
    hyper_parameters = torch.load(path, weights_only=True)["hyper_parameters"]
    assert {type(value) for value in hyper_parameters.values()} <= {int, float, str, bool}
    assert (
        hyper_parameters["lr"],
        hyper_parameters["num_frames"],
        hyper_parameters["label_smoothing"],
    ) == (0.125, 3, 0.0)
    assert not any(name.startswith("_") for name in hyper_parameters)
    again = type(network).load_from_checkpoint(path, map_location="cpu", weights_only=True).eval()
    assert again.hparams == network.hparams
    with torch.no_grad():
        assert torch.equal(again(frames), network(frames))


def test_the_class_path_is_public(unchanged: ClipClassifier) -> None:
    assert class_path(type(unchanged)) == f"emorec.models.{type(unchanged).__name__}"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (NETWORKS["EarlyFusionResNet"], 11_265_288),
        (NETWORKS["LateFusion-mean"], 11_180_616),
        (NETWORKS["LateFusion-concat"], 11_176_512 + 10 * 512 * 8 + 8),
        (NETWORKS["CNN3D"], 33_170_376),
        (NETWORKS["CNNLSTM"], 11_967_048),
        # each direction of the second layer has both of the first as input: 4 gates of (2 * 256 + 256 + 2) * 256
        (NETWORKS["CNNRNN"], 11_967_048),
        # 3 gates instead of 4, both directions and layers; attention of 512 x 256 + 256 + 256
        (
            NETWORKS["CNNRNN-gru-attention"],
            11_176_512 + 2 * 2 * 591_360 + (512 * 256 + 2 * 256) + 512 * 8 + 8,
        ),
        # projection, one encoder layer of 12 x 256^2 and its biases and two norms, the last norm
        (
            NETWORKS["CNNRNN-transformer"],
            11_176_512 + 513 * 256 + 12 * 256**2 + 9 * 256 + 4 * 256 + 2 * 256 + 257 * 8,
        ),
        (NETWORKS["CNNLSTM-deep"], 11_176_512 + 2 * 788_480 + 2 * 788_480 + 512 * 8 + 8),
        # convolutions without bias, BatchNorm, two linear layers
        (
            EarlyFusionCNN,
            9 * (30 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
            + 2 * (64 + 128 + 256 + 512)
            + 513 * 1024
            + 1025 * 8,
        ),
    ],
)
def test_a_network_has_the_documented_number_of_parameters(
    make: Callable[..., ClipClassifier], expected: int
) -> None:
    assert num_parameters(make(num_frames=10, num_classes=8)) == expected


@pytest.mark.parametrize("name", ORDERLESS)
def test_pooling_networks_are_invariant_to_the_order_of_frames(name: str, frames: Tensor) -> None:
    network = NETWORKS[name](**SMALL).eval()
    with torch.no_grad():
        torch.testing.assert_close(network(frames.flip(1)), network(frames))


@pytest.mark.parametrize("name", sorted({*NETWORKS} - {*ORDERLESS, "EarlyFusionResNet"}))
def test_other_networks_depend_on_the_order_of_frames(name: str, frames: Tensor) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](**SMALL).train()
    with torch.no_grad():
        torch.manual_seed(1)
        forward = network(frames)
        torch.manual_seed(1)
        backward = network(frames.flip(1))
    assert (forward - backward).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("model_class", "layer", "settings"),
    [
        (EarlyFusionCNN, "features", {}),
        (EarlyFusionResNet, "backbone", {"weights": "none"}),
        (CNN3D, "backbone", {"weights": "none"}),
    ],
)
def test_frames_after_the_first_are_differences_to_it(
    model_class: type[EarlyFusionCNN | EarlyFusionResNet | CNN3D],
    layer: str,
    settings: dict[str, Any],
    make_frames: MakeFrames,
) -> None:
    network = model_class(relative_to_onset=True, num_frames=3, image_size=32, **settings)
    inputs: list[Tensor] = []
    network.get_submodule(layer).register_forward_pre_hook(
        lambda _, arguments: inputs.append(arguments[0])
    )
    frames = make_frames(2, 3, 32)
    network(frames)
    images = network.normalized(frames)
    first, second, third = images.unbind(dim=1)
    given = inputs[0].transpose(1, 2) if model_class is CNN3D else inputs[0].unflatten(1, (3, 3))
    torch.testing.assert_close(given, torch.stack([first, second - first, third - first], dim=1))


@pytest.mark.parametrize("settings", [{"num_strided": 5}, {"num_strided": -1}, {"grid": 0}])
def test_strides_and_cells_out_of_range_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(UserError, match=r"num_strided .* has to be 0 to 4, and grid .* at least 1"):
        EarlyFusionCNN(**settings)


def test_early_fusion_of_a_still_clip_equals_the_image_network(make_frames: MakeFrames) -> None:
    still = make_frames(2, 1, 32).expand(2, 10, 3, 32, 32)
    early = EarlyFusionResNet(weights="none", num_frames=10, image_size=32).eval()
    late = LateFusion(weights="none", num_frames=10, image_size=32).eval()
    late.load_state_dict(
        {key: value for key, value in early.state_dict().items() if "network.conv1" not in key},
        strict=False,
    )
    filters = early.state_dict()["backbone.network.conv1.weight"].unflatten(1, (10, 3)).sum(1)
    late.load_state_dict({"backbone.network.conv1.weight": filters}, strict=False)
    with torch.no_grad():
        torch.testing.assert_close(early(still), late(still))


def test_the_example_input_allocates_no_memory(unchanged: ClipClassifier) -> None:
    (clip,) = unchanged.example_inputs
    assert clip.shape == (1, 3, 3, 32, 32)
    assert (clip.dtype, clip.device.type) == (torch.uint8, "meta")


@pytest.mark.parametrize(
    "settings",
    [
        *({"lr": 0.0}, {"weight_decay": -1.0}, {"label_smoothing": 1.0}, {"warmup_epochs": -1}),
        {"lr_decay": -1.0},
    ],
)
def test_invalid_settings_are_refused_with_their_value(settings: dict[str, Any]) -> None:
    ((name, value),) = settings.items()
    with pytest.raises(UserError, match=f"{name} {value}\\b"):
        EarlyFusionCNN(**SMALL, **settings)
