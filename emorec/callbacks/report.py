"""What validate, test and predict leave: a table in the terminal, and files in the run's folder."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from typing_extensions import override

from emorec.callbacks.held_out import check_unseen_actors
from emorec.checkpoint import Checkpoint, add_temperature, class_path
from emorec.console import make_console
from emorec.data.augment import check_num_views
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.data.sets.affwild2.datamodule import AffWild2DataModule
from emorec.errors import UserError
from emorec.evaluation.calibration import fit_temperature
from emorec.evaluation.predictions import write_predictions
from emorec.evaluation.report import RunInfo, scores_table, write_report
from emorec.models.adaptation import Enrolment, describe
from emorec.models.base import ClipNetwork
from emorec.models.flops import gflops_per_clip, num_parameters
from emorec.models.fusion import Fusion
from emorec.text import number_ranges

log = logging.getLogger(__name__)


class EvaluationReport(Callback):
    """Writes the predictions and scores of a checkpoint's network into `<run folder>/<command>/` and prints the scores.

    Args:
        checkpoint: The checkpoint.
        command: "validate", "test" or "predict".
        num_views: Views of each clip whose predictions are averaged, 1 to 10.
        variant: What makes this measurement another one than the plain test, such as "without_sound"; the folder is
            then `<command>_<variant>`.
        calibrate: Report calibrated probabilities too, by the checkpoint's temperature for so many views. If it has
            none, "validate" fits one and writes it into the checkpoint.

    Raises:
        UserError: When the number of views is not supported, or a temperature is missing that only validation clips may
            decide.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        command: str,
        *,
        num_views: int = 1,
        calibrate: bool = False,
        variant: str = "",
    ) -> None:
        check_num_views(num_views)
        self.checkpoint = checkpoint
        self.folder = checkpoint.run_folder / (f"{command}_{variant}" if variant else command)
        self._command = command
        self._num_views = num_views
        self._variant = variant
        if calibrate and not checkpoint.class_names:
            raise UserError(
                f"--calibrate is about probabilities of classes, and {checkpoint.name} predicts numbers: leave it out"
            )
        if calibrate and variant and command == "validate":
            raise UserError(
                "--calibrate fits the temperature of the plain network: leave out --drop and --enrol"
            )
        self._temperature = checkpoint.temperatures.get(num_views) if calibrate else None
        self._fits_temperature = calibrate and self._temperature is None
        if self._fits_temperature and checkpoint.is_shared:
            raise UserError(
                f"{checkpoint.name} has no temperature for this, and a shared network can't be given one: calibrate a "
                f"copy, emorec export --ckpt {checkpoint.name} --format safetensors"
            )
        if self._fits_temperature and command != "validate":
            raise UserError(no_temperature(checkpoint, num_views))

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data = ClipDataModule.of(trainer)
        data.num_views = self._num_views
        check_same_classes(self.checkpoint, data)
        if class_path(type(data)) == self.checkpoint.data["class_path"]:
            check_unseen_actors(self.checkpoint, data.split, stage)
        if self._fits_temperature:
            check_validation_actors(self.checkpoint, data)
        if trainer.is_global_zero:
            warn_of_other_detector(self.checkpoint, data.split_record())
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f"can't write into {self.folder}: {error.strerror}") from error

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        if trainer.is_global_zero:
            with suppress(OSError):  # it holds the results of an earlier call
                self.folder.rmdir()

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report(trainer, ClipNetwork.of(pl_module), ClipDataModule.of(trainer).subsets["val"])

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._report(trainer, ClipNetwork.of(pl_module), ClipDataModule.of(trainer).subsets["test"])

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        data, network = ClipDataModule.of(trainer), ClipNetwork.of(pl_module)
        task, collected = network.task, network.collected
        path = self.folder / "predictions.csv"
        table = task.table(
            collected.target,
            collected.output,
            **_paths_and_actors(data.all_clips, collected.index.numpy()),
            temperature=self._temperature,
        )
        write_predictions(path, task, table)
        print(f"{len(table)} clips: {path}")
        if isinstance(data, AffWild2DataModule):
            values = task.values(collected.output).astype(np.float32)
            print(data.write_submission(self.folder, collected.index.numpy(), values))

    def _report(self, trainer: Trainer, network: ClipNetwork, clips: Sequence[Clip]) -> None:
        if not trainer.is_global_zero:
            return
        data, task, collected = ClipDataModule.of(trainer), network.task, network.collected
        if self._fits_temperature:
            self._temperature = fit_temperature(collected.target, collected.output)
            add_temperature(self.checkpoint.path, self._num_views, self._temperature)
            print(f"fitted a temperature to these clips and saved it in {self.checkpoint.path}")
        smoothed = self._smoothed(data, network, clips)
        run = RunInfo(
            split=data.split_record(),
            model=class_path(type(network)),
            num_parameters=num_parameters(network),
            gflops_per_clip=gflops_per_clip(network),
            checkpoint=self.checkpoint.name,
            train_seconds=self.checkpoint.train_seconds,
            epochs=self.checkpoint.epochs,
            train_clips_per_second=self.checkpoint.train_clips_per_second,
            peak_memory_bytes=self.checkpoint.peak_memory_bytes,
            trained_on=self.checkpoint.trained_on,
            num_views=self._num_views,
            smoothed=smoothed,
            adapted=self._adapted(data, network),
        )
        write_report(
            self.folder,
            task,
            collected.target,
            collected.output,
            run,
            **_paths_and_actors(clips, collected.index.numpy()),
            temperature=self._temperature,
        )
        table = scores_table(
            task,
            collected.target,
            collected.output,
            self._title(data, network, clips),
            temperature=self._temperature,
            num_views=self._num_views,
        )
        console = make_console()
        console.print(table)
        if smoothed:
            line = f"smoothed, {smoothed['how']}: {task.headline(smoothed)}"  # type: ignore[arg-type]
            console.print(line, soft_wrap=True)
        console.print(f"written to {self.folder}", soft_wrap=True)

    def _title(self, data: ClipDataModule, network: ClipNetwork, clips: Sequence[Clip]) -> str:
        """Return the title of the table: which network, measured on which people."""
        people = data.split_record().get("whose", "actors")
        if data.split.shares_people:
            kind = f"{people} it was trained with,"
        else:
            kind = f"unseen {people}" if self._command == "test" else f"its validation {people}"
        actors = number_ranges(list(dict.fromkeys(clip.actor for clip in clips)))
        variant = f" {self._variant.replace('_', ' ')}" if self._variant else ""
        adapted = self._adapted(data, network)
        protocol = f", adapted by {adapted}" if adapted else ""
        return f"{type(network).__name__}{variant} on {kind} {actors}{protocol}"

    @staticmethod
    def _adapted(data: ClipDataModule, network: ClipNetwork) -> str | None:
        if data.adapt == "none":
            return None
        return describe(network.enrolment, network.names)

    def _smoothed(
        self, data: ClipDataModule, network: ClipNetwork, clips: Sequence[Clip]
    ) -> dict[str, str | float] | None:
        """Return how a data set's own submission smooths predictions over time, and the scores after that."""
        if not isinstance(data, AffWild2DataModule):
            return None
        task, collected = network.task, network.collected
        values = task.values(collected.output).astype(np.float32)
        smoothed = data.smooth_predictions(clips, collected.index.numpy(), values)
        if smoothed is None:
            return None
        how, values = smoothed
        scores = task.evaluate(collected.target, task.to_output(values))
        return {"how": how, **{name: it for name, it in scores.items() if name != "loss"}}


def _paths_and_actors(clips: Sequence[Clip], index: NDArray[np.int64]) -> dict[str, list[str]]:
    predicted = [clips[position] for position in index]
    return {
        "paths": [clip.address for clip in predicted],
        "actors": [str(clip.actor) for clip in predicted],
    }


def check_same_classes(checkpoint: Checkpoint, data: ClipDataModule) -> None:
    """Refuse data of other classes than the network's, or of another order of them.

    Raises:
        UserError: When they differ.
    """
    if data.class_names != checkpoint.class_names:
        raise UserError(
            f"{checkpoint.name} classifies {', '.join(checkpoint.class_names)}, and the data has "
            f"{', '.join(data.class_names)}: the classes have to be the same in the same order (of a CSV file set "
            "--data.labels)"
        )


def check_validation_actors(checkpoint: Checkpoint, data: ClipDataModule) -> None:
    """Refuse to fit a temperature to others than the validation actors of the training: they may be test actors.

    Raises:
        UserError: When the data set or the actors differ.
    """
    if (
        class_path(type(data)) != checkpoint.data["class_path"]
        or data.split_record()["val"] != checkpoint.split["val"]
    ):
        raise UserError(
            f"a temperature is fitted to the validation actors of {checkpoint.path}, "
            f"{number_ranges(checkpoint.split['val'])}: leave out --data.split and --data.fold"
        )


def no_temperature(checkpoint: Checkpoint, num_views: int) -> str:
    """Return the message of a command that can't calibrate."""
    views = f" --views {num_views}" if num_views > 1 else ""
    number = f" for {num_views} views of a clip" if num_views > 1 else ""
    return (
        f"{checkpoint.path} has no temperature{number}: fit one to its validation clips with "
        f"emorec validate --ckpt {checkpoint.path} --calibrate{views}"
    )


def warn_of_other_detector(checkpoint: Checkpoint, split: Mapping[str, Any]) -> None:
    """Warn when faces are not cropped or aligned as in training, or are found by another detector."""
    trained, measured = _faces_of(checkpoint.split), _faces_of(split)
    if trained != measured:
        log.warning("trained on %s, measured on %s: the frames differ", trained, measured)


def _faces_of(split: Mapping[str, Any]) -> str:
    """What frames show, from the record of a split; records without "face" are of crops or whole pictures."""
    if not split.get("face_detector"):
        return "whole pictures"
    kind = "aligned" if split.get("face") == "align" else "cropped"
    return f"{kind} faces found by {split['face_detector']}"


class PersonEnrolment(Callback):
    """Adapts each clip by some other clips of the same person instead of all; for networks with `data.adapt person`.

    Args:
        num_clips: K.
        class_names: Only clips of these classes are drawn; empty takes all.
        seed: Decides which.

    Raises:
        UserError: When K is below 1.
    """

    def __init__(self, num_clips: int, class_names: Sequence[str] = (), seed: int = 0) -> None:
        if num_clips < 1:
            raise UserError(f"--enrol is {num_clips}: choose a number of clips of at least 1")
        self.num_clips = num_clips
        self.class_names = tuple(class_names)
        self.seed = seed

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data = ClipDataModule.of(trainer)
        if data.adapt == "none":
            raise UserError(
                "--enrol is for networks that are adapted to a person: train one with --data.adapt person"
            )
        unknown = [name for name in self.class_names if name not in data.class_names]
        if unknown:
            raise UserError(
                f"--enrol_classes has {unknown[0]}: choose of {', '.join(data.class_names)}"
            )
        ClipNetwork.of(pl_module).enrolment = Enrolment(
            num_clips=self.num_clips,
            seed=self.seed,
            labels=frozenset(data.class_names.index(name) for name in self.class_names),
        )


class ModalityAblation(Callback):
    """Takes a stream or a network from a `Fusion`, to measure what it contributes.

    Args:
        modality: "frames", "landmarks", "sound", or the name of a network.
    """

    def __init__(self, modality: str) -> None:
        self.modality = modality

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if not isinstance(pl_module, Fusion):
            raise UserError(
                f"--drop takes a stream from a network of several, {type(pl_module).__name__} has one"
            )
        pl_module.ablate(self.modality)
