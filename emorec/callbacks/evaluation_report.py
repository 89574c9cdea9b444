"""What validate, test and predict leave behind: a table, and files in the run's folder."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from typing_extensions import override

from emorec.callbacks.description import spans
from emorec.checkpoint import Checkpoint, class_path
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.errors import UserError
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions
from emorec.evaluation.predictions_file import write_predictions
from emorec.evaluation.report import RunFacts, metrics_table, write_report
from emorec.models.base import ClipClassifier
from emorec.models.cost import gflops_per_clip, num_parameters

log = logging.getLogger(__name__)


class EvaluationReport(Callback):
    """Writes what a checkpoint's network says of its clips into `<run folder>/<command>/` and prints the figures.

    Args:
        said: What the checkpoint says of itself.
        command: "validate", "test" or "predict".
    """

    def __init__(self, said: Checkpoint, command: str) -> None:
        self.said = said
        self.folder = said.run_folder / command
        self._command = command

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data = ClipDataModule.of(trainer)
        if class_path(type(data)) == self.said.data["class_path"]:
            refuse_known_actors(self.said, data, stage)
        if trainer.is_global_zero:
            warn_of_another_detector(self.said, data.split_record())
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f"can't write into {self.folder}: {error.strerror}") from error

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report(trainer, pl_module, ClipDataModule.of(trainer).sides["val"])

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report(trainer, pl_module, ClipDataModule.of(trainer).sides["test"])

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            data = ClipDataModule.of(trainer)
            path = self.folder / "predictions.csv"
            predictions = ClipClassifier.of(pl_module).collected
            write_predictions(
                path,
                predictions,
                **_names(data.everything, predictions),
                class_names=data.class_names,
            )
            print(f"{len(predictions)} clips: {path}")

    def _report(self, trainer: Trainer, module: LightningModule, clips: list[Clip]) -> None:
        if not trainer.is_global_zero:
            return
        data = ClipDataModule.of(trainer)
        network = ClipClassifier.of(module)
        predictions = network.collected
        summary = summarize(predictions)
        facts = RunFacts(
            split=data.split_record(),
            model=class_path(type(network)),
            num_parameters=num_parameters(network),
            gflops_per_clip=gflops_per_clip(network),
            checkpoint=str(self.said.path),
            train_seconds=self.said.train_seconds,
            epochs=self.said.epochs,
        )
        write_report(
            self.folder,
            summary,
            facts,
            predictions,
            **_names(clips, predictions),
            class_names=data.class_names,
        )
        whom = "unseen actors" if self._command == "test" else "its validation actors"
        actors = spans(list(dict.fromkeys(clip.actor for clip in clips)))
        title = f"{type(network).__name__} on {whom} {actors}"
        console = Console()
        console.print(metrics_table(summary, data.class_names, title))
        console.print(f"written to {self.folder}", soft_wrap=True, highlight=False)


def refuse_known_actors(said: Checkpoint, data: ClipDataModule, stage: str) -> None:
    """Stops when the network has seen the people it is to be measured on.

    Raises:
        UserError: When an actor to test trained the network or chose its epoch, or one to validate trained it.
    """
    known = {"test": ("train", "val"), "validate": ("train",)}.get(stage, ())
    asked = set(getattr(data.split, "val" if stage == "validate" else "test"))
    for side in known:
        both = sorted(asked & set(said.split[side]))
        if both:
            raise UserError(
                f"actors {', '.join(map(str, both))} of split {data.split.name} were in {side} when {said.path} "
                "was trained: it can't be measured on them"
            )


def warn_of_another_detector(said: Checkpoint, split: Mapping[str, Any]) -> None:
    """Tells when faces are cut out by another detector than the one that the network was trained with."""
    trained, now = said.split.get("face_detector"), split.get("face_detector")
    if trained != now:
        log.warning(
            "trained on %s, measured on %s: faces lie elsewhere in the picture",
            f"faces found by {trained}" if trained else "whole pictures",
            f"faces found by {now}" if now else "whole pictures",
        )


def _names(clips: list[Clip], predictions: Predictions) -> dict[str, list[str]]:
    predicted = [clips[int(index)] for index in predictions.index]
    return {
        "paths": [str(Path(clip.path)) for clip in predicted],
        "actors": [str(clip.actor) for clip in predicted],
    }
