"""Audio and audio-visual networks: layers, branches and missing modalities."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from emorec.errors import UserError
from emorec.models import AudioCNN, AudioCNNLSTM, AudioCNNRNN, AudioVisual, LateFusion
from emorec.models.flops import gflops_per_clip, num_parameters

CONVOLUTIONS = (1 * 12 * 16 + 1) * 16 + (16 * 8 * 12 + 1) * 24 + (24 * 5 * 7 + 1) * 24
SEQUENCE = 24 * 19
SAMPLES = 48_000


def recurrent(gates: int, input_size: int) -> int:
    """Number of weights of two bidirectional layers of 128 with torch's two biases each."""
    first = gates * 128 * (input_size + 128 + 2)
    second = gates * 128 * (2 * 128 + 128 + 2)
    return 2 * (first + second)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (AudioCNN, CONVOLUTIONS + (24 * 19 * 29 + 1) * 64 + 65 * 4),
        (AudioCNNRNN, CONVOLUTIONS + recurrent(1, SEQUENCE) + (256 + 1) * 64 + 65 * 4),
        (AudioCNNLSTM, CONVOLUTIONS + recurrent(4, SEQUENCE) + (256 + 1) * 64 + 65 * 4),
    ],
)
def test_networks_have_the_documented_parameters(network: type[AudioCNN], expected: int) -> None:
    model = network(num_classes=4)
    assert num_parameters(model) == expected
    assert 0.6 < gflops_per_clip(model) < 0.7
    assert model(torch.randn(2, SAMPLES)).shape == (2, 4)


def test_the_recurrent_network_gets_the_time_steps_in_order() -> None:
    model = AudioCNNRNN(num_classes=4).eval()
    lengths: list[torch.Size] = []
    model.rnn.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape))
    sound = torch.randn(1, SAMPLES)
    forwards = model(sound)
    assert lengths == [torch.Size([1, 29, SEQUENCE])]
    assert not torch.allclose(forwards, model(sound.flip(1)), atol=1e-4)


def test_silence_has_finite_outputs() -> None:
    for network in (AudioCNN, AudioCNNRNN, AudioCNNLSTM):
        assert network(num_classes=4).eval()(torch.zeros(2, SAMPLES)).isfinite().all()


def audio_visual(**arguments: Any) -> AudioVisual:
    torch.manual_seed(0)
    return AudioVisual(
        video_args={"weights": "none", "backbone": "mobilenet_v2"},
        num_frames=2,
        image_size=32,
        **arguments,
    )


@pytest.fixture
def batch(make_frames: Any) -> dict[str, Tensor]:
    sound = torch.randn(3, SAMPLES, generator=torch.Generator().manual_seed(0)) * 0.1
    heard = torch.tensor([True, False, True])
    return {"frames": make_frames(3, 2, 32), "sound": sound, "heard": heard}


def test_each_branch_gets_its_modality(batch: dict[str, Tensor]) -> None:
    model = audio_visual().eval()
    received: dict[str, Tensor] = {}
    for name in ("video", "audio"):
        tower: nn.Module = getattr(model, name)
        tower.register_forward_pre_hook(
            lambda _, inputs, name=name: received.update({name: inputs[0]})
        )
    model(batch["frames"], batch["sound"], batch["heard"])
    assert received["video"] is batch["frames"]
    assert received["audio"] is batch["sound"]
    received.clear()
    model.output(batch)
    assert received["video"] is batch["frames"]
    assert received["audio"] is batch["sound"]


@pytest.mark.parametrize("fusion", ["concat", "attention", "gated"])
def test_a_missing_modality_is_ignored_and_a_present_one_is_used(
    fusion: Any, batch: dict[str, Tensor]
) -> None:
    model = audio_visual(fusion=fusion).eval()
    expected = model.output(batch)
    other_sound = model.output({**batch, "sound": batch["sound"].flip(1)})
    same = (expected == other_sound).all(dim=1)
    assert same.tolist() == [False, True, False]  # the second clip has no sound
    model.ablate("sound")
    deaf = model.output(batch)
    assert torch.equal(deaf, model.output({**batch, "sound": batch["sound"].flip(1)}))
    torch.testing.assert_close(deaf[1], expected[1])
    model.ablate("video")
    blind = model.output(batch)
    assert torch.equal(blind, model.output({**batch, "frames": batch["frames"].flip(3)}))
    assert blind.isfinite().all()  # also for the clip without any modality


def test_modality_dropout_never_drops_the_only_modality() -> None:
    torch.manual_seed(0)
    model = audio_visual(drop_sense=0.5).train()
    heard = torch.tensor([True] * 1000 + [False] * 1000)
    present = model.present({"frames": torch.zeros(2000, 1), "heard": heard})
    share_with_both = present[:1000].all(dim=1).float().mean()
    assert 0.45 < share_with_both < 0.55
    assert 0.2 < (~present[:1000, 0]).float().mean() < 0.3
    assert 0.2 < (~present[:1000, 1]).float().mean() < 0.3
    assert present.any(dim=1).all()
    assert model.eval().present({"frames": torch.zeros(2000, 1), "heard": heard})[:1000].all()


def test_the_fusion_has_both_networks_without_heads_and_counts_their_flops() -> None:
    sees = LateFusion(weights="none", backbone="mobilenet_v2", num_frames=2, image_size=32)
    hears = AudioCNNRNN()
    model = audio_visual(num_features=64)
    heads = (1280 + 1) * 8 + (64 + 1) * 8
    new = (1280 + 1) * 64 + (64 + 1) * 64 + (128 + 1) * 8
    assert num_parameters(model) == num_parameters(sees) + num_parameters(hears) - heads + new
    flops = gflops_per_clip(sees) + gflops_per_clip(hears)
    assert gflops_per_clip(model) == pytest.approx(flops, rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"video": "emorec.models.Nothing"}, "network video is emorec.models.Nothing: there is no"),
        ({"video": "nothing"}, "network video is nothing: there is no such class"),
        ({"video": "emorec.models.AudioCNN"}, "choose a network that takes only frames"),
        ({"audio": "emorec.models.LateFusion"}, "choose a network that takes only sound"),
        ({"audio_args": {"widht": 3}}, "the network audio: .*widht"),
        ({"drop_sense": 2.0}, "modality dropout is 2.0: choose a share"),
    ],
)
def test_incompatible_networks_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        audio_visual(**{"video": "emorec.models.LateFusion", **arguments})


class Data:
    """A data module with a sound specification."""

    def __init__(self, spec: Any) -> None:
        self.audio_spec = spec


def test_data_without_sound_or_with_another_rate_or_duration_is_refused() -> None:
    model = AudioCNN()
    model.check_sound(object())
    model.check_sound(Data(SimpleNamespace(sound_rate=16_000, sound_seconds=3.0)))
    short = SimpleNamespace(sound_rate=8000, sound_seconds=2.0)
    with pytest.raises(UserError, match=r"takes 3 s of sound at 16000 .* the data has 2 s at 8000"):
        model.check_sound(Data(short))


@pytest.mark.parametrize("network", [AudioCNN, AudioCNNRNN, AudioCNNLSTM])
def test_hyper_parameters_are_valid_arguments(
    network: type[AudioCNN],
) -> None:
    model = network(num_classes=4, dropout=0.3)
    assert network(**dict(model.hparams)).hparams == model.hparams
