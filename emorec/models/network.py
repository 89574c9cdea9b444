"""What all networks share, whatever they say of a clip: arguments, the one step, optimizer, schedule."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import LRSchedulerConfigType, LRSchedulerTypeUnion
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import MetricCollection
from typing_extensions import override

from emorec.errors import UserError
from emorec.evaluation.collector import Collector
from emorec.evaluation.results import Results, Summary
from emorec.image_size import ImageSize, parse_image_size
from emorec.layers.normalize import IMAGENET, Normalize, PixelStatistics
from emorec.layers.pretrained import pretrained_skipped
from emorec.models.optimizer import OPTIMIZERS, OptimizerName
from emorec.models.schedule import Schedule, make_schedulers


class ClipNetwork(LightningModule):
    """A network that says something of a clip; `ClipClassifier` and `ClipRegressor` say what.

    A batch holds frames (B, T, 3, H, W) uint8, label (B,) or (B, R) and index (B,), the clips' positions in their data
    set (see `emorec/data/clip.py` for the axes, and for what else there may be). `forward` takes what `inputs` names.

    Args:
        num_frames: T.
        image_size: Side of the frames in pixels, or their height and width.
        optimizer: "adam", "adamw" or "sgd" (momentum 0.9).
        lr: Full learning rate.
        weight_decay: Of the optimizer: a gradient of the weights in "adam" and "sgd", apart from it in "adamw".
        scheduler: "cosine" to 0 at the end of the run, "plateau" on validation accuracy (of numbers: CCC),
            "inverse_time" for lr / (1 + lr_decay * step), or "none".
        plateau_patience: Validations without progress until the rate is divided by 10.
        warmup_epochs: Epochs in which the rate rises to its full value.
        lr_decay: See scheduler inverse_time; at least 0.
        compile: Let torch.compile make the network faster, after half a minute of work.

    Attributes:
        predictions: Those of the last validation, test or prediction; `None` before the first.
        monitor: The logged figure that chooses the best epoch.
        picture_tag: What TensorBoard calls the picture of a validation.
    """

    statistics: ClassVar[PixelStatistics] = IMAGENET
    inputs: ClassVar[tuple[str, ...]] = ("frames",)
    monitor: ClassVar[str]
    picture_tag: ClassVar[str]
    collector: Collector
    train_metrics: MetricCollection

    def __init__(
        self,
        *,
        num_frames: int = 10,
        image_size: ImageSize = 224,
        optimizer: OptimizerName = "adamw",
        lr: float = 1e-4,
        weight_decay: float = 1e-2,
        scheduler: Schedule = "none",
        plateau_patience: int = 2,
        warmup_epochs: float = 0.0,
        lr_decay: float = 1e-5,
        compile: bool = False,  # noqa: A002 - its name on the command line
    ) -> None:
        super().__init__()
        # Lightning's command line would add two keys that no constructor takes.
        self.save_hyperparameters(ignore=["_class_path", "_instantiator"])
        if not (lr > 0 and min(weight_decay, warmup_epochs, lr_decay) >= 0):
            raise UserError(
                f"lr {lr} has to be above 0, weight_decay {weight_decay}, warmup_epochs {warmup_epochs} and lr_decay "
                f"{lr_decay} at least 0"
            )
        self.num_frames = num_frames
        self.image_size = parse_image_size(image_size)
        self.optimizer: OptimizerName = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.scheduler: Schedule = scheduler
        self.plateau_patience = plateau_patience
        self.warmup_epochs = warmup_epochs
        self.lr_decay = lr_decay
        self.compiled = compile
        self.normalize = Normalize(self.statistics)
        self.predictions: Any = None

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
    def collected(self) -> Any:
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
        shape = (1, self.num_frames, 3, *self.image_size)
        return (torch.zeros(shape, dtype=torch.uint8, device="meta"),)

    @property
    def last_maps(self) -> nn.Module | None:
        """The layer whose maps, (N, C, h, w) or (B, C, t, h, w), are then averaged over all places; `None` without."""
        return None

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
        if self.compiled:
            self.compile()

    def given(self, batch: Mapping[str, Any]) -> tuple[Tensor, ...]:
        """What `forward` takes of a batch."""
        return tuple(batch[name] for name in self.inputs)

    @abstractmethod
    def output_of(self, batch: Mapping[str, Any]) -> Tensor:
        """What the network says of a batch of clips; where there are several views, one thing of each clip."""
        raise NotImplementedError

    @abstractmethod
    def loss_of(self, output: Tensor, label: Tensor) -> Tensor:
        """What a training step makes smaller, a single number."""
        raise NotImplementedError

    @abstractmethod
    def results(self, names: Sequence[str], predictions: Any = None) -> Results:
        """What there is to say of predictions.

        Args:
            names: Of what is predicted.
            predictions: The last ones, unless others are given.
        """
        raise NotImplementedError

    @abstractmethod
    def predictions_of(self, index: Tensor, target: Tensor, output: Tensor) -> Any:
        """Predictions that were taken apart, whole again."""
        raise NotImplementedError

    @abstractmethod
    def summary_of(self, predictions: Any) -> Summary:
        """The figures of predictions."""
        raise NotImplementedError

    def fitted_temperature(self, predictions: Any) -> float | None:
        """What would calibrate predictions; `None` where there is nothing to calibrate."""
        del predictions
        return None

    def step(self, batch: Mapping[str, Any], stage: Literal["train", "evaluate"]) -> Tensor:
        """What the network says of a batch, which the figures of the epoch then include."""
        if stage == "train":
            output = self.output_of({name: batch[name] for name in batch if name != "views"})
            self.train_metrics.update(output.float(), batch["label"])
        else:
            output = self.output_of(batch)
            self.collector.update(batch["index"], batch["label"], output)
        return output

    @override
    def training_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> Tensor:
        output = self.step(batch, "train")
        loss = self.loss_of(output, batch["label"])
        log = partial(self.log, "train/loss", prog_bar=True, on_step=True, on_epoch=True)
        log(loss, batch_size=len(output), sync_dist=True)
        self.log_dict(self.train_metrics, on_step=False, on_epoch=True)
        return loss

    @override
    def validation_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        self.step(batch, "evaluate")

    @override
    def test_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        self.step(batch, "evaluate")

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
                    config.scheduler.step(summary.progress)

    @override
    def on_test_epoch_end(self) -> None:
        self._summarize("test")

    @override
    def on_predict_epoch_end(self) -> None:
        self.predictions = self.collector.compute()

    def _summarize(self, stage: Literal["val", "test"]) -> Summary:
        """Takes in the predictions of all processes, which then all know and log the same figures."""
        self.predictions = self.collector.compute()
        summary = self.summary_of(self.predictions)
        figures = {f"{stage}/{name}": value for name, value in summary.logged.items()}
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
        # One pass over the weights instead of ten: up to a third of a small batch's time. It unscales fp16 gradients
        # itself, after they would have been clipped.
        fused = self.device.type in ("cpu", "cuda") and not self.trainer.gradient_clip_val
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = OPTIMIZERS[self.optimizer](
            trained, lr=self.lr, weight_decay=self.weight_decay, fused=fused or None
        )
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
            decay=self.lr_decay,
        )
        return [optimizer], schedulers
