"""Audio-visual fusion of any video network and any audio network."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.checkpoint import import_class
from emorec.errors import UserError
from emorec.models.audio import AudioClassifier
from emorec.models.classifier import ClipClassifier

Fusion = Literal["concat", "attention", "gated"]


class ModalityFusion(nn.Module):
    """Fuse (B, M, D) features of M modalities, given a mask (B, M) of those present, into (B, num_features).

    Args:
        num_modalities: M.
        num_features: D.
        fusion: "concat" concatenates, with zeros for a missing modality; "attention" takes a mean weighted by one score
            a modality; "gated" takes a sum, each feature multiplied by a gate from 0 to 1 that depends on all
            modalities. The last two ignore missing modalities.

    Attributes:
        num_features: Size of the result: M * D for "concat", else D.

    Source: Bahdanau et al. 2015, Neural Machine Translation by Jointly Learning to Align and Translate, section 3.1
    (attention); Arevalo et al. 2017, Gated Multimodal Units for Information Fusion, section 3.1 (gated).
    """

    def __init__(self, num_modalities: int, num_features: int, fusion: Fusion) -> None:
        super().__init__()
        self.fusion = fusion
        self.num_features = num_features * (num_modalities if fusion == "concat" else 1)
        if fusion == "attention":
            self.score = nn.Sequential(
                nn.Linear(num_features, num_features), nn.Tanh(), nn.Linear(num_features, 1)
            )
        elif fusion == "gated":
            self.gate = nn.Linear(num_modalities * num_features, num_modalities * num_features)

    @override
    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """Features (B, M, D) and mask (B, M) bool -> (B, num_features)."""
        features = features * present.unsqueeze(2)  # (B, M, D)
        if self.fusion == "concat":
            return features.flatten(1)  # (B, M * D)
        if self.fusion == "attention":
            # finite, so that a clip without any modality gets equal weights instead of NaN
            lowest = torch.finfo(features.dtype).min
            score = self.score(features).squeeze(2).masked_fill(~present, lowest)  # (B, M)
            weight: Tensor = score.softmax(dim=1).unsqueeze(2)  # (B, M, 1)
        else:
            weight = self.gate(features.flatten(1)).sigmoid().view_as(features)  # (B, M, D)
        return (weight * features).sum(dim=1)  # (B, D)


Modality = Literal["video", "audio"]

MODALITIES: tuple[Modality, ...] = ("video", "audio")


class AudioVisual(ClipClassifier):
    """Two networks without their heads, a linear layer after each, then fusion and a classifier.

    Works with either modality missing: a clip without sound is classified by its frames, and `ablated` drops one.

    Args:
        video: Class of the video network, such as "emorec.models.LateFusion".
        video_args: Its arguments.
        audio: Class of the audio network, such as "emorec.models.AudioCNNRNN".
        audio_args: Its arguments.
        num_features: Features of each modality.
        fusion: "concat", "attention" or "gated", see `ModalityFusion`.
        drop_sense: Share of the training clips one modality of which, either with equal probability, is dropped.
        dropout: Before the last layer.
        training: See `ClipClassifier`.

    Attributes:
        ablated: The modality to leave out.

    Source: Singh & Fang 2020, arXiv:2006.08129, section 3 (concatenation, 64 features a modality); Neverova et al.
    2016, ModDrop, section 3.2 (dropping a modality).
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
            raise UserError(f"model.drop_sense is {drop_sense}: choose a share from 0 to 1")
        self.drop_sense = drop_sense
        self.ablated: Modality | None = None
        shared = {
            "num_classes": self.num_classes,
            "num_frames": self.num_frames,
            "image_size": self.image_size,
        }
        self.video = unimodal_network("video", video, ("frames",), {**(video_args or {}), **shared})
        self.audio = unimodal_network("audio", audio, ("sound",), {**(audio_args or {}), **shared})
        self.from_video = nn.Sequential(_replace_head(self.video, num_features), nn.ReLU())
        self.from_audio = nn.Sequential(_replace_head(self.audio, num_features), nn.ReLU())
        self.fusion = ModalityFusion(len(MODALITIES), num_features, fusion)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.fusion.num_features, self.num_classes)

    @property
    @override
    def cam_layer(self) -> nn.Module | None:
        return self.video.cam_layer

    @property
    @override
    def example_inputs(self) -> tuple[Tensor, ...]:
        """Inputs of both networks for one clip, and a mask (1,) of clips with sound."""
        heard = torch.ones(1, dtype=torch.bool, device="meta")
        return (*self.video.example_inputs, *self.audio.example_inputs, heard)

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        if isinstance(self.audio, AudioClassifier):
            self.audio.check_sound(getattr(self.trainer, "datamodule", None))

    @override
    def forward(self, frames: Tensor, sound: Tensor, heard: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W), sound (B, samples), mask (B,) of clips with sound -> logits (B, K)."""
        return self.fuse(self.video(frames), self.audio(sound), heard)

    @override
    def output(self, batch: Mapping[str, Any]) -> Tensor:
        # through `output`, not `forward`: a frozen video network may have cached the features of the clips
        return self.fuse(self.video.output(batch), self.audio.output(batch), batch["heard"])

    def fuse(self, video: Tensor, audio: Tensor, heard: Tensor) -> Tensor:
        """Features (B, ...) of both networks and a mask (B,) of clips with sound -> logits (B, K)."""
        features = torch.stack([self.from_video(video), self.from_audio(audio)], dim=1)  # (B, 2, D)
        fused = self.fusion(features, self.present_modalities(heard))  # (B, F)
        logits: Tensor = self.classifier(self.dropout(fused))  # (B, K)
        return logits

    def present_modalities(self, heard: Tensor) -> Tensor:
        """Return a mask (B, 2) of the modalities to use: all there are, less the ablated and the dropped ones."""
        present = torch.stack([torch.ones_like(heard), heard], dim=1)  # (B, 2)
        if self.ablated is not None:
            present[:, MODALITIES.index(self.ablated)] = False
        if self.training and self.drop_sense:
            dropped = torch.rand(len(heard), device=heard.device) < self.drop_sense  # (B,)
            which = torch.randint(len(MODALITIES), (len(heard),), device=heard.device)  # (B,)
            hidden = dropped[:, None] & (which[:, None] == torch.arange(2, device=heard.device))
            # a clip with a single modality keeps it
            present = present & ~(hidden & present.all(dim=1, keepdim=True))
        return present


def unimodal_network(
    modality: Modality, path: str, inputs: tuple[str, ...], arguments: Mapping[str, Any]
) -> ClipClassifier:
    """Instantiate a network by the import path of its class.

    Args:
        modality: The argument that names it, for error messages.
        path: Such as "emorec.models.LateFusion".
        inputs: Entries of a batch that it has to take.
        arguments: Of its class.

    Raises:
        UserError: When there is no such network, it takes other inputs, or not these arguments.
    """
    try:
        cls = import_class(path)
    except ImportError:
        raise UserError(f"model.{modality} is {path}: there is no such class") from None
    if not (isinstance(cls, type) and issubclass(cls, ClipClassifier) and cls.inputs == inputs):
        takes = " and ".join(inputs)
        raise UserError(f"model.{modality} is {path}: choose a network that takes only {takes}")
    try:
        network: ClipClassifier = cls(**arguments)
    except TypeError as error:
        reason = str(error).partition("() ")[2] or error
        raise UserError(f"model.{modality}_args: {reason}") from None
    return network


def _replace_head(network: ClipClassifier, num_features: int) -> nn.Linear:
    """Remove the last linear layer of a network and return one with the same inputs and `num_features` outputs."""
    name, head = [
        (name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear)
    ][-1]
    network.set_submodule(name, nn.Identity())
    return nn.Linear(head.in_features, num_features)
