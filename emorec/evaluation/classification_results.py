"""What there is to say of a measured classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.table import Table
from typing_extensions import override

from emorec.evaluation.calibration import Calibration, calibrated
from emorec.evaluation.figures import confusion_figure
from emorec.evaluation.metrics import ClassificationSummary, summarize
from emorec.evaluation.predictions import Predictions, most_confident_errors
from emorec.evaluation.predictions_file import write_predictions
from emorec.evaluation.report import metrics_table, write_report
from emorec.evaluation.results import Results
from emorec.evaluation.run_facts import RunFacts


@dataclass(eq=False)
class ClassificationResults(Results):
    """The classes that a network saw in clips.

    Attributes:
        predictions: Of N clips.
        class_names: K names in label order.
        temperature: At which the predictions are told too, where there is one.
    """

    predictions: Predictions
    class_names: Sequence[str]
    temperature: float | None = None

    @cached_property
    def summary(self) -> ClassificationSummary:  # type: ignore[override]
        """The figures."""
        return summarize(self.predictions)

    @cached_property
    def calibration(self) -> Calibration | None:
        """What becomes of predictions of known truth at the temperature."""
        return Calibration.of(self.predictions, self.temperature) if self.temperature else None

    @property
    @override
    def headline(self) -> str:
        return f"UAR {self.summary.uar:.1%}"

    @override
    def picture(self, title: str) -> Figure:
        return confusion_figure(self.summary.confusion_matrix, self.class_names, title)

    @override
    def worst(self, limit: int) -> list[tuple[int, str]]:
        said = self.predictions
        worst = []
        for row in most_confident_errors(said, limit):
            true = self.class_names[int(said.target[row])]
            taken = self.class_names[int(said.predicted[row])]
            caption = f"{true}, taken for {taken} ({float(said.confidence[row]):.0%})"
            worst.append((int(said.index[row]), caption))
        return worst

    @override
    def table(self, title: str, *, num_views: int = 1) -> Table:
        return metrics_table(
            self.summary,
            self.class_names,
            title,
            calibration=self.calibration,
            num_views=num_views,
        )

    @override
    def write(
        self, folder: Path, facts: RunFacts, *, paths: Sequence[str], actors: Sequence[str]
    ) -> None:
        write_report(
            folder,
            self.summary,
            facts,
            self.predictions,
            paths=paths,
            actors=actors,
            class_names=self.class_names,
            calibration=self.calibration,
        )

    @override
    def write_predictions(self, path: Path, *, paths: Sequence[str], actors: Sequence[str]) -> None:
        write_predictions(
            path,
            self.predictions,
            paths=paths,
            actors=actors,
            class_names=self.class_names,
            calibrated=calibrated(self.predictions, self.temperature) if self.temperature else None,
        )

    @override
    def of_values(self, values: NDArray[np.float32]) -> Self:
        said = self.predictions
        logits = torch.from_numpy(values).clamp(min=torch.finfo(torch.float32).tiny).log()
        return type(self)(Predictions(said.index, said.target, logits), self.class_names)

    @override
    def values(self) -> NDArray[np.float32]:
        said: NDArray[np.float32] = self.predictions.probabilities.numpy()
        return said
