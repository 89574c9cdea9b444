"""`predictions.csv` as a table, and the predictions of several models brought into one order.

A predictions table is a DataFrame with the columns of the file. Its index is what makes a clip the same in every file,
wherever the data is stored: its name, its actor, its truth, and a number that tells equal ones apart.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.errors import UserError
from emorec.evaluation.task import Classification, Regression, Task
from emorec.io import atomic_write

TEXT_COLUMNS = ("path", "actor", "emotion", "predicted")


def write_predictions(path: Path, task: Task, table: pd.DataFrame) -> None:
    """Write a predictions table as CSV, atomically; unknown truth is an empty field.

    Raises:
        OSError: When the file can't be written.
    """
    text = table.copy()
    for column in table.columns[table.dtypes == np.float64]:
        text[column] = table[column].map("{:.9g}".format).astype(object)
        if column in task.truth_columns:
            text.loc[table[column].isna().to_numpy(), column] = ""
    content = text.to_csv(index=False, lineterminator="\n")
    with atomic_write(path) as file:
        file.write(content.encode("utf-8", errors="surrogateescape"))


def read_predictions(path: Path) -> tuple[Task, pd.DataFrame]:
    """Read a predictions file.

    Returns:
        What was predicted, and the predictions table with its index.

    Raises:
        UserError: When the file can't be read or is not a predictions file.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    task = Classification.from_columns(header) or Regression.from_columns(header)
    if task is None:
        raise UserError(
            f"{path} is not a predictions file: its header is neither {','.join(Classification.COLUMNS)} and the "
            f"classes nor {','.join(Regression.COLUMNS)}, the numbers and their predictions"
        )
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise UserError(f"{path}: clip {number} has {len(row)} fields, not {len(header)}")
    table = pd.DataFrame(rows, columns=header, dtype=object)
    for column in header:
        if column not in TEXT_COLUMNS:
            texts = (
                table[column].mask(table[column] == "", "nan")
                if column in task.truth_columns
                else table[column]
            )
            try:
                table[column] = texts.astype(np.float64)
            except ValueError as error:
                raise UserError(f"{path}, column {column}: {error}") from error
    if isinstance(task, Classification):
        other = sorted(set(table["emotion"]) - {"", *task.names})
        if other:
            raise UserError(
                f"{path}: emotion {other[0]} is not one of its classes {', '.join(task.names)}"
            )
    return task, table.set_axis(task.clip_index(table))


def align(task: Task, tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return predictions tables of the same clips with their rows in the same order, that of the index.

    Raises:
        ValueError: When there is no table.
        UserError: When the clips or the classes differ.
    """
    if not tables:
        raise ValueError("no predictions to align")
    for table in tables:
        own = type(task).from_columns(list(table.columns))
        if own != task:
            names = ", ".join(own.names) if own else "none"
            raise UserError(
                f"predictions of different {task.kind} can't be compared: {names} and {', '.join(task.names)}"
            )
    first, *others = [table.set_axis(task.clip_index(table)).sort_index() for table in tables]
    for other in others:
        if not first.index.equals(other.index):
            raise UserError(_difference(first.index, other.index))
    return [first, *others]


def _difference(one: pd.MultiIndex, other: pd.MultiIndex) -> str:
    name, actor, *_ = one.symmetric_difference(other)[0]
    return (
        f"predictions of different clips can't be compared: {name} of actor {actor} is in only one of them, or has "
        f"another truth in the other: {len(one)} and {len(other)} clips"
    )


def pool(task: Task, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the predictions of several folds as those of one test, in the order of its index."""
    table = pd.concat(tables, ignore_index=True)
    return table.set_axis(task.clip_index(table)).sort_index()
