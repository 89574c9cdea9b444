"""What there is to say of a network that predicts numbers."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich import box
from rich.markup import escape
from rich.table import Table
from typing_extensions import override

from emorec.evaluation.numbers_file import PredictedNumbers, write_numbers
from emorec.evaluation.plane import plane_figure
from emorec.evaluation.regression import (
    FIGURES,
    NumberPredictions,
    RegressionSummary,
    by_group,
    summarize_numbers,
)
from emorec.evaluation.results import Results
from emorec.evaluation.run_facts import RunFacts, number
from emorec.files import whole_file

HEADINGS = {"ccc": "CCC", "pcc": "PCC", "rmse": "RMSE", "sign_agreement": "sign"}


@dataclass(eq=False)
class RegressionResults(Results):
    """The numbers that a network gave clips.

    Attributes:
        predictions: Of N clips.
        target_names: R names.
    """

    predictions: NumberPredictions
    target_names: Sequence[str]

    @cached_property
    def summary(self) -> RegressionSummary:  # type: ignore[override]
        """The figures."""
        return summarize_numbers(self.predictions, self.target_names)

    @property
    @override
    def headline(self) -> str:
        return f"CCC {self.summary.score:.3f}"

    @override
    def picture(self, title: str) -> Figure:
        points = {"truth": self.predictions.target, "prediction": self.predictions.predicted}
        return plane_figure(points, self.target_names, title)

    @override
    def worst(self, limit: int) -> list[tuple[int, str]]:
        said = self.predictions
        away = (said.predicted - said.target).square().sum(dim=1)  # (N,)
        worst = []
        for row in away.argsort(descending=True, stable=True)[:limit].tolist():
            true, predicted = (
                _rounded(each[row].tolist()) for each in (said.target, said.predicted)
            )
            worst.append((int(said.index[row]), f"{true}, predicted {predicted}"))
        return worst

    @override
    def table(self, title: str, *, num_views: int = 1) -> Table:
        each = f", {num_views} views of each" if num_views > 1 else ""
        table = Table(box=box.SIMPLE_HEAD, show_footer=True, caption_style="", title_style="bold")
        table.title, table.caption = escape(title), f"{self.summary.num_clips} clips{each}"
        table.title_justify = table.caption_justify = "left"
        table.add_column("", "mean")
        for figure in FIGURES:
            mean = _shown(figure, self.summary.mean(figure))
            table.add_column(HEADINGS[figure], mean, justify="right")
        for name, scores in self.summary.per_target.items():
            cells = (_shown(figure, getattr(scores, figure)) for figure in FIGURES)
            table.add_row(escape(name), *cells)
        return table

    @override
    def write(
        self, folder: Path, facts: RunFacts, *, paths: Sequence[str], actors: Sequence[str]
    ) -> None:
        said = PredictedNumbers(
            tuple(paths), tuple(actors), tuple(self.target_names), self.predictions
        )
        groups = said.videos
        content = json.dumps(self._metrics(facts, groups), indent=2, allow_nan=False)
        self.write_predictions(folder / "predictions.csv", paths=paths, actors=actors)
        title = (
            f"{facts.model.rpartition('.')[2]}: {self.headline} on {len(self.predictions)} clips"
        )
        with whole_file(folder / "plane.png") as file:
            self.picture(title).savefig(file, format="png")
        with whole_file(folder / "metrics.json") as file:
            file.write(f"{content}\n".encode())

    def _metrics(self, facts: RunFacts, groups: Sequence[str]) -> dict[str, Any]:
        per_video = by_group(self.predictions, groups, self.target_names)
        return {
            **{name: number(value) for name, value in self.summary.logged.items()},
            "num_clips": self.summary.num_clips,
            "views": facts.num_views,
            "targets": list(self.target_names),
            "per_target": {
                name: asdict(scores) for name, scores in self.summary.per_target.items()
            },
            "per_video": {
                video: {"num_clips": own.num_clips}
                | {name: number(value) for name, value in own.logged.items()}
                for video, own in per_video.items()
            },
            **facts.plain(),
        }

    @override
    def write_predictions(self, path: Path, *, paths: Sequence[str], actors: Sequence[str]) -> None:
        write_numbers(
            path, self.predictions, paths=paths, actors=actors, target_names=self.target_names
        )

    @override
    def values(self) -> NDArray[np.float32]:
        said: NDArray[np.float32] = self.predictions.predicted.numpy()
        return said


def _shown(figure: str, value: float) -> str:
    return f"{value:.1%}" if figure == "sign_agreement" else f"{value:.3f}"


def _rounded(numbers: Sequence[float]) -> str:
    """Numbers as people read them.

    >>> _rounded([0.126, -1.0])
    '(0.13, -1.00)'
    """
    return f"({', '.join(f'{value:.2f}' for value in numbers)})"
