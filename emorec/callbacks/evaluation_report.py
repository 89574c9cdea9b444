"""What validate, test and predict leave behind: a table, and files in the run's folder."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from torch import Tensor
from typing_extensions import override

from emorec.callbacks.description import spans
from emorec.checkpoint import Checkpoint, class_path, keep_temperature
from emorec.data.augment import check_num_views
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.data.own_format import OwnFormat
from emorec.errors import UserError
from emorec.evaluation.calibration import fit_temperature
from emorec.evaluation.classification_results import ClassificationResults
from emorec.evaluation.results import Results
from emorec.evaluation.run_facts import RunFacts
from emorec.models.cost import gflops_per_clip, num_parameters
from emorec.models.network import ClipNetwork

log = logging.getLogger(__name__)


class EvaluationReport(Callback):
    """Writes what a checkpoint's network says of its clips into `<run folder>/<command>/` and prints the figures.

    Args:
        said: What the checkpoint says of itself.
        command: "validate", "test" or "predict".
        num_views: Views of each clip whose predictions are averaged, 1 to 10.
        without: The sense that the network does without; the folder is then `<command>_without_<sense>`.
        calibrate: Tell calibrated probabilities too, by the checkpoint's temperature for so many views. Where it has
            none "validate" fits one and writes it into the checkpoint.

    Raises:
        UserError: When there are not so many views, or a temperature is missing that only validation clips may decide.
    """

    def __init__(
        self,
        said: Checkpoint,
        command: str,
        *,
        num_views: int = 1,
        calibrate: bool = False,
        without: str | None = None,
    ) -> None:
        check_num_views(num_views)
        self.said = said
        self.folder = said.run_folder / (f"{command}_without_{without}" if without else command)
        self._without = without
        self._command = command
        self._num_views = num_views
        self._calibrates = calibrate
        if calibrate and not said.class_names:
            raise UserError(
                f"--calibrate is about probabilities of classes, and {said.path} predicts numbers: leave it out"
            )
        self._temperature = said.temperatures.get(num_views) if calibrate else None
        self._fits = calibrate and self._temperature is None
        if self._fits and command != "validate":
            raise UserError(no_temperature(said, num_views))

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data = ClipDataModule.of(trainer)
        data.num_views = self._num_views
        refuse_other_classes(self.said, data)
        if class_path(type(data)) == self.said.data["class_path"]:
            refuse_known_actors(self.said, data, stage)
        if self._fits:
            refuse_other_validation(self.said, data)
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
            results = ClipNetwork.of(pl_module).results(data.class_names or data.target_names)
            self._calibrate(results)
            results.write_predictions(path, **_names(data.all_clips, results.predictions.index))
            print(f"{len(results.predictions)} clips: {path}")
            if isinstance(data, OwnFormat):
                index = results.predictions.index.numpy()
                print(data.write_own_format(self.folder, index, results.values()))

    def _report(self, trainer: Trainer, module: LightningModule, clips: Sequence[Clip]) -> None:
        if not trainer.is_global_zero:
            return
        data = ClipDataModule.of(trainer)
        network = ClipNetwork.of(module)
        results = network.results(data.class_names or data.target_names)
        self._calibrate(results)
        smoothed = _smoothed(data, clips, results)
        facts = RunFacts(
            split=data.split_record(),
            model=class_path(type(network)),
            num_parameters=num_parameters(network),
            gflops_per_clip=gflops_per_clip(network),
            checkpoint=str(self.said.path),
            train_seconds=self.said.train_seconds,
            epochs=self.said.epochs,
            train_clips_per_second=self.said.train_clips_per_second,
            peak_memory_bytes=self.said.peak_memory_bytes,
            trained_on=self.said.trained_on,
            num_views=self._num_views,
            smoothed=smoothed[1] if smoothed else None,
        )
        results.write(self.folder, facts, **_names(clips, results.predictions.index))
        whose = data.split_record().get("whose", "actors")
        whom = f"unseen {whose}" if self._command == "test" else f"its validation {whose}"
        if data.split.shares_people:
            whom = f"{whose} it was trained with,"
        actors = spans(list(dict.fromkeys(clip.actor for clip in clips)))
        alone = f" without {self._without}" if self._without else ""
        title = f"{type(network).__name__}{alone} on {whom} {actors}"
        console = Console()
        console.print(results.table(title, num_views=self._num_views))
        if smoothed:
            console.print(smoothed[0], soft_wrap=True, highlight=False)
        console.print(f"written to {self.folder}", soft_wrap=True, highlight=False)

    def _calibrate(self, results: Results) -> None:
        """Lets the results tell calibrated probabilities, where that was asked for."""
        if not self._calibrates:
            return
        assert isinstance(results, ClassificationResults)
        if self._fits:
            self._temperature = fit_temperature(results.predictions)
            keep_temperature(self.said.path, self._num_views, self._temperature)
            print(f"fitted a temperature to these clips, which {self.said.path} now keeps")
        results.temperature = self._temperature


def refuse_known_actors(said: Checkpoint, data: ClipDataModule, stage: str) -> None:
    """Stops when the network has seen the people it is to be measured on.

    Raises:
        UserError: When an actor to test trained the network or chose its epoch, or one to validate trained it.
    """
    known = {"test": ("train", "val"), "validate": ("train",)}.get(stage, ())
    if data.split.shares_people and data.split.name == said.split["name"]:
        return  # whoever asks for such a split is told, and the record tells everybody else
    asked = set(getattr(data.split, "val" if stage == "validate" else "test"))
    for side in known:
        both = sorted(asked & set(said.split[side]))
        if both:
            raise UserError(
                f"actors {spans(both)} of split {data.split.name} were in {side} when {said.path} "
                "was trained: it can't be measured on them (other people of these names need other names)"
            )


def refuse_other_classes(said: Checkpoint, data: ClipDataModule) -> None:
    """Stops when the data has other classes than those that the network tells apart, or another order of them.

    Raises:
        UserError: When it has.
    """
    if data.class_names != said.class_names:
        raise UserError(
            f"{said.path} tells {', '.join(said.class_names)} apart, and the data has {', '.join(data.class_names)}: "
            "its classes have to be these, in this order (of a CSV file --data.labels says so)"
        )


def no_temperature(said: Checkpoint, num_views: int) -> str:
    """What a command says that can't calibrate."""
    views = f" --views {num_views}" if num_views > 1 else ""
    whose = f" for {num_views} views of a clip" if num_views > 1 else ""
    return (
        f"{said.path} has no temperature{whose}: fit one to its validation clips with "
        f"emorec validate --ckpt {said.path} --calibrate{views}"
    )


def refuse_other_validation(said: Checkpoint, data: ClipDataModule) -> None:
    """Stops when a temperature would be fitted to others than those who validated the training.

    Raises:
        UserError: When the data set or the actors are others: they may be those of the test.
    """
    if (
        class_path(type(data)) != said.data["class_path"]
        or data.split_record()["val"] != said.split["val"]
    ):
        raise UserError(
            f"a temperature is fitted to the actors who validated {said.path}, "
            f"{spans(said.split['val'])}: leave out --data.split and --data.fold"
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


def _smoothed(
    data: ClipDataModule, clips: Sequence[Clip], results: Results
) -> tuple[str, dict[str, str | float]] | None:
    """What is told of predictions that are smoothed over time: a line, and the figures; mostly nothing."""
    if not isinstance(data, OwnFormat):
        return None
    found = data.smoothed(clips, results.predictions.index.numpy(), results.values())
    if found is None:
        return None
    how, values = found
    means = results.of_values(values)
    figures = {name: figure for name, figure in means.summary.logged.items() if name != "loss"}
    return f"smoothed, {how}: {means.headline}", {"how": how, **figures}


def _names(clips: Sequence[Clip], index: Tensor) -> dict[str, list[str]]:
    predicted = [clips[position] for position in index.tolist()]
    return {
        "paths": [clip.address for clip in predicted],
        "actors": [str(clip.actor) for clip in predicted],
    }
