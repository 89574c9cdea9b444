"""The `predictions.csv` of a network that predicts numbers, read again."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import torch

from emorec.errors import UserError
from emorec.evaluation.regression import NumberPredictions

FIRST = ("path", "actor")
PREDICTED = "predicted "
"""What stands before the name of a number in the columns of what was predicted."""


@dataclass(frozen=True, eq=False)
class PredictedNumbers:
    """The content of such a file, N clips in its order.

    Attributes:
        paths: N clip files as they were written.
        actors: N people, as text.
        target_names: R names.
        predictions: Rows 0 to N - 1.
    """

    paths: tuple[str, ...]
    actors: tuple[str, ...]
    target_names: tuple[str, ...]
    predictions: NumberPredictions


def read_predicted_numbers(path: Path) -> PredictedNumbers:
    """What `RegressionResults.write_predictions` wrote.

    Raises:
        UserError: When there is no such file, or it is another one.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    half = (len(header) - len(FIRST)) // 2
    names = tuple(header[len(FIRST) :][:half])
    if not names or header != [*FIRST, *names, *(f"{PREDICTED}{name}" for name in names)]:
        raise UserError(f"{path} holds no predicted numbers: test the run again")
    numbers = []
    for number, row in enumerate(rows, start=1):
        try:
            numbers.append([float(value or "nan") for value in row[len(FIRST) :]])
        except ValueError as error:
            raise UserError(f"{path}: clip {number} can't be read: {','.join(row)}") from error
        if len(row) != len(header):
            raise UserError(f"{path}: clip {number} has {len(row)} fields, not {len(header)}")
    table = torch.tensor(numbers, dtype=torch.float64).reshape(len(rows), 2 * half).float()
    return PredictedNumbers(
        paths=tuple(row[0] for row in rows),
        actors=tuple(row[1] for row in rows),
        target_names=names,
        predictions=NumberPredictions(torch.arange(len(rows)), table[:, :half], table[:, half:]),
    )
