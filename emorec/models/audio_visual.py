"""Any network that sees and any that hears, put together."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.errors import UserError
from emorec.layers.fusion import Fusion, SenseFusion
from emorec.models.audio_classifier import AudioClassifier
from emorec.models.base import ClipClassifier

SENSES = ("video", "audio")

Sense = Literal["video", "audio"]


class AudioVisual(ClipClassifier):
    """Two networks without their last layers, each followed by one of its own, then fusion and a last layer.

    It works when a sense is missing: a clip without sound is seen only, and `without` closes the eyes or the ears.

    Args:
        video: The class of the network that sees, such as "emorec.models.LateFusion".
        video_args: Its arguments.
        audio: The class of the network that hears, such as "emorec.models.AudioCNNRNN".
        audio_args: Its arguments.
        num_features: What each sense says, as numbers.
        fusion: "concat", "attention" or "gated", see `SenseFusion`.
        drop_sense: Share of the training clips of which one sense, either as likely, is hidden.
        dropout: Before the last layer.
        training: See `ClipClassifier`.

    Attributes:
        without: The sense that is not to be used.

    Source: Singh & Fang 2020, arXiv:2006.08129, section 3 (concatenation, 64 features a sense); Neverova et al. 2016,
    ModDrop, section 3.2 (dropping a sense).
    """

    inputs: ClassVar[tuple[str, ...]] = ("frames", "sound", "heard")

    def __init__(
        self,
        *,
        video: str = "emorec.models.LateFusion",
        video_args: dict[str, Any] | None = None,
        audio: str = "emorec.models.AudioCNNRNN",
        audio_args: dict[str, Any] | None = None,
        num_features: int = 64,
        fusion: Fusion = "concat",
        drop_sense: float = 0.0,
        dropout: float = 0.0,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        if not 0 <= drop_sense <= 1:
            raise UserError(f"model.drop_sense is {drop_sense}: it is a share, 0 to 1")
        self.drop_sense = drop_sense
        self.without: Sense | None = None
        shared = {
            "num_classes": self.num_classes,
            "num_frames": self.num_frames,
            "image_size": self.image_size,
        }
        self.video = tower("video", video, ("frames",), {**(video_args or {}), **shared})
        self.audio = tower("audio", audio, ("sound",), {**(audio_args or {}), **shared})
        self.from_video = nn.Sequential(_without_head(self.video, num_features), nn.ReLU())
        self.from_audio = nn.Sequential(_without_head(self.audio, num_features), nn.ReLU())
        self.fusion = SenseFusion(len(SENSES), num_features, fusion)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.fusion.num_features, self.num_classes)

    @property
    @override
    def last_maps(self) -> nn.Module | None:
        return self.video.last_maps

    @property
    @override
    def example_inputs(self) -> tuple[Tensor, ...]:
        """What the two networks take of one clip, and that it is heard."""
        heard = torch.ones(1, dtype=torch.bool, device="meta")
        return (*self.video.example_inputs, *self.audio.example_inputs, heard)

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        if isinstance(self.audio, AudioClassifier):
            self.audio.refuse_other_sound(getattr(self.trainer, "datamodule", None))

    @override
    def forward(self, frames: Tensor, sound: Tensor, heard: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W), sound (B, samples), whether there is any (B,) -> logits (B, K)."""
        return self._fused(self.video(frames), self.audio(sound), heard)

    @override
    def logits_of(self, batch: Mapping[str, Any]) -> Tensor:
        # asks the two networks as a training asks them: a frozen one may know the clip already
        return self._fused(self.video.logits_of(batch), self.audio.logits_of(batch), batch["heard"])

    def _fused(self, seen: Tensor, listened: Tensor, heard: Tensor) -> Tensor:
        """What the two networks say (B, ...), whether there is sound (B,) -> logits (B, K)."""
        both = torch.stack([self.from_video(seen), self.from_audio(listened)], dim=1)  # (B, 2, D)
        logits: Tensor = self.classifier(self.dropout(self.fusion(both, self._there(heard))))
        return logits  # (B, K)

    def _there(self, heard: Tensor) -> Tensor:
        """(B, 2) which senses count: all there is, but for the one to do without and those that training hides."""
        there = torch.stack([torch.ones_like(heard), heard], dim=1)  # (B, 2)
        if self.without is not None:
            there[:, SENSES.index(self.without)] = False
        if self.training and self.drop_sense:
            dropped = torch.rand(len(heard), device=heard.device) < self.drop_sense  # (B,)
            which = torch.randint(len(SENSES), (len(heard),), device=heard.device)  # (B,)
            hidden = dropped[:, None] & (which[:, None] == torch.arange(2, device=heard.device))
            # who has one sense keeps it
            there = there & ~(hidden & there.all(dim=1, keepdim=True))
        return there


def tower(
    sense: Sense, name: str, inputs: tuple[str, ...], arguments: Mapping[str, Any]
) -> ClipClassifier:
    """A network by the import path of its class.

    Args:
        sense: What it is for.
        name: Such as "emorec.models.LateFusion".
        inputs: What of a batch it has to take.
        arguments: Of its class.

    Raises:
        UserError: When there is no such network, it takes something else, or not these arguments.
    """
    module, _, cls = name.rpartition(".")
    try:
        kind = getattr(import_module(module), cls)
    except (ImportError, AttributeError, ValueError):
        raise UserError(f"model.{sense} is {name}: there is no such class") from None
    if not (isinstance(kind, type) and issubclass(kind, ClipClassifier) and kind.inputs == inputs):
        takes = " and ".join(inputs)
        raise UserError(f"model.{sense} is {name}: it has to be a network that takes {takes} alone")
    try:
        network: ClipClassifier = kind(**arguments)
    except TypeError as error:
        raise UserError(f"model.{sense}_args: {str(error).partition('() ')[2] or error}") from None
    return network


def _without_head(network: ClipClassifier, num_features: int) -> nn.Linear:
    """Takes the last linear layer off a network; the layer that follows it instead."""
    name, head = [
        (name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear)
    ][-1]
    network.set_submodule(name, nn.Identity())
    return nn.Linear(head.in_features, num_features)
