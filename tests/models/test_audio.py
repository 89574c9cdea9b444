"""Networks that hear: their layers are the table's, each sense has its own stream, and one may be missing."""

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


def recurrent(gates: int, inputs: int) -> int:
    """Weights of two layers in two directions of 128, with the two biases that torch gives each."""
    first = gates * 128 * (inputs + 128 + 2)
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
def test_the_layers_are_those_of_the_table(network: type[AudioCNN], expected: int) -> None:
    made = network(num_classes=4)
    assert num_parameters(made) == expected
    assert 0.6 < gflops_per_clip(made) < 0.7
    assert made(torch.randn(2, SAMPLES)).shape == (2, 4)


def test_the_recurrent_network_reads_the_clip_in_time() -> None:
    model = AudioCNNRNN(num_classes=4).eval()
    lengths: list[torch.Size] = []
    model.rnn.register_forward_pre_hook(lambda _, given: lengths.append(given[0].shape))
    sound = torch.randn(1, SAMPLES)
    forwards = model(sound)
    assert lengths == [torch.Size([1, 29, SEQUENCE])]
    assert not torch.allclose(forwards, model(sound.flip(1)), atol=1e-4)


def test_silence_has_an_answer() -> None:
    for network in (AudioCNN, AudioCNNRNN, AudioCNNLSTM):
        assert network(num_classes=4).eval()(torch.zeros(2, SAMPLES)).isfinite().all()


def audio_visual(**own: Any) -> AudioVisual:
    torch.manual_seed(0)
    return AudioVisual(
        video_args={"weights": "none", "backbone": "mobilenet_v2"},
        num_frames=2,
        image_size=32,
        **own,
    )


@pytest.fixture
def batch(make_frames: Any) -> dict[str, Tensor]:
    sound = torch.randn(3, SAMPLES, generator=torch.Generator().manual_seed(0)) * 0.1
    heard = torch.tensor([True, False, True])
    return {"frames": make_frames(3, 2, 32), "sound": sound, "heard": heard}


def test_each_network_gets_its_own_stream(batch: dict[str, Tensor]) -> None:
    model = audio_visual().eval()
    got: dict[str, Tensor] = {}
    for name in ("video", "audio"):
        tower: nn.Module = getattr(model, name)
        tower.register_forward_pre_hook(lambda _, given, name=name: got.update({name: given[0]}))
    model(batch["frames"], batch["sound"], batch["heard"])
    assert got["video"] is batch["frames"]
    assert got["audio"] is batch["sound"]
    got.clear()
    model.output(batch)
    assert got["video"] is batch["frames"]
    assert got["audio"] is batch["sound"]


@pytest.mark.parametrize("fusion", ["concat", "attention", "gated"])
def test_a_missing_sense_changes_nothing_and_one_that_is_there_does(
    fusion: Any, batch: dict[str, Tensor]
) -> None:
    model = audio_visual(fusion=fusion).eval()
    plain = model.output(batch)
    other_sound = model.output({**batch, "sound": batch["sound"].flip(1)})
    same = (plain == other_sound).all(dim=1)
    assert same.tolist() == [False, True, False]  # the second clip has no sound
    model.ablated = "audio"
    deaf = model.output(batch)
    assert torch.equal(deaf, model.output({**batch, "sound": batch["sound"].flip(1)}))
    torch.testing.assert_close(deaf[1], plain[1])
    model.ablated = "video"
    blind = model.output(batch)
    assert torch.equal(blind, model.output({**batch, "frames": batch["frames"].flip(3)}))
    assert blind.isfinite().all()  # also of the clip that has nothing left


def test_training_hides_one_sense_of_some_clips_and_never_the_only_one() -> None:
    torch.manual_seed(0)
    model = audio_visual(drop_sense=0.5).train()
    heard = torch.tensor([True] * 1000 + [False] * 1000)
    there = model.present_modalities(heard)
    both = there[:1000].all(dim=1).float().mean()
    assert 0.45 < both < 0.55
    assert 0.2 < (~there[:1000, 0]).float().mean() < 0.3
    assert 0.2 < (~there[:1000, 1]).float().mean() < 0.3
    assert there.any(dim=1).all()
    assert model.eval().present_modalities(heard)[:1000].all()


def test_it_has_the_two_networks_without_their_heads_and_counts_what_they_cost() -> None:
    sees = LateFusion(weights="none", backbone="mobilenet_v2", num_frames=2, image_size=32)
    hears = AudioCNNRNN()
    model = audio_visual(num_features=64)
    heads = (1280 + 1) * 8 + (64 + 1) * 8
    new = (1280 + 1) * 64 + (64 + 1) * 64 + (128 + 1) * 8
    assert num_parameters(model) == num_parameters(sees) + num_parameters(hears) - heads + new
    together = gflops_per_clip(sees) + gflops_per_clip(hears)
    assert gflops_per_clip(model) == pytest.approx(together, rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"video": "emorec.models.Nothing"}, "model.video is emorec.models.Nothing: there is no"),
        ({"video": "nothing"}, "model.video is nothing: there is no such class"),
        ({"video": "emorec.models.AudioCNN"}, "choose a network that takes only frames"),
        ({"audio": "emorec.models.LateFusion"}, "choose a network that takes only sound"),
        ({"audio_args": {"widht": 3}}, "model.audio_args: .*widht"),
        ({"drop_sense": 2.0}, "model.drop_sense is 2.0: choose a share"),
    ],
)
def test_networks_that_can_t_be_combined_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        audio_visual(**{"video": "emorec.models.LateFusion", **arguments})


class Data:
    """A data module with a sound specification."""

    def __init__(self, spec: Any) -> None:
        self.audio_spec = spec


def test_a_network_refuses_data_without_sound_or_with_another_rate_or_duration() -> None:
    model = AudioCNN()
    model.check_sound(object())
    model.check_sound(Data(SimpleNamespace(sound_rate=16_000, sound_seconds=3.0)))
    with pytest.raises(UserError, match=r"AudioCNN takes sound: set --data\.sound true"):
        model.check_sound(Data(None))
    short = SimpleNamespace(sound_rate=8000, sound_seconds=2.0)
    with pytest.raises(UserError, match=r"takes 3 s of sound at 16000 .* the data has 2 s at 8000"):
        model.check_sound(Data(short))


@pytest.mark.parametrize("network", [AudioCNN, AudioCNNRNN, AudioCNNLSTM])
def test_the_hyper_parameters_of_a_network_are_arguments_that_it_takes(
    network: type[AudioCNN],
) -> None:
    made = network(num_classes=4, dropout=0.3)
    assert network(**dict(made.hparams)).hparams == made.hparams
