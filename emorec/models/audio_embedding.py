"""Classifier of sound as another network describes it: pooling of its embedding over time, then few layers."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.data.audio_embedding import EmbeddingSpec
from emorec.errors import UserError
from emorec.layers.standardize import Standardize
from emorec.layers.temporal import AttentionPool, last_state, recurrent
from emorec.models.feature_classifier import FeatureClassifier

EmbeddingPool: TypeAlias = Literal["statistics", "mean", "attention", "gru"]


class AudioEmbedding(FeatureClassifier):
    """The embedding of a clip's sound pooled over its S windows, then one or two linear layers.

    What the first layer takes is standardised by the training clips that have sound.

    Args:
        embedding: "yamnet", "speech_embedding", "both" or a speech model; as in the data.
        layer: Of the speech model; as `embedding_layer` in the data.
        sound_seconds: Duration of the sound; as in the data.
        pool: "statistics" is mean and standard deviation of each feature over the windows, "mean" the mean alone,
            "attention" a weighted mean, "gru" the last states of a bidirectional GRU.
        hidden_size: Of the hidden layer, and of the GRU in each direction; 0 leaves the hidden layer out.
        dropout: Before each linear layer.
        training: See `ClipClassifier`.
    """

    inputs: tuple[str, ...] = ("embedding",)
    speech_model: Tensor
    """Digest of the speech model's files, (32,) integers from 0 to 255."""

    def __init__(
        self,
        *,
        embedding: str = "both",
        layer: int | None = None,
        sound_seconds: float = 4.0,
        pool: EmbeddingPool = "statistics",
        hidden_size: int = 128,
        dropout: float = 0.5,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        self.spec = EmbeddingSpec(network=embedding, sound_seconds=sound_seconds, layer=layer)
        if hidden_size < (1 if pool == "gru" else 0):
            raise UserError(
                f"model.hidden_size is {hidden_size}: it has to be at least 0, and 1 with a gru"
            )
        num_features = self.spec.shape[1]
        if model := self.spec.speech_model:
            self.register_buffer("speech_model", torch.tensor([*bytes.fromhex(model.digest)]))
            self.register_load_state_dict_pre_hook(_check_speech_model)  # type: ignore[no-untyped-call]
        self.pool = pool
        if pool == "attention":
            self.attention = AttentionPool(num_features, max(1, hidden_size))
        if pool == "gru":
            self.gru = recurrent("gru", num_features, hidden_size, bidirectional=True)
        num_pooled = {
            "statistics": 2 * num_features,
            "mean": num_features,
            "attention": num_features,
            "gru": 2 * hidden_size,
        }[pool]
        self.standardizes_pooled = pool in ("statistics", "mean")
        self.standardize = Standardize(num_pooled if self.standardizes_pooled else num_features)
        self.hidden = nn.Sequential()
        if hidden_size and pool != "gru":
            self.hidden = nn.Sequential(
                nn.Dropout(dropout), nn.Linear(num_pooled, hidden_size), nn.ReLU()
            )
            num_pooled = hidden_size
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(num_pooled, self.num_classes)
        )

    @property
    @override
    def example_inputs(self) -> tuple[Tensor, ...]:
        """Embedding (1, S, D) float, on the meta device."""
        return (torch.zeros(1, *self.spec.shape, device="meta"),)  # (1, S, D)

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        data_spec = getattr(getattr(self.trainer, "datamodule", None), "embedding_spec", None)
        if data_spec is not None and data_spec.name != self.spec.name:
            raise UserError(
                f"{type(self).__name__} takes {self.spec.title}, the data has {data_spec.title}: set model.embedding, "
                "model.layer and model.sound_seconds like data.sound_embedding, data.embedding_layer and "
                "data.sound_seconds"
            )

    @override
    def prepare(self, stage: str) -> None:
        """Standardise by the training clips, unless the checkpoint has it; see `FeatureClassifier.prepare`."""
        if stage == "fit" and not self.standardize.is_fitted:
            self.standardize.fit(self._training_embeddings())
        super().prepare(stage)

    def _training_embeddings(self) -> Iterator[Tensor]:
        """Yield what is standardised of the training clips that have sound, (1, num_pooled) or (1, S, D)."""
        from emorec.data.datamodule import ClipDataModule  # late: a prediction needs no data module

        data = ClipDataModule.of(self.trainer)
        assert data.read_embedding is not None
        for clip in data.subsets["train"]:
            if clip not in data.read_embedding.errors:
                embedding = torch.from_numpy(data.read_embedding(clip))[None]  # (1, S, D)
                yield self.pooled(embedding) if self.standardizes_pooled else embedding

    @override
    def features(self, embedding: Tensor) -> Tensor:
        """Embedding (B, S, D) -> standardised features (B, S, D), or of all windows together (B, 1, num_pooled)."""
        if self.standardizes_pooled:
            embedding = self.pooled(embedding).unsqueeze(1)
        features: Tensor = self.standardize(embedding)
        return features

    @override
    def classify(self, features: Tensor) -> Tensor:
        """Standardised features -> logits (B, K)."""
        pooled = features.squeeze(1) if self.standardizes_pooled else self.pooled(features)
        logits: Tensor = self.classifier(self.hidden(pooled))  # (B, K)
        return logits

    def pooled(self, features: Tensor) -> Tensor:
        """Features (B, S, D) -> one vector a clip, see `pool`."""
        if self.pool == "attention":
            attended: Tensor = self.attention(features)  # (B, D)
            return attended
        if self.pool == "gru":
            states, _ = self.gru(features)  # (B, S, 2 * hidden_size)
            return last_state(states, bidirectional=True)  # (B, 2 * hidden_size)
        mean = features.mean(dim=1)  # (B, D)
        if self.pool == "mean":
            return mean
        std = features.std(dim=1, correction=0)  # (B, D)
        return torch.cat([mean, std], dim=1)  # (B, 2 * D)


def _check_speech_model(
    network: AudioEmbedding, state: Mapping[str, Tensor], prefix: str, *_: object
) -> None:
    """Refuse a checkpoint that was trained on what another version of the speech model makes of sound."""
    trained_with = state.get(f"{prefix}speech_model")
    if trained_with is not None and not trained_with.cpu().equal(network.speech_model.cpu()):
        raise UserError(
            f"the files of {network.spec.network} have changed since the training: put the former ones in their "
            "place, or train again with a fixed revision of the Hub, NAME@COMMIT"
        )
