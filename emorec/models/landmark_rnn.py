"""A network over time for the landmarks and blendshapes of a face."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.data.landmarks import BLENDSHAPES, LEFT_EYE, NUM_LANDMARKS, RIGHT_EYE
from emorec.errors import UserError
from emorec.layers.geometry import Geometry
from emorec.layers.temporal import (
    AttentionPool,
    TemporalNetwork,
    temporal_network,
    temporal_states,
)
from emorec.models.feature_classifier import FeatureClassifier

Pool = Literal["attention", "mean", "std", "max", "min"]

MIN_VARIANCE = 1e-6
"""Added before the square root, whose gradient is infinite at 0."""


class LandmarkRNN(FeatureClassifier):
    """`Geometry` of the face, a network over time or none, statistics over time, a small network.

    It takes landmarks in pixels: all normalisation is part of the network, and is fitted to the training clips at the
    start of `fit`.

    Args:
        num_frames: T.
        num_components: Principal components of the landmarks.
        rnn: "gru", "lstm", "transformer" (an encoder over the frames), or "none" for the features as they are.
        hidden_size: Of the states, in each direction.
        num_layers: Stacked recurrent or encoder layers.
        bidirectional: Read the clip backwards too; the states of both directions are concatenated.
        num_heads: Attention heads of the transformer.
        pool: "attention" (a mean with learned weights), "mean", "std" (standard deviation), "max" and "min" over time;
            the results of several are concatenated, and normalised over the batch.
        classifier_size: Of the hidden layer after pooling; 0 leaves it out.
        feature_dropout: Of the features, before the network over time.
        pool_dropout: Before the hidden layer.
        dropout: Between the layers and before the last one.
        training: See `ClipClassifier`.

    Raises:
        UserError: When a size is out of range or settings contradict each other.

    Source: Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder (GRU); Ioffe & Szegedy 2015,
    Batch Normalization.
    """

    inputs: tuple[str, ...] = ("landmarks", "blendshapes")

    def __init__(
        self,
        *,
        num_frames: int = 16,
        num_components: int = 32,
        rnn: TemporalNetwork = "gru",
        hidden_size: int = 96,
        num_layers: int = 1,
        bidirectional: bool = False,
        num_heads: int = 4,
        pool: Sequence[Pool] = ("attention", "mean", "max"),
        classifier_size: int = 0,
        feature_dropout: float = 0.0,
        pool_dropout: float = 0.0,
        dropout: float = 0.5,
        **training: Any,
    ) -> None:
        super().__init__(num_frames=num_frames, **training)
        for name, size in (
            ("num_components", num_components),
            ("hidden_size", hidden_size),
            ("num_layers", num_layers),
        ):
            if size < 1:
                raise UserError(f"model.{name} {size} has to be at least 1")
        if classifier_size < 0:
            raise UserError(f"model.classifier_size {classifier_size} has to be at least 0")
        if not pool or len({*pool}) < len(pool):
            raise UserError(
                f"model.pool {list(pool)} has to name one or more statistics, each once"
            )
        self.geometry = Geometry(
            num_landmarks=NUM_LANDMARKS,
            num_blendshapes=len(BLENDSHAPES),
            eyes=(RIGHT_EYE, LEFT_EYE),
            num_components=num_components,
        )
        self.feature_dropout = nn.Dropout(feature_dropout)
        num_features = self.geometry.num_features
        self.over_time = temporal_network(
            rnn,
            num_features,
            hidden_size,
            num_layers,
            bidirectional=bidirectional,
            num_heads=num_heads,
            dropout=dropout,
        )
        size = num_features if rnn == "none" else hidden_size * (2 if bidirectional else 1)
        self.pool: tuple[Pool, ...] = tuple(pool)
        self.attention = AttentionPool(size) if "attention" in pool else None
        size *= len(pool)
        # the statistics have different ranges
        self.normalize_pooled = nn.BatchNorm1d(size, affine=False)
        layers: list[nn.Module] = []
        if classifier_size:
            layers = [nn.Dropout(pool_dropout), nn.Linear(size, classifier_size), nn.GELU()]
            size = classifier_size
        self.classifier = nn.Sequential(
            *layers, nn.Dropout(dropout), nn.Linear(size, self.num_classes)
        )

    @property
    @override
    def example_inputs(self) -> tuple[Tensor, ...]:
        """Landmarks (1, T, 478, 3) and blendshapes (1, T, 52) float, on the meta device."""
        shapes = ((NUM_LANDMARKS, 3), (len(BLENDSHAPES),))
        return tuple(torch.zeros(1, self.num_frames, *shape, device="meta") for shape in shapes)

    @override
    def prepare(self, stage: str) -> None:
        """Fit the geometry to the training clips, augmented as in the first epoch, unless the checkpoint has it."""
        if stage == "fit" and not self.geometry.fitted:
            moments = torch.zeros((), dtype=torch.float64)
            batches: Iterable[Mapping[str, Tensor]] = self.trainer.train_dataloader or ()
            for batch in batches:
                shown = self.has_input(batch)
                moments = moments + self.geometry.second_moments(
                    batch["landmarks"][shown], batch["blendshapes"][shown]
                )
            if self.trainer.world_size > 1:  # each process has its share of the clips
                moments = self.trainer.strategy.reduce(moments.to(self.device), reduce_op="sum")
            if not moments.any():
                raise UserError(
                    "no face is found in any training clip: choose a network of frames or sound"
                )
            self.geometry.fit(moments.cpu())
        super().prepare(stage)

    @override
    def features(self, landmarks: Tensor, blendshapes: Tensor) -> Tensor:
        """Landmarks (B, T, 478, 3) in pixels and blendshapes (B, T, 52) -> features (B, T, D)."""
        features: Tensor = self.geometry(landmarks, blendshapes)
        return features

    @override
    def classify(self, features: Tensor) -> Tensor:
        """Features (B, T, D) of the geometry -> logits (B, K)."""
        states = temporal_states(self.over_time, self.feature_dropout(features))  # (B, T, S)
        pooled = torch.cat([self._pooled(states, pool) for pool in self.pool], dim=1)  # (B, N * S)
        logits: Tensor = self.classifier(self.normalize_pooled(pooled))  # (B, K)
        return logits

    def _pooled(self, states: Tensor, pool: Pool) -> Tensor:
        """States (B, T, S) -> (B, S)."""
        match pool:
            case "mean":
                return states.mean(dim=1)  # (B, S)
            case "std":
                return (states.var(dim=1, correction=0) + MIN_VARIANCE).sqrt()  # (B, S)
            case "max":
                return states.amax(dim=1)  # (B, S)
            case "min":
                return states.amin(dim=1)  # (B, S)
            case "attention":
                assert self.attention is not None
                pooled: Tensor = self.attention(states)
                return pooled  # (B, S)
