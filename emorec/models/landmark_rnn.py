"""A network over time for the landmarks and blendshapes of a face."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.data.landmarks import BLENDSHAPES, LEFT_EYE, NUM_LANDMARKS, RIGHT_EYE
from emorec.errors import UserError
from emorec.layers.geometry import Geometry, align
from emorec.layers.temporal import AttentionPool, FrameTransformer, recurrent
from emorec.models.classifier import ClipClassifier

TemporalNetwork = Literal["gru", "lstm", "transformer"]
Pool = Literal["attention", "mean", "max"]


class LandmarkRNN(ClipClassifier):
    """`Geometry` of the face, a network over time, pooling over time, one linear layer.

    The network takes landmarks in pixels: all normalisation is part of it, and is fitted to the training clips at the
    start of `fit`.

    Args:
        num_components: Principal components of the landmarks.
        rnn: "gru", "lstm" or "transformer" (an encoder over the frames).
        hidden_size: Of the states, in each direction.
        num_layers: Stacked recurrent or encoder layers.
        bidirectional: Read the clip backwards too; the states of both directions are concatenated.
        num_heads: Attention heads of the transformer.
        pool: "attention" (a mean with learned weights), "mean" and "max" over time; the results of several are
            concatenated.
        dropout: Between the layers and before the last one.
        feature_dropout: Of the features, before the network over time.
        training: See `ClipClassifier`.

    Raises:
        UserError: When a size is below 1 or settings contradict each other.

    Source: Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder (GRU).
    """

    inputs: tuple[str, ...] = ("landmarks", "blendshapes")

    def __init__(
        self,
        *,
        num_frames: int = 16,
        num_components: int = 48,
        rnn: TemporalNetwork = "gru",
        hidden_size: int = 96,
        num_layers: int = 1,
        bidirectional: bool = True,
        num_heads: int = 4,
        pool: Sequence[Pool] = ("attention", "mean", "max"),
        dropout: float = 0.4,
        feature_dropout: float = 0.0,
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
        if not pool:
            raise UserError("model.pool is empty: choose attention, mean, max or several of them")
        if rnn == "transformer" and bidirectional:
            raise UserError(
                "model.bidirectional true: rnn transformer has no direction, choose false"
            )
        self.pool = tuple(pool)
        self.geometry = Geometry(
            num_landmarks=NUM_LANDMARKS,
            num_blendshapes=len(BLENDSHAPES),
            eyes=(RIGHT_EYE, LEFT_EYE),
            num_components=num_components,
        )
        self.feature_dropout = nn.Dropout(feature_dropout)
        self.over_time: nn.RNNBase | FrameTransformer
        if rnn == "transformer":
            self.over_time = FrameTransformer(
                self.geometry.num_features,
                hidden_size=hidden_size,
                num_layers=num_layers,
                num_heads=num_heads,
                dropout=dropout,
            )
        else:
            self.over_time = recurrent(
                rnn,
                self.geometry.num_features,
                hidden_size,
                num_layers,
                bidirectional=bidirectional,
                dropout=dropout,
            )
        size = hidden_size * (2 if bidirectional else 1)
        self.attention = AttentionPool(size) if "attention" in pool else None
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(size * len(pool), self.num_classes)

    @property
    @override
    def example_inputs(self) -> tuple[Tensor, ...]:
        """Landmarks (1, T, 478, 3) and blendshapes (1, T, 52) float, on the meta device."""
        shapes = ((NUM_LANDMARKS, 3), (len(BLENDSHAPES),))
        return tuple(torch.zeros(1, self.num_frames, *shape, device="meta") for shape in shapes)

    @override
    def prepare(self, stage: str) -> None:
        """Fit the geometry to the training clips, unless the checkpoint has it; see `ClipNetwork.prepare`."""
        if stage == "fit" and not self.geometry.fitted:
            data: Any = getattr(self.trainer, "datamodule", None)
            moments = torch.zeros((), dtype=torch.float64)
            for batch in data.ordered_loader(data.subsets["train"]):
                moments = moments + self.geometry.second_moments(
                    batch["landmarks"], batch["blendshapes"]
                )
            self.geometry.fit(moments)
        super().prepare(stage)

    @override
    def adaptable_features(self, batch: Mapping[str, Any]) -> Tensor:
        features: Tensor = self.geometry(batch["landmarks"], batch["blendshapes"])
        return features  # (B, T, D)

    @override
    def output(self, batch: Mapping[str, Any]) -> Tensor:
        return self.classify(self.adapted(self.adaptable_features(batch), batch))

    @override
    def mixed_batch(
        self, batch: Mapping[str, Any], order: Tensor, share: float
    ) -> Mapping[str, Any]:
        # aligned, faces of different places and sizes can be mixed, and so are their features
        return super().mixed_batch(
            {**batch, "landmarks": align(batch["landmarks"], self.geometry.eyes)}, order, share
        )

    @override
    def forward(self, landmarks: Tensor, blendshapes: Tensor) -> Tensor:
        """Landmarks (B, T, 478, 3) in pixels and blendshapes (B, T, 52) -> logits (B, K)."""
        return self.classify(self.geometry(landmarks, blendshapes))

    def classify(self, features: Tensor) -> Tensor:
        """Features (B, T, D) -> logits (B, K)."""
        states = self.over_time(self.feature_dropout(features))
        if isinstance(self.over_time, nn.RNNBase):
            states = states[0]  # (B, T, S)
        pooled = torch.cat([self._pooled(states, pool) for pool in self.pool], dim=1)  # (B, S * N)
        logits: Tensor = self.classifier(self.dropout(pooled))  # (B, K)
        return logits

    def _pooled(self, states: Tensor, pool: Pool) -> Tensor:
        """States (B, T, S) -> (B, S)."""
        if pool == "max":
            return states.amax(dim=1)  # (B, S)
        if pool == "mean" or self.attention is None:
            return states.mean(dim=1)  # (B, S)
        pooled: Tensor = self.attention(states)
        return pooled  # (B, S)
