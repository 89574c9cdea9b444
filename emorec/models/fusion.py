"""Fusion of any networks: of frames, landmarks and sound."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn
from typing_extensions import override

from emorec.checkpoint import import_class
from emorec.errors import UserError
from emorec.models.base import ClipNetwork
from emorec.models.classifier import ClipClassifier

FeatureFusion = Literal["concat", "attention", "gated"]
FusionKind = Literal["log_mean", FeatureFusion]


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

    def __init__(self, num_modalities: int, num_features: int, fusion: FeatureFusion) -> None:
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


class Fusion(ClipClassifier):
    """Any networks of the package side by side: of frames, landmarks and sound.

    With "log_mean" each network is trained by its own loss, as if it were alone, and the logits are the mean of their
    log probabilities. The others replace the last layers of the networks by one classifier of fused features. All of
    them work with a modality missing: a clip without sound is classified by the other networks, and `ablated` drops
    networks.

    Args:
        networks: Each a class and its arguments, by a name of your choice, as in
            {"face": {"class_path": "emorec.models.LandmarkRNN", "init_args": {"hidden_size": 96}}}. With "log_mean"
            each may have its own `label_smoothing` and `mixup`; all else of the training is that of the fusion.
        fusion: "log_mean", "concat", "attention" or "gated", see `ModalityFusion`.
        num_features: Features of each network that are fused; unused with "log_mean".
        modality_dropout: Probability of dropping one network, chosen at random, from a training clip; unused with
            "log_mean".
        dropout: Before the last layer; unused with "log_mean".
        training: See `ClipClassifier`.

    Attributes:
        ablated: Names of the networks to leave out.

    Source: Kittler et al. 1998, On combining classifiers, equation 6 (the product rule is the mean of log
    probabilities); Singh & Fang 2020, arXiv:2006.08129, section 3 (concatenation, 64 features a modality); Neverova et
    al. 2016, ModDrop, section 3.2 (dropping a modality).
    """

    def __init__(
        self,
        *,
        networks: Mapping[str, Mapping[str, Any]],
        fusion: FusionKind = "log_mean",
        num_features: int = 64,
        modality_dropout: float = 0.0,
        dropout: float = 0.0,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        if self.mixup and fusion != "log_mean":
            raise UserError(
                f"model.mixup is {self.mixup:g}, and features of several streams are not mixed: choose 0, or fusion "
                "log_mean"
            )
        if self.cutmix:
            raise UserError(
                f"model.cutmix is {self.cutmix:g}: choose 0, and set it for the networks that take frames alone"
            )
        if not 0 <= modality_dropout <= 1:
            raise UserError(f"modality dropout is {modality_dropout}: choose a share from 0 to 1")
        if len(networks) < 2:
            raise UserError(f"model.networks has {len(networks)} networks: name two or more")
        self.modality_dropout = modality_dropout
        self.ablated: tuple[str, ...] = ()
        self.network_names = tuple(networks)
        shared = {
            "num_classes": self.num_classes,
            "num_frames": self.num_frames,
            "image_size": self.image_size,
            "lr": self.lr,
        }
        defaults = {"label_smoothing": self.label_smoothing, "mixup": self.mixup}
        for name, settings in networks.items():
            if not name.isidentifier():
                raise UserError(f"model.networks has the name {name!r}: choose letters and digits")
            if hasattr(self, name) or name in ("fusion", "dropout", "classifier"):
                raise UserError(
                    f"model.networks has the name {name!r}, which is taken: choose another"
                )
            self.add_module(
                name,
                make_network(name, settings, shared, defaults if fusion == "log_mean" else {}),
            )
        self.inputs = self._inputs()
        self.fusion: ModalityFusion | None = None
        if fusion != "log_mean":
            for name, network in zip(networks, self.networks, strict=True):
                head = nn.Sequential(_replace_head(network, num_features), nn.ReLU())
                self.add_module(f"from_{name}", head)
            self.fusion = ModalityFusion(len(networks), num_features, fusion)
            self.dropout = nn.Dropout(dropout)
            self.classifier = nn.Linear(self.fusion.num_features, self.num_classes)

    @property
    def networks(self) -> list[ClipClassifier]:
        """The networks in order."""
        return [cast("ClipClassifier", getattr(self, name)) for name in self.network_names]

    @property
    @override
    def cam_layer(self) -> nn.Module | None:
        layers = (network.cam_layer for network in self.networks)
        return next((layer for layer in layers if layer is not None), None)

    @property
    @override
    def example_inputs(self) -> tuple[Tensor, ...]:
        """Inputs of all networks for one clip, and the masks of clips with sound and frames with a face."""
        examples = {
            name: example
            for network in self.networks
            for name, example in zip(network.inputs, network.example_inputs, strict=True)
        }
        examples["heard"] = torch.ones(1, dtype=torch.bool, device="meta")
        examples["face_present"] = torch.ones(1, self.num_frames, dtype=torch.bool, device="meta")
        return tuple(examples[name] for name in self.inputs)

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        for network in self.networks:
            network.setup(stage)

    @override
    def prepare(self, stage: str) -> None:
        for network in self.networks:
            network.enrolment = self.enrolment
            network.prepare(stage)

    def ablate(self, name: str) -> None:
        """Leave out a network by its name, or all networks of a stream: "frames", "landmarks" or "sound".

        Raises:
            UserError: When there is none of that name, or none would be left.
        """
        self.ablated = tuple(
            each
            for each, network in zip(self.network_names, self.networks, strict=True)
            if name == each or name in network.streams
        )
        if not self.ablated or len(self.ablated) == len(self.network_names):
            streams = self.streams if len(self.streams) > 1 else ()
            choices = dict.fromkeys((*self.network_names, *streams))
            raise UserError(f"--drop is {name}: choose {' or '.join(choices)}")

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        """The entries of `inputs` -> logits (B, K)."""
        batch = dict(zip(self.inputs, inputs, strict=True))
        outputs = [network(*(batch[each] for each in network.inputs)) for network in self.networks]
        return self.fuse(outputs, self.present(batch))

    @override
    def output(self, batch: Mapping[str, Any]) -> Tensor:
        # through `output`, not `forward`: a frozen network may have cached the features of the clips
        outputs = [network.output(batch) for network in self.networks]
        return self.fuse(outputs, self.present(batch))

    @override
    def training_loss(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        if self.fusion is not None:
            return super().training_loss(batch)
        present = self.present(batch)  # (B, M)
        outputs, losses = [], []
        for network, mask in zip(self.networks, present.unbind(dim=1), strict=True):
            output = torch.zeros(len(mask), self.num_classes, device=mask.device)  # (B, K)
            if mask.any():  # a clip without a face teaches nothing about faces
                part = {name: values[mask] for name, values in batch.items()}
                logits, loss = network.training_loss(part)
                output[mask] = logits.detach().float()
                losses.append(loss)
            outputs.append(output)
        return self.fuse(outputs, present), torch.stack(losses).sum()

    def fuse(self, outputs: Sequence[Tensor], present: Tensor) -> Tensor:
        """Outputs (B, ...) of the M networks and a mask (B, M) of those to use -> logits (B, K)."""
        if self.fusion is None:
            logs = torch.stack([each.float().log_softmax(dim=1) for each in outputs], dim=1)
            weights = present.unsqueeze(2).to(logs)  # (B, M, 1)
            mean: Tensor = (weights * logs).sum(dim=1) / weights.sum(dim=1).clamp(min=1)  # (B, K)
            return mean
        heads = (getattr(self, f"from_{name}") for name in self.network_names)
        features = torch.stack(
            [head(output) for head, output in zip(heads, outputs, strict=True)], dim=1
        )  # (B, M, D)
        logits: Tensor = self.classifier(self.dropout(self.fusion(features, present)))  # (B, K)
        return logits

    def present(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return a mask (B, M) of the networks to use: all whose input is there, less ablated and dropped ones."""
        masks = []
        for name, network in zip(self.network_names, self.networks, strict=True):
            mask = network.has_input(batch)  # (B,)
            masks.append(torch.zeros_like(mask) if name in self.ablated else mask)
        present = torch.stack(masks, dim=1)  # (B, M)
        if self.training and self.modality_dropout and self.fusion is not None:
            (size, count), device = present.shape, present.device
            dropped = torch.rand(size, device=device) < self.modality_dropout  # (B,)
            which = torch.randint(count, (size,), device=device)  # (B,)
            hidden = dropped[:, None] & (which[:, None] == torch.arange(count, device=device))
            # a clip with a single modality keeps it
            present = present & ~(hidden & present.all(dim=1, keepdim=True))
        return present

    @override
    def parameter_groups(self) -> list[dict[str, Any]]:
        groups = [group for network in self.networks for group in network.parameter_groups()]
        if len(groups) == len(self.networks):
            return super().parameter_groups()
        grouped = {id(parameter) for group in groups for parameter in group["params"]}
        rest = [each for each in self.parameters() if id(each) not in grouped]
        return [*groups, {"params": rest}] if rest else groups

    def _inputs(self) -> tuple[str, ...]:
        inputs = dict.fromkeys(name for network in self.networks for name in network.inputs)
        streams = {stream for network in self.networks for stream in network.streams}
        if "sound" in streams:
            inputs["heard"] = None
        if "landmarks" in streams:
            inputs["face_present"] = None
        return tuple(inputs)


class AudioVisual(Fusion):
    """A video network and an audio network without their heads, a linear layer after each, fusion and a classifier.

    Args:
        video: Class of the video network, such as "emorec.models.LateFusion".
        video_args: Its arguments.
        audio: Class of the audio network, such as "emorec.models.AudioCNNRNN".
        audio_args: Its arguments.
        num_features: Features of each modality.
        fusion: "concat", "attention" or "gated", see `ModalityFusion`.
        drop_sense: Probability of dropping one modality, chosen at random, from a training clip.
        dropout: Before the last layer.
        training: See `ClipClassifier`.

    Source: Singh & Fang 2020, arXiv:2006.08129, section 3 (concatenation, 64 features a modality).
    """

    fixed_arguments: ClassVar[tuple[str, ...]] = ("networks", "modality_dropout")

    def __init__(
        self,
        *,
        video: str = "emorec.models.LateFusion",
        video_args: dict[str, Any] | None = None,
        audio: str = "emorec.models.AudioCNNRNN",
        audio_args: dict[str, Any] | None = None,
        num_features: int = 64,
        fusion: FeatureFusion = "concat",
        drop_sense: float = 0.0,
        dropout: float = 0.0,
        **training: Any,
    ) -> None:
        for name, path, stream in (("video", video, "frames"), ("audio", audio, "sound")):
            if network_class(name, path).inputs != (stream,):
                raise UserError(
                    f"model.{name} is {path}: choose a network that takes only {stream}, or join any networks with "
                    "emorec.models.Fusion"
                )
        super().__init__(
            networks={
                "video": {"class_path": video, "init_args": video_args or {}},
                "audio": {"class_path": audio, "init_args": audio_args or {}},
            },
            fusion=fusion,
            num_features=num_features,
            modality_dropout=drop_sense,
            dropout=dropout,
            **training,
        )


OF_THE_FUSION = signature(ClipNetwork).parameters.keys() - {"num_frames", "image_size"}
"""Arguments of a training that networks of a fusion can't have of their own."""


def make_network(
    name: str,
    settings: Any,
    shared: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> ClipClassifier:
    """Instantiate a network of a `Fusion`.

    Args:
        name: Its name, for error messages.
        settings: "class_path", such as "emorec.models.LateFusion", and "init_args".
        shared: Arguments of all networks.
        defaults: Arguments that a network may have of its own.

    Raises:
        UserError: If the class does not exist or does not accept these arguments.
    """
    if not isinstance(settings, Mapping) or "class_path" not in settings:
        raise UserError(
            f"the network {name} is {settings!r}: give all networks, each with class_path and init_args, in a YAML file"
        )
    cls = network_class(name, str(settings["class_path"]))
    arguments = settings.get("init_args") or {}
    for argument in sorted(OF_THE_FUSION & arguments.keys()):
        raise UserError(
            f"the network {name} has {argument}, but it is trained with the others: set --model.{argument} instead"
        )
    try:
        network: ClipClassifier = cls(**{**defaults, **arguments, **shared})
    except (TypeError, ValueError, KeyError) as error:
        reason = str(error).partition("() ")[2] or error
        raise UserError(f"the arguments of the network {name}: {reason}") from None
    return network


def network_class(name: str, path: str) -> type[ClipClassifier]:
    """Import the class of a network of a `Fusion`.

    Raises:
        UserError: If the class does not exist or is not a `ClipClassifier`.
    """
    try:
        cls = import_class(path if "." in path else f"emorec.models.{path}")
    except ImportError:
        raise UserError(f"the network {name} is {path}: there is no such class") from None
    if not (isinstance(cls, type) and issubclass(cls, ClipClassifier)):
        raise UserError(f"the network {name} is {path}: choose a class of emorec.models")
    return cls


def _replace_head(network: ClipClassifier, num_features: int) -> nn.Linear:
    """Remove the last linear layer of a network and return one with the same inputs and `num_features` outputs."""
    name, head = [
        (name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear)
    ][-1]
    network.set_submodule(name, nn.Identity())
    return nn.Linear(head.in_features, num_features)
