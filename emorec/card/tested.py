"""What the test of a run tells of its checkpoint, and why there may be nothing to tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emorec.checkpoint import Checkpoint
from emorec.comparison.run import METRICS, PREDICTIONS, json_of, leaks_of, read_run
from emorec.data.split import format_people
from emorec.evaluation.predicted import Predicted

SENSES = ("audio", "video")


@dataclass(frozen=True, eq=False, kw_only=True)
class Tested:
    """A test of this very checkpoint.

    Attributes:
        metrics: The content of `test/metrics.json`.
        predicted: What was said of its N clips.
        leaks: A line for each two sides that share people.
        without: Sense -> the content of `test_without_<sense>/metrics.json`, where that was measured.
    """

    metrics: Mapping[str, Any]
    predicted: Predicted
    leaks: tuple[str, ...]
    without: Mapping[str, Mapping[str, Any]]

    @property
    def actors(self) -> list[str]:
        """Whose clips were predicted, numbers in their order before words."""
        people = set(self.predicted.actors)
        return sorted(people, key=lambda name: (not name.isdecimal(), name.zfill(9), name))

    @property
    def whom(self) -> str:
        """How many people, or films where nobody knows who is in them."""
        return format_people(len(self.actors), self.metrics["split"])


def read_test(said: Checkpoint) -> Tested | str:
    """The test of a checkpoint, or why there is none, as the end of "not measured: ...".

    Raises:
        UserError: When there is one that is broken.
    """
    folder = said.run_folder
    if not (folder / METRICS).exists() and not (folder / PREDICTIONS).exists():
        return "this network was never tested, or its test was not kept beside it"
    metrics = json_of(folder / METRICS, "test the run again")
    if difference := of_another(said, metrics):
        return f"{METRICS} is of another checkpoint ({difference})"
    predicted = read_run(folder).predicted
    without = {
        sense: json_of(path, f"test the run again with --drop {sense}")
        for sense in SENSES
        if (path := folder / f"test_without_{sense}" / METRICS.name).exists()
    }
    return Tested(
        metrics=metrics,
        predicted=predicted,
        leaks=leaks_of(metrics["split"], predicted.actors),
        without={sense: it for sense, it in without.items() if not of_another(said, it)},
    )


def of_another(said: Checkpoint, metrics: Mapping[str, Any]) -> str:
    """In what the network that was measured differs from the checkpoint; empty where it is the same.

    Two checkpoints of a run differ in the time spent on them, to the nanosecond, also where they hold the same weights.
    """
    for key, here in (
        ("model", said.model["class_path"]),
        ("epochs", said.epochs),
        ("train_seconds", said.train_seconds),
    ):
        there = metrics.get(key)
        if there != here:
            shown = (
                (f"{there:.1f}", f"{here:.1f}")
                if key == "train_seconds" and isinstance(there, float)
                else (there, here)
            )
            return f"its {key} is {shown[0]}, here it is {shown[1]}"
    return ""
