"""`predictions.csv` of a network that predicts numbers."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from typing_extensions import override

from emorec.errors import UserError
from emorec.evaluation.predicted import Predicted
from emorec.evaluation.regression import NumberPredictions
from emorec.files import whole_file

COLUMNS = ("path", "actor")
"""The first columns; one of the truth for each number follows, then one of the prediction."""

PREDICTED = "predicted "
"""What stands before the name of a number in the column of its prediction."""


@dataclass(frozen=True, eq=False)
class PredictedNumbers(Predicted):
    """The content of such a file.

    Attributes:
        target_names: R names.
        predictions: Rows 0 to N - 1.
    """

    target_names: tuple[str, ...]
    predictions: NumberPredictions

    @property
    @override
    def says(self) -> str:
        return f"predicts {', '.join(self.target_names)}"

    @property
    @override
    def names(self) -> tuple[str, ...]:
        return self.target_names

    @property
    @override
    def truths(self) -> list[tuple[float, ...]]:
        return [tuple(row) for row in self.predictions.target.tolist()]

    @property
    @override
    def clip_names(self) -> list[str]:
        return ["/".join(path.replace("\\", "/").split("/")[-2:]) for path in self.paths]

    @property
    def videos(self) -> list[str]:
        """N videos: a video is a folder of frames."""
        return [name.rpartition("/")[0] for name in self.clip_names]

    @override
    def at(self, rows: Sequence[int]) -> Self:
        index = torch.tensor(rows, dtype=torch.int64)
        kept = self.predictions.target[index], self.predictions.predicted[index]
        return type(self)(
            tuple(self.paths[row] for row in rows),
            tuple(self.actors[row] for row in rows),
            self.target_names,
            NumberPredictions(torch.arange(len(index)), *kept),
        )

    @classmethod
    @override
    def together(cls, parts: Sequence[Self]) -> Self:
        target = torch.cat([part.predictions.target for part in parts])
        predicted = torch.cat([part.predictions.predicted for part in parts])
        return cls(
            tuple(path for part in parts for path in part.paths),
            tuple(actor for part in parts for actor in part.actors),
            parts[0].target_names,
            NumberPredictions(torch.arange(len(target)), target, predicted),
        )


def write_numbers(
    path: Path,
    predictions: NumberPredictions,
    *,
    paths: Sequence[str],
    actors: Sequence[str],
    target_names: Sequence[str],
) -> None:
    """Writes a line for each prediction, whole or not at all; an unknown truth is empty.

    Raises:
        ValueError: When there are not N paths and actors.
        OSError: When the file can't be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *target_names, *(f"{PREDICTED}{name}" for name in target_names)])
    numbers = zip(
        paths, actors, predictions.target.tolist(), predictions.predicted.tolist(), strict=True
    )
    for clip, actor, true, said in numbers:
        known = ["" if math.isnan(value) else f"{value:.9g}" for value in true]
        writer.writerow([clip, actor, *known, *(f"{value:.9g}" for value in said)])
    with whole_file(path) as file:
        file.write(text.getvalue().encode("utf-8", errors="surrogateescape"))


def read_numbers(path: Path) -> PredictedNumbers:
    """What `write_numbers` wrote.

    Raises:
        UserError: When there is no such file, or it is not a file of predicted numbers.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    columns = header[len(COLUMNS) :]
    names = tuple(columns[: len(columns) // 2])
    if tuple(header) != (*COLUMNS, *names, *(f"{PREDICTED}{name}" for name in names)) or not names:
        raise UserError(
            f"{path} is no file of predicted numbers: its first line is not {','.join(COLUMNS)}, "
            "the names of the numbers and those of their predictions"
        )
    numbers = []
    for number, row in enumerate(rows, start=1):
        try:
            numbers.append([float(value or "nan") for value in row[len(COLUMNS) :]])
        except ValueError as error:
            raise UserError(f"{path}: clip {number} can't be read: {','.join(row)}") from error
        if len(row) != len(header):
            raise UserError(f"{path}: clip {number} has {len(row)} fields, not {len(header)}")
    table = torch.tensor(numbers, dtype=torch.float32).reshape(len(rows), 2 * len(names))
    return PredictedNumbers(
        tuple(row[0] for row in rows),
        tuple(row[1] for row in rows),
        names,
        NumberPredictions(torch.arange(len(rows)), table[:, : len(names)], table[:, len(names) :]),
    )
