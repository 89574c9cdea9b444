"""Base class of all classifiers: cross-entropy and the metrics of classes."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.distributions import Beta
from torch.nn.functional import cross_entropy
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassRecall
from typing_extensions import override

from emorec.errors import UserError
from emorec.models.base import ClipNetwork

if TYPE_CHECKING:
    from emorec.evaluation.task import Classification


class ClipClassifier(ClipNetwork):
    """A network that classifies the emotion of a clip; a subclass adds its layers and `forward`.

    Args:
        num_classes: K.
        label_smoothing: Share of the target spread over all classes, 0 to below 1.
        mixup: Parameter of the Beta distribution by which training clips are mixed in pairs; 0 mixes none.
        cutmix: As mixup, of the area of a rectangle pasted from another clip, the same in all frames. With both,
            each batch gets one of the two, at random.
        training: See `ClipNetwork`.

    Attributes:
        class_weights: Weights (K,) of the loss, where the data module has them.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        *,
        num_classes: int = 8,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        if num_classes < 1:
            raise UserError(
                f"{type(self).__name__} names classes and the data has none: for numbers such as valence and arousal "
                "choose a regressor, such as --model emorec.models.FaceRegressor"
            )
        if not 0 <= label_smoothing < 1:
            raise UserError(f"label_smoothing {label_smoothing} has to be from 0 to below 1")
        if not 0 <= mixup < math.inf:
            raise UserError(f"mixup {mixup} has to be a number of at least 0, such as 0.2")
        if not 0 <= cutmix < math.inf or (cutmix and self.inputs != ("frames",)):
            raise UserError(
                f"cutmix {cutmix} has to be a number of at least 0, and 0 for a network that takes more than frames"
            )
        self.num_classes = num_classes
        self.mixup = mixup
        self.cutmix = cutmix
        self.label_smoothing = label_smoothing
        self.names = tuple(str(label) for label in range(num_classes))
        self.register_buffer("class_weights", None, persistent=False)
        accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)
        recall = MulticlassRecall(num_classes, average="macro", validate_args=False)
        f1 = MulticlassF1Score(num_classes, average="macro", validate_args=False)
        self.train_metrics = MetricCollection(
            {"train/accuracy": accuracy, "train/uar": recall, "train/macro_f1": f1}
        )

    @property
    @override
    def task(self) -> "Classification":
        from emorec.evaluation.task import Classification  # late: a prediction has no metrics

        return Classification(self.names)

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = getattr(self.trainer, "datamodule", None)
        names = tuple(getattr(data, "class_names", ()))
        if len(names) == self.num_classes:
            self.names = names
        if stage == "fit":
            self.class_weights = getattr(data, "class_weights", None)

    @override
    def loss(self, output: Tensor, label: Tensor) -> Tensor:
        return cross_entropy(
            output, label, weight=self.class_weights, label_smoothing=self.label_smoothing
        )

    @override
    def training_loss(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Return the logits for a training batch, mixed with `mixup` or `cutmix`, and the loss.

        The first label of a mixed pair is that of the clip with the larger share.

        Source: Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization, section 2; Yun et al. 2019, CutMix,
        section 3.
        """
        if not (self.mixup or self.cutmix):
            return super().training_loss(batch)
        label = batch["label"]
        cuts = self.cutmix > 0 and (not self.mixup or bool(torch.rand(()) < 0.5))
        parameter = self.cutmix if cuts else self.mixup
        share = float(Beta(parameter, parameter).sample())
        share = max(share, 1 - share)
        order = torch.randperm(len(label)).to(label.device)
        if cuts:
            frames, share = paste(batch["frames"], order, share)
            mixed: Mapping[str, Any] = {**batch, "frames": frames}
        else:
            mixed = self.mixed_batch(batch, order, share)
        logits = self.output(mixed)
        loss = share * self.loss(logits, label) + (1 - share) * self.loss(logits, label[order])
        return logits, loss

    def mixed_batch(
        self, batch: Mapping[str, Any], order: Tensor, share: float
    ) -> Mapping[str, Any]:
        """Return a batch of `share` of each clip and the rest of another; see `mix`.

        Args:
            batch: Of B clips.
            order: (B,) the other clip of each.
            share: From 0 to 1.
        """
        return {**batch, **{name: mix(batch[name], order, share) for name in self.inputs}}

    @override
    def average_views(self, outputs: Sequence[Tensor]) -> Tensor:
        return mean_log_probability(outputs)

    @override
    def predict_step(self, batch: Mapping[str, Any], batch_idx: int) -> dict[str, Tensor]:
        """Return index (B,) and probabilities (B, K) of a batch."""
        logits = self.evaluate(batch)
        return {"index": batch["index"], "probabilities": logits.float().softmax(dim=1)}


def mix(values: Tensor, order: Tensor, share: float) -> Tensor:
    """Mix each of B values with another one; a mask (bool) is true where either is.

    >>> mix(torch.tensor([0, 4, 8]), torch.tensor([1, 2, 0]), share=0.75)
    tensor([1., 5., 6.])
    """
    others = values[order]
    if values.dtype == torch.bool:
        return values | others
    return torch.lerp(others.float(), values.float(), share)


def paste(frames: Tensor, order: Tensor, share: float) -> tuple[Tensor, float]:
    """Paste a rectangle of another clip, at a random place that is the same in all frames and clips, into each clip.

    Args:
        frames: (B, T, C, H, W).
        order: (B,) the other clip of each.
        share: Of the picture that stays; the rectangle may reach over the border, so that more stays.

    Returns:
        A copy of the frames, and the share that stayed.

    >>> black, white = torch.zeros(10, 3, 8, 8), torch.ones(10, 3, 8, 8)
    >>> frames, stayed = paste(torch.stack([black, white]), torch.tensor([1, 0]), share=0.75)
    >>> frames.mean(dim=(1, 2, 3, 4)).tolist() == [1 - stayed, stayed]
    True

    Source: Yun et al. 2019, CutMix, equation 2.
    """
    height, width = frames.shape[-2:]
    half = math.sqrt(1 - share) / 2
    y, x = torch.rand(2).tolist()
    top, bottom = (round(min(max(each, 0), 1) * height) for each in (y - half, y + half))
    left, right = (round(min(max(each, 0), 1) * width) for each in (x - half, x + half))
    pasted = frames.clone()
    pasted[..., top:bottom, left:right] = frames[order][..., top:bottom, left:right]
    return pasted, 1 - (bottom - top) * (right - left) / (height * width)


def mean_log_probability(logits: Sequence[Tensor]) -> Tensor:
    """Logits (B, K) of N views -> (B, K), the logarithm of the mean of their probabilities, in float32.

    >>> certain, undecided = torch.tensor([[50.0, 0.0]]), torch.tensor([[7.0, 7.0]])
    >>> mean_log_probability([certain, undecided]).exp()
    tensor([[0.7500, 0.2500]])

    Source: Krizhevsky et al. 2012, section 4.1 (the predictions of the softmax layer are averaged).
    """
    views = torch.stack([view.float().log_softmax(dim=1) for view in logits])  # (N, B, K)
    return views.logsumexp(dim=0) - math.log(len(logits))  # (B, K)
