"""The network of embedded sound: pooling, standardisation by the training clips, checks of the data."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from emorec.data import RavdessDataModule
from emorec.errors import UserError
from emorec.models import AudioEmbedding
from emorec.models.audio_embedding import EmbeddingPool
from emorec.models.flops import network_record, num_parameters

POOLS: dict[str, int] = {
    # weights with D = 96, a hidden layer of 5 and 3 classes
    "statistics": (192 + 1) * 5 + 6 * 3,
    "mean": (96 + 1) * 5 + 6 * 3,
    # the scores: a hidden layer of 5, and no bias of the last
    "attention": (96 + 1) * 5 + 6 * 3 + (96 + 1) * 5 + 5,
    # two directions, three gates, two biases each
    "gru": 2 * 3 * 5 * (96 + 5 + 2) + (2 * 5 + 1) * 3,
}


@pytest.fixture(params=POOLS)
def network(request: pytest.FixtureRequest) -> AudioEmbedding:
    torch.manual_seed(0)
    pool: Any = request.param
    network = AudioEmbedding(
        embedding="speech_embedding",
        sound_seconds=3.0,
        pool=pool,
        hidden_size=5,
        num_classes=3,
        dropout=0.0,
    )
    assert num_parameters(network) == POOLS[pool]
    return network


def embeddings(num_windows: int = 17) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, num_windows, 96, generator=generator) * 9 + 4


def test_every_weight_gets_a_gradient(network: AudioEmbedding) -> None:
    assert network.example_inputs[0].shape == (1, 17, 96)
    logits = network(embeddings())
    assert logits.shape == (4, 3)
    logits.square().sum().backward()
    assert [
        name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()
    ] == []


def test_only_a_gru_depends_on_the_order_of_the_windows(network: AudioEmbedding) -> None:
    features = embeddings()
    same = torch.allclose(network(features), network(features.flip(1)), atol=1e-4)
    assert same is (network.pool != "gru")


def test_statistics_are_mean_and_standard_deviation_over_the_windows() -> None:
    network = AudioEmbedding(embedding="speech_embedding")
    features = embeddings()
    pooled = network.pooled(features).numpy()
    assert pooled[:, :96] == pytest.approx(features.numpy().mean(axis=1), abs=1e-4)
    assert pooled[:, 96:] == pytest.approx(features.numpy().std(axis=1), abs=1e-4)


def test_silence_has_finite_outputs_and_gradients(network: AudioEmbedding) -> None:
    silence = torch.zeros(2, 17, 96, requires_grad=True)
    network(silence).sum().backward()
    assert silence.grad is not None
    assert silence.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_it_counts_as_a_network_of_sound(network: AudioEmbedding) -> None:
    assert network_record(network)["modalities"] == ["sound"]


def test_a_hidden_size_below_zero_is_refused() -> None:
    with pytest.raises(UserError, match=r"hidden_size is -1: .* at least 0"):
        AudioEmbedding(hidden_size=-1)


QUIET: dict[str, Any] = {
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "limit_val_batches": 1,
    "num_sanity_val_steps": 0,
}


@pytest.fixture(scope="module")
def clips_of_four(voiced_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clips with sound of three training actors and a validation actor."""
    folder = tmp_path_factory.mktemp("four")
    for actor in (1, 2, 3, 21):
        for path in voiced_clips.glob(f"Actor_{actor:02}/*.mp4"):
            os.link(path, folder / path.name)
    return folder


def data(clips: Path, cache: Path, **arguments: Any) -> RavdessDataModule:
    embedding: dict[str, Any] = {"sound_embedding": "speech_embedding", "sound_seconds": 1.0}
    return RavdessDataModule(
        root=str(clips),
        frames=False,
        num_frames=0,
        num_workers=0,
        cache=str(cache),
        allow_missing_actors=True,
        **{**embedding, **arguments},
    )


def trainer(folder: Path, **arguments: Any) -> Trainer:
    return Trainer(accelerator="cpu", logger=False, default_root_dir=folder, **QUIET, **arguments)


@pytest.mark.parametrize("pool", ["statistics", "attention"])
def test_the_training_clips_standardise_all_clips(
    pool: EmbeddingPool, clips_of_four: Path, tmp_path: Path
) -> None:
    network = AudioEmbedding(
        embedding="speech_embedding", sound_seconds=1.2, pool=pool, hidden_size=4
    )
    clips = data(clips_of_four, tmp_path / "cache", sound_seconds=1.2)
    trainer(tmp_path, max_steps=1).fit(network, clips)
    clips.setup("fit")
    features = torch.cat([batch["embedding"] for batch in clips.train_dataloader()])  # (B, S, D)
    standardized: list[torch.Tensor] = []
    network.hidden.register_forward_pre_hook(lambda _, inputs: standardized.append(inputs[0]))
    network.eval()(features)
    flat = network.standardize(features) if pool == "attention" else standardized[0]
    flat = flat.flatten(0, -2)
    assert flat.mean(dim=0).abs().max() < 1e-3
    assert flat.std(dim=0, correction=0).median() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sound_embedding": "none", "sound": True}, r"embedding: set --data.sound_embedding"),
        ({"sound_embedding": "both"}, r"speech_embedding of 1 s, the data has both of 1 s"),
        ({"sound_seconds": 1.3}, r"of 1 s, the data has speech_embedding of 1.3 s"),
    ],
)
def test_data_that_does_not_fit_is_refused(
    arguments: dict[str, Any], message: str, clips_of_four: Path, tmp_path: Path
) -> None:
    network = AudioEmbedding(embedding="speech_embedding", sound_seconds=1.0)
    clips = data(clips_of_four, tmp_path / "cache", **arguments)
    with pytest.raises(UserError, match=message):
        trainer(tmp_path, max_steps=1).fit(network, clips)
