"""What all networks share: arguments, the one step, metrics, optimizer."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import LRSchedulerConfigType, LRSchedulerTypeUnion
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassRecall
from typing_extensions import override

from emorec.errors import UserError
from emorec.evaluation.metrics import ClassificationSummary, summarize
from emorec.evaluation.predictions import PredictionCollector, Predictions
from emorec.layers.normalize import IMAGENET, Normalize, PixelStatistics
from emorec.layers.pretrained import pretrained_skipped
from emorec.models.schedule import Schedule, make_schedulers

LOGGED = ("loss", "accuracy", "uar", "macro_f1", "ece")
"""What is logged of a validation or test, as `val/uar`."""


class ClipClassifier(LightningModule):
    """A network that names the emotion of a clip; a subclass adds its layers and `forward`.

    A batch holds frames (B, T, 3, H, W) uint8, label (B,) and index (B,), the clips' positions in their data set
    (see `emorec/data/clip.py` for the axes, and for what else there may be). `forward` takes what `inputs` names.

    Args:
        num_classes: K.
        num_frames: T.
        image_size: Side of the frames in pixels.
        label_smoothing: Share of the truth that is spread over all classes, 0 to 1.
        optimizer: "adam" or "adamw".
        lr: Full learning rate.
        weight_decay: Of the optimizer: a gradient of the weights in "adam", apart from it in "adamw".
        scheduler: "cosine" to 0 at the end of the run, "plateau" on validation accuracy, or "none".
        plateau_patience: Validations without progress until the rate is divided by 10.
        warmup_epochs: Epochs in which the rate rises to its full value.
        compile: Let torch.compile make the network faster, after half a minute of work.

    Attributes:
        predictions: Those of the last validation, test or prediction; `None` before the first.
    """

    statistics: ClassVar[PixelStatistics] = IMAGENET
    inputs: ClassVar[tuple[str, ...]] = ("frames",)
    class_weights: Tensor | None

    def __init__(
        self,
        *,
        num_classes: int = 8,
        num_frames: int = 10,
        image_size: int = 224,
        label_smoothing: float = 0.0,
        optimizer: Literal["adam", "adamw"] = "adamw",
        lr: float = 1e-4,
        weight_decay: float = 1e-2,
        scheduler: Schedule = "none",
        plateau_patience: int = 2,
        warmup_epochs: float = 0.0,
        compile: bool = False,  # noqa: A002 - its name on the command line
    ) -> None:
        super().__init__()
        # Lightning's command line would add two keys that no constructor takes.
        self.save_hyperparameters(ignore=["_class_path", "_instantiator"])
        if not (lr > 0 and weight_decay >= 0 and 0 <= label_smoothing < 1 and warmup_epochs >= 0):
            raise UserError(
                f"lr {lr} has to be above 0, weight_decay {weight_decay} and warmup_epochs {warmup_epochs} "
                f"at least 0, and label_smoothing {label_smoothing} from 0 to below 1"
            )
        self.num_classes = num_classes
        self.num_frames = num_frames
        self.image_size = image_size
        self.label_smoothing = label_smoothing
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.scheduler: Schedule = scheduler
        self.plateau_patience = plateau_patience
        self.warmup_epochs = warmup_epochs
        self.compiled = compile
        self.normalize = Normalize(self.statistics)
        self.register_buffer("class_weights", None, persistent=False)
        accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)
        recall = MulticlassRecall(num_classes, average="macro", validate_args=False)
        f1 = MulticlassF1Score(num_classes, average="macro", validate_args=False)
        self.train_metrics = MetricCollection(
            {"train/accuracy": accuracy, "train/uar": recall, "train/macro_f1": f1}
        )
        self.collector = PredictionCollector(num_classes)
        self.predictions: Predictions | None = None

    @classmethod
    @override
    def load_from_checkpoint(cls, *args: Any, **kwargs: Any) -> Self:
        # The checkpoint has all weights: those it started from need not be there any more.
        with pretrained_skipped():
            return super().load_from_checkpoint(*args, **kwargs)

    @classmethod
    def of(cls, module: LightningModule) -> Self:
        """The network that a trainer works on.

        Raises:
            UserError: When it is of another kind.
        """
        if not isinstance(module, cls):
            raise UserError(
                f"this needs an emorec.models.{cls.__name__}, not a {type(module).__name__}"
            )
        return module

    @property
    def collected(self) -> Predictions:
        """The predictions of the last validation, test or prediction.

        Raises:
            RuntimeError: Before the first.
        """
        if self.predictions is None:
            raise RuntimeError("no clip was predicted yet")
        return self.predictions

    @property
    def example_inputs(self) -> tuple[Tensor, ...]:
        """What `forward` takes of one clip, on the meta device: (1, T, 3, H, W) uint8 without its memory."""
        shape = (1, self.num_frames, 3, self.image_size, self.image_size)
        return (torch.zeros(shape, dtype=torch.uint8, device="meta"),)

    def normalized(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> the same shape and strides, float, around zero.

        Raises:
            ValueError: When there are other than T frames of three channels.
        """
        if frames.ndim != 5 or frames.shape[1:3] != (self.num_frames, 3):
            raise ValueError(
                f"expected frames (B, {self.num_frames}, 3, H, W), got {tuple(frames.shape)}"
            )
        normalized: Tensor = self.normalize(frames)
        return normalized

    @override
    def setup(self, stage: str) -> None:
        if stage == "fit":
            data = getattr(self.trainer, "datamodule", None)
            self.class_weights = getattr(data, "class_weights", None)
        if self.compiled:
            self.compile()

    def step(self, batch: Mapping[str, Any], stage: Literal["train", "evaluate"]) -> Tensor:
        """The logits (B, K) of a batch, which the figures of the epoch then include.

        Where a batch has several views of each clip to evaluate, it is the logarithm of their mean probabilities: a
        clip is one prediction, however often it is looked at.
        """
        if stage == "train" or "views" not in batch:
            logits = self.logits_of(batch)  # (B, K)
        else:
            logits = mean_prediction(
                [self.logits_of({**batch, "frames": view}) for view in batch["views"]]
            )
        if stage == "train":
            self.train_metrics.update(logits, batch["label"])
        else:
            self.collector.update(batch["index"], batch["label"], logits)
        return logits

    def logits_of(self, batch: Mapping[str, Any]) -> Tensor:
        """Logits (B, K) of a batch of clips."""
        logits: Tensor = self(*(batch[name] for name in self.inputs))
        return logits

    @override
    def training_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> Tensor:
        logits = self.step(batch, "train")
        loss = cross_entropy(
            logits,
            batch["label"],
            weight=self.class_weights,
            label_smoothing=self.label_smoothing,
        )
        log = partial(self.log, "train/loss", prog_bar=True, on_step=True, on_epoch=True)
        log(loss, batch_size=len(logits), sync_dist=True)
        self.log_dict(self.train_metrics, on_step=False, on_epoch=True)
        return loss

    @override
    def validation_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        self.step(batch, "evaluate")

    @override
    def test_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        self.step(batch, "evaluate")

    @override
    def predict_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Index (B,) and probabilities (B, K) of a batch."""
        logits = self.step(batch, "evaluate")
        return {"index": batch["index"], "probabilities": logits.float().softmax(dim=1)}

    @override
    def on_train_start(self) -> None:
        self.train()  # Lightning keeps the modes that it finds; what is frozen has to be in evaluation mode

    @override
    def on_validation_epoch_start(self) -> None:
        self.collector.reset()

    @override
    def on_test_epoch_start(self) -> None:
        self.collector.reset()

    @override
    def on_predict_epoch_start(self) -> None:
        self.collector.reset()

    @override
    def on_validation_epoch_end(self) -> None:
        summary = self._summarize("val")
        # Here and not through Lightning, which steps a plateau after ModelCheckpoint has saved the epoch: a run that
        # goes on from that checkpoint would have missed the step and end otherwise than an undisturbed one.
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            for config in self.trainer.lr_scheduler_configs:
                if isinstance(config.scheduler, ReduceLROnPlateau):
                    config.scheduler.step(summary.accuracy)

    @override
    def on_test_epoch_end(self) -> None:
        self._summarize("test")

    @override
    def on_predict_epoch_end(self) -> None:
        self.predictions = self.collector.compute()

    def _summarize(self, stage: Literal["val", "test"]) -> ClassificationSummary:
        """Takes in the predictions of all processes, which then all know and log the same figures."""
        self.predictions = self.collector.compute()
        summary = summarize(self.predictions)
        figures = {f"{stage}/{name}": getattr(summary, name) for name in LOGGED}
        # The maximum of equal numbers is exactly that number; a mean over three processes need not be.
        self.log_dict(figures, reduce_fx="max", sync_dist=True)
        return summary

    @override
    def lr_scheduler_step(self, scheduler: LRSchedulerTypeUnion, metric: Any | None) -> None:
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    @override
    # Lightning takes dictionaries here, but its type does not say so.
    def configure_optimizers(  # type: ignore[override]
        self,
    ) -> tuple[list[Optimizer], list[LRSchedulerConfigType]]:
        kind = {"adam": Adam, "adamw": AdamW}[self.optimizer]
        # One pass over the weights instead of ten: up to a third of a small batch's time. It unscales fp16 gradients
        # itself, after they would have been clipped.
        fused = self.device.type in ("cpu", "cuda") and not self.trainer.gradient_clip_val
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = kind(trained, lr=self.lr, weight_decay=self.weight_decay, fused=fused or None)
        self.trainer.fit_loop.setup_data()  # else an endless run does not know the steps of an epoch
        total_steps = self.trainer.estimated_stepping_batches
        if self.scheduler == "cosine" and math.isinf(total_steps):
            raise UserError(
                "scheduler cosine has to know where the run ends: set --trainer.max_epochs, "
                "or choose --model.scheduler plateau"
            )
        steps_an_epoch = math.ceil(
            self.trainer.num_training_batches / self.trainer.accumulate_grad_batches
        )
        schedulers = make_schedulers(
            optimizer,
            self.scheduler,
            warmup_steps=round(self.warmup_epochs * steps_an_epoch),
            total_steps=total_steps,
            plateau_patience=self.plateau_patience,
        )
        return [optimizer], schedulers


def mean_prediction(logits: Sequence[Tensor]) -> Tensor:
    """N times (B, K) logits -> (B, K), the logarithm of the mean of their probabilities, in float32.

    >>> sure, undecided = torch.tensor([[50.0, 0.0]]), torch.tensor([[7.0, 7.0]])
    >>> mean_prediction([sure, undecided]).exp()
    tensor([[0.7500, 0.2500]])

    Source: Krizhevsky et al. 2012, section 4.1 (the softmax layer's predictions are averaged).
    """
    each = torch.stack([view.float().log_softmax(dim=1) for view in logits])  # (N, B, K)
    return each.logsumexp(dim=0) - math.log(len(logits))  # (B, K)
