"""Base class of all networks: hyper-parameters, steps, logging, optimizers and learning-rate schedules."""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from itertools import cycle
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import LRSchedulerConfigType, LRSchedulerTypeUnion
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LinearLR, ReduceLROnPlateau
from torchmetrics import MetricCollection
from typing_extensions import override

from emorec.errors import UserError
from emorec.image_size import ImageSize, parse_image_size
from emorec.layers.pretrained import IMAGENET, Normalize, PixelStatistics, skip_pretrained

if TYPE_CHECKING:
    from emorec.evaluation.collector import Collected, PredictionCollector
    from emorec.evaluation.task import Task
    from emorec.models.adaptation import Enrolment

OptimizerName: TypeAlias = Literal["adam", "adamw", "sgd"]

MOMENTUM = 0.9
"""Of "sgd". Source: Krizhevsky et al. 2012, section 5."""

OPTIMIZERS: Mapping[OptimizerName, Callable[..., Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sgd": partial(SGD, momentum=MOMENTUM),
}

Schedule = Literal["plateau", "cosine", "inverse_time", "none"]
"""Divide the rate by 10 when validation stalls, decay it along a cosine or with the steps, or keep it."""

STREAMS = {
    "frames": "frames",
    "landmarks": "landmarks",
    "blendshapes": "landmarks",
    "sound": "sound",
    "embedding": "sound",
}
"""The stream of each input of a network."""

STREAM_SETTINGS = {
    "frames": "--data.frames true and --data.num_frames above 0",
    "landmarks": "--data.landmarks true",
    "sound": "--data.sound true",
    "embedding": "--data.sound_embedding both and --data.sound_seconds 4",
}
"""The settings with which a data module loads what a network takes."""

FINITE_EVERY_N_STEPS = 50
"""How often a training reads whether its losses are finite: reading waits for the GPU."""


class DivergedError(UserError):
    """The loss or the outputs of a network are NaN or infinite; raised by all processes of a run alike.

    Attributes:
        num_updates: Optimizer steps of the epoch before it; 0 in validate, test and predict.
    """

    def __init__(self, message: str, num_updates: int = 0) -> None:
        super().__init__(message)
        self.num_updates = num_updates


class ClipNetwork(LightningModule):
    """A network that predicts something of a clip; see its subclasses `ClipClassifier` and `ClipRegressor`.

    A batch holds frames (B, T, 3, H, W) uint8, label (B,) or (B, R) and index (B,), the positions of the clips in their
    data set; `emorec/data/clip.py` explains the axes and the optional entries. `forward` takes the entries of `inputs`.

    Args:
        num_frames: T.
        image_size: Side of the frames in pixels, or their height and width.
        optimizer: "adam", "adamw" or "sgd" (momentum 0.9).
        lr: Peak learning rate.
        weight_decay: Of the optimizer: L2 penalty in "adam" and "sgd", decoupled in "adamw".
        scheduler: "cosine" to 0 at the end of the run, "plateau" on validation accuracy (numbers: CCC),
            "inverse_time" for lr / (1 + lr_decay * step), or "none".
        plateau_patience: Validations without improvement before the rate is divided by 10.
        warmup_epochs: Epochs of linear warm-up.
        lr_decay: For scheduler inverse_time; at least 0.
        compile: Compile the network with torch.compile, which takes half a minute.

    Attributes:
        inputs: Entries of a batch that `forward` takes.
        statistics: Normalisation of the frames.
        names: Of the K classes in label order, "0", "1" ... until `setup`; or of the R numbers.
        collector: The outputs of an epoch; made by `setup`.
        enrolment: With `data.adapt person`, the clips that a clip is adapted by; `None`: all of the same person.
    """

    statistics: ClassVar[PixelStatistics] = IMAGENET
    inputs: tuple[str, ...] = ("frames",)
    fixed_arguments: ClassVar[tuple[str, ...]] = ()
    """Arguments of a parent class that a subclass sets and does not take itself."""

    names: tuple[str, ...]
    collector: "PredictionCollector"
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
        # the first two are added by Lightning's command line, no constructor takes them
        ignored = ["_class_path", "_instantiator", *self.fixed_arguments]
        self.save_hyperparameters(ignore=ignored)
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
        self._collected: Collected | None = None
        self.enrolment: Enrolment | None = None
        # of this epoch, counted from 1; infinite while all losses are finite
        self._diverged_step = torch.tensor(math.inf)

    @classmethod
    @override
    def load_from_checkpoint(cls, *args: Any, **kwargs: Any) -> Self:
        # the checkpoint has all weights: the pretrained file may be gone
        with skip_pretrained():
            return super().load_from_checkpoint(*args, **kwargs)

    @classmethod
    def of(cls, module: LightningModule) -> Self:
        """Return the module, checked to be of this class.

        Raises:
            UserError: When it is not.
        """
        if not isinstance(module, cls):
            raise UserError(
                f"this needs an emorec.models.{cls.__name__}, not a {type(module).__name__}"
            )
        return module

    @property
    @abstractmethod
    def task(self) -> "Task":
        """What is predicted, with its metrics and plots."""

    @property
    def monitor(self) -> str:
        """The logged metric that selects the best epoch."""
        return f"val/{self.task.score}"

    @property
    def collected(self) -> "Collected":
        """Outputs and targets of the last validation, test or prediction, the same in every process.

        Raises:
            RuntimeError: Before the first.
        """
        if self._collected is None:
            raise RuntimeError("nothing was predicted yet")
        return self._collected

    @property
    def example_inputs(self) -> tuple[Tensor, ...]:
        """Inputs of `forward` for one clip, on the meta device: frames (1, T, 3, H, W) uint8."""
        shape = (1, self.num_frames, 3, *self.image_size)
        return (torch.zeros(shape, dtype=torch.uint8, device="meta"),)

    @property
    def cam_layer(self) -> nn.Module | None:
        """The layer for Grad-CAM: its maps, (N, C, h, w) or (B, C, t, h, w), are averaged next; `None` without."""
        return None

    def normalized(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) of 0 to 255 -> normalised float frames of the same shape and strides.

        Raises:
            ValueError: When they are not T frames of three channels.
        """
        if frames.ndim != 5 or frames.shape[1:3] != (self.num_frames, 3):
            raise ValueError(
                f"expected frames (B, {self.num_frames}, 3, H, W), got {tuple(frames.shape)}"
            )
        normalized: Tensor = self.normalize(frames)
        return normalized  # (B, T, 3, H, W)

    @override
    def setup(self, stage: str) -> None:
        from emorec.evaluation.collector import PredictionCollector  # late: only a Trainer needs it

        self._check_inputs(getattr(self.trainer, "datamodule", None))
        self.collector = PredictionCollector(
            len(self.task.names), classes=self.task.kind == "classes"
        )
        if self.compiled:
            self.compile()

    def _check_inputs(self, data: object) -> None:
        """Refuse a data module of emorec that does not load what the network takes.

        Raises:
            UserError: When an entry of `inputs` is missing in its batches.
        """
        available: set[str] | None = getattr(data, "inputs", None)
        if available is None:
            return
        for stream, settings in STREAM_SETTINGS.items():
            if stream in self.inputs and stream not in available:
                raise UserError(f"{type(self).__name__} takes {stream}: set {settings}")

    @property
    def streams(self) -> tuple[str, ...]:
        """What the network takes, of "frames", "landmarks" and "sound"."""
        return tuple(dict.fromkeys(STREAMS[name] for name in self.inputs if name in STREAMS))

    def has_input(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return a mask (B,) of the clips with what the network takes: sound, a face in any frame."""
        masks = [
            *([batch["heard"]] if "sound" in self.streams else []),
            *([batch["face_present"].any(dim=1)] if "landmarks" in self.streams else []),
        ]
        if masks:
            return reduce(torch.logical_and, masks)
        first = batch[self.inputs[0]]
        return torch.ones_like(first.flatten(1)[:, 0], dtype=torch.bool)  # (B,)

    def output(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the logits (B, K) or numbers (B, R) for a batch."""
        output: Tensor = self(*(batch[name] for name in self.inputs))
        return output

    @abstractmethod
    def loss(self, output: Tensor, label: Tensor) -> Tensor:
        """Return the training loss, a scalar."""

    def prepare(self, stage: str) -> None:  # noqa: ARG002 - of subclasses
        """Compute what depends on the clips of a stage; called before its first batch.

        Args:
            stage: "fit", "validate", "test" or "predict".

        Raises:
            UserError: When the clips are to be adapted to and the network has no features for that.
        """
        data: Any = getattr(self.trainer, "datamodule", None)
        if getattr(data, "adapt", "none") == "none":
            return
        raise UserError(
            f"data.adapt is {data.adapt} and {type(self).__name__} has no features to adapt: choose --data.adapt none, "
            "or a network of landmarks or sound embeddings"
        )

    @override
    def on_fit_start(self) -> None:
        self.prepare("fit")

    @override
    def on_validation_start(self) -> None:
        if self.trainer.state.fn == "validate":
            self.prepare("validate")

    @override
    def on_test_start(self) -> None:
        self.prepare("test")

    @override
    def on_predict_start(self) -> None:
        self.prepare("predict")

    def training_loss(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Return the output for a training batch, for the metrics, and the loss."""
        output = self.output(batch)
        return output, self.loss(output, batch["label"])

    @abstractmethod
    def average_views(self, outputs: Sequence[Tensor]) -> Tensor:
        """Average the outputs of several test-time views of the same clips."""

    @override
    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:
        output, loss = self.training_loss(batch)
        step = torch.where(loss.detach().isfinite(), math.inf, batch_idx + 1.0)
        self._diverged_step = torch.minimum(self._diverged_step, step)
        self.train_metrics.update(output.float(), batch["label"])
        log = partial(self.log, "train/loss", prog_bar=True, on_step=True, on_epoch=True)
        log(loss, batch_size=len(output), sync_dist=True)
        self.log_dict(self.train_metrics, on_step=False, on_epoch=True)
        return loss

    def evaluate(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the output for a batch, averaged over its views if it has several, and collect it."""
        if "views" in batch:
            faces: tuple[Mapping[str, Tensor], ...] = ({}, batch.get("mirrored", {}))
            views = [
                self.output({**batch, "frames": view, **face})
                for view, face in zip(batch["views"], cycle(faces), strict=False)
            ]
            output = self.average_views(views)
        else:
            output = self.output(batch)
        self.collector.update(batch["index"], batch["label"], output)
        return output

    @override
    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        self.evaluate(batch)

    @override
    def test_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        self.evaluate(batch)

    @override
    def on_train_start(self) -> None:
        self.train()  # Lightning keeps the modes it finds; frozen modules have to be in evaluation mode
        self._diverged_step = torch.tensor(math.inf, device=self.device)

    @override
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if (batch_idx + 1) % FINITE_EVERY_N_STEPS == 0:
            self._check_losses()

    @override
    def on_train_epoch_end(self) -> None:
        self._check_losses()

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._check_losses()

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # a run that diverged is resumed with another learning rate
        scale_lr(checkpoint, self.lr / checkpoint[self.CHECKPOINT_HYPER_PARAMS_KEY]["lr"])

    @override
    def on_validation_epoch_start(self) -> None:
        if self.trainer.state.fn == "fit":
            self._check_losses()
        self.collector.reset()

    @override
    def on_test_epoch_start(self) -> None:
        self.collector.reset()

    @override
    def on_predict_epoch_start(self) -> None:
        self.collector.reset()

    @override
    def on_validation_epoch_end(self) -> None:
        scores = self._log_scores("val")
        # Here and not by Lightning, which steps a plateau after ModelCheckpoint has saved the epoch: a run resumed from
        # that checkpoint would miss the step and end differently from an uninterrupted one.
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            for config in self.trainer.lr_scheduler_configs:
                if isinstance(config.scheduler, ReduceLROnPlateau):
                    config.scheduler.step(scores[self.task.plateau_metric])

    @override
    def on_test_epoch_end(self) -> None:
        self._log_scores("test")

    @override
    def on_predict_epoch_end(self) -> None:
        self._collect()

    def _collect(self) -> "Collected":
        """Gather the outputs of all processes.

        Raises:
            DivergedError: When an output is not finite.
        """
        self._collected = collected = self.collector.compute()
        num_clips = int((~collected.output.isfinite()).any(dim=1).sum())
        if num_clips and not self.trainer.sanity_checking:
            what = f"outputs are NaN or infinite for {num_clips} of {len(collected)} clips"
            if self.trainer.state.fn != "fit":
                raise DivergedError(f"the network's {what}: choose another checkpoint")
            step = self.trainer.fit_loop.batch_idx + 1
            steps_per_update = self.trainer.accumulate_grad_batches
            raise self._diverged(f"validation {what}", step, math.ceil(step / steps_per_update))
        return collected

    def _check_losses(self) -> None:
        """Check the losses of this epoch so far, in all processes.

        Raises:
            DivergedError: When one was not finite.
        """
        first = self._diverged_step.to(self.device)
        step = float(self.trainer.strategy.reduce(first, reduce_op="min"))
        if math.isfinite(step):
            num_updates = (int(step) - 1) // self.trainer.accumulate_grad_batches
            raise self._diverged("the loss is NaN or infinite", int(step), num_updates)

    def _diverged(self, what: str, step: int, num_updates: int) -> DivergedError:
        return DivergedError(
            f"the training diverged in epoch {self.trainer.current_epoch + 1}, step {step}: {what}; "
            f"choose a --model.lr smaller than {self.lr:g}",
            num_updates,
        )

    def _log_scores(self, stage: Literal["val", "test"]) -> dict[str, float]:
        """Gather the outputs of all processes and log the same scores in each."""
        collected = self._collect()
        scores = self.task.evaluate(collected.target, collected.output)
        # The maximum of equal numbers is exactly that number; a mean over three processes need not be.
        logged = {f"{stage}/{name}": value for name, value in scores.items()}
        self.log_dict(logged, reduce_fx="max", sync_dist=True)
        return scores

    @override
    def lr_scheduler_step(self, scheduler: LRSchedulerTypeUnion, metric: Any | None) -> None:
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the trained parameters as an optimizer takes them; a group may have its own "lr"."""
        return [{"params": [each for each in self.parameters() if each.requires_grad]}]

    @override
    # Lightning takes dictionaries here, but its type does not say so.
    def configure_optimizers(  # type: ignore[override]
        self,
    ) -> tuple[list[Optimizer], list[LRSchedulerConfigType]]:
        # One pass over the weights instead of ten: up to a third of a small batch's time. It unscales fp16 gradients
        # itself, after they would have been clipped.
        fused = self.device.type in ("cpu", "cuda") and not self.trainer.gradient_clip_val
        optimizer = OPTIMIZERS[self.optimizer](
            self.parameter_groups(), lr=self.lr, weight_decay=self.weight_decay, fused=fused or None
        )
        self.trainer.fit_loop.setup_data()  # else an endless run does not know the steps of an epoch
        total_steps = self.trainer.estimated_stepping_batches
        if self.scheduler == "cosine" and math.isinf(total_steps):
            raise UserError(
                "scheduler cosine needs the end of the run: set --trainer.max_epochs, "
                "or choose --model.scheduler plateau"
            )
        steps_per_epoch = math.ceil(
            self.trainer.num_training_batches / self.trainer.accumulate_grad_batches
        )
        schedulers = make_schedulers(
            optimizer,
            self.scheduler,
            warmup_steps=round(self.warmup_epochs * steps_per_epoch),
            total_steps=total_steps,
            plateau_patience=self.plateau_patience,
            decay=self.lr_decay,
        )
        return [optimizer], schedulers


def warmup_cosine(step: int, *, warmup_steps: int, total_steps: float) -> float:
    """Return the factor of the learning rate at a step: linear warm-up, then half a cosine.

    Source: Loshchilov & Hutter 2017, SGDR, equation 5; the warm-up is of Goyal et al. 2017, section 2.2.

    >>> [round(warmup_cosine(step, warmup_steps=2, total_steps=6), 3) for step in range(7)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return (1 + math.cos(math.pi * min(1.0, progress))) / 2


def inverse_time(step: int, *, warmup_steps: int, decay: float) -> float:
    """Return the factor of the learning rate at a step: linear warm-up times Keras' `decay`.

    Source: Keras 2, `optimizers.SGD(decay=...)`: lr / (1 + decay * iterations).

    >>> [round(inverse_time(step, warmup_steps=0, decay=0.5), 3) for step in range(4)]
    [1.0, 0.667, 0.5, 0.4]
    """
    return min(1.0, (step + 1) / max(1, warmup_steps)) / (1 + decay * step)


def make_schedulers(
    optimizer: Optimizer,
    schedule: Schedule,
    *,
    warmup_steps: int,
    total_steps: float,
    plateau_patience: int,
    decay: float = 0.0,
) -> list[LRSchedulerConfigType]:
    """Return the schedulers of a run as Lightning takes them; empty when the rate never changes.

    Args:
        optimizer: The one whose learning rate they set.
        schedule: "plateau", "cosine", "inverse_time" or "none".
        warmup_steps: Optimizer steps until the peak rate.
        total_steps: Optimizer steps of the whole run, for "cosine".
        plateau_patience: Validations without improvement before the rate is divided.
        decay: For "inverse_time".
    """
    curve = f"lr-{type(optimizer).__name__}"  # one curve in TensorBoard, however many schedulers
    if schedule == "cosine":
        factor = partial(warmup_cosine, warmup_steps=warmup_steps, total_steps=total_steps)
        return [{"scheduler": LambdaLR(optimizer, factor), "interval": "step", "name": curve}]
    if schedule == "inverse_time":
        factor = partial(inverse_time, warmup_steps=warmup_steps, decay=decay)
        return [{"scheduler": LambdaLR(optimizer, factor), "interval": "step", "name": curve}]
    schedulers: list[LRSchedulerConfigType] = []
    if warmup_steps > 1:
        warmup = LinearLR(optimizer, start_factor=1 / warmup_steps, total_iters=warmup_steps - 1)
        schedulers.append({"scheduler": warmup, "interval": "step", "name": curve})
    if schedule == "plateau":
        plateau = ReduceLROnPlateau(optimizer, mode="max", patience=plateau_patience)
        # stepped by ClipNetwork, not by Lightning
        schedulers.append({"scheduler": plateau, "reduce_on_plateau": False, "name": curve})
    return schedulers


def scale_lr(checkpoint: Mapping[str, Any], factor: float) -> None:
    """Multiply all learning rates of the optimizers and schedulers in a checkpoint, wherever the schedule is."""
    for optimizer in checkpoint.get("optimizer_states", ()):
        for group in optimizer["param_groups"]:
            group |= {key: group[key] * factor for key in ("lr", "initial_lr") if key in group}
    for scheduler in checkpoint.get("lr_schedulers", ()):
        for key in {"base_lrs", "_last_lr"} & scheduler.keys():
            scheduler[key] = [lr * factor for lr in scheduler[key]]
