"""`predictions.csv`: what a network said of each clip, the one file that later studies build on."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from typing_extensions import override

from emorec.errors import UserError
from emorec.evaluation.predicted import Predicted
from emorec.evaluation.predictions import Predictions, pooled
from emorec.files import whole_file

COLUMNS = ("path", "actor", "emotion", "predicted", "confidence")
"""The first columns; one probability column per class follows, named as the class."""

CALIBRATED = "calibrated "
"""What stands before the name of a class in the columns of calibrated probabilities, which may follow."""

_TINY = 1e-300
"""A probability of 0 has no logarithm."""


@dataclass(frozen=True, eq=False)
class PredictedClips(Predicted):
    """The classes that a network saw.

    Attributes:
        class_names: K class names in label order.
        predictions: Rows 0 to N - 1; its logits are the logarithms of the probabilities.
        calibrated: The same of the calibrated probabilities; `None` in a file without them.
    """

    class_names: tuple[str, ...]
    predictions: Predictions
    calibrated: Predictions | None = None

    @property
    @override
    def says(self) -> str:
        return f"tells {', '.join(self.class_names)} apart"

    @property
    @override
    def names(self) -> tuple[str, ...]:
        return self.class_names

    @property
    @override
    def truths(self) -> list[int]:
        known: list[int] = self.predictions.target.tolist()
        return known

    @property
    @override
    def clip_names(self) -> list[str]:
        return [file_name(path) for path in self.paths]

    @override
    def at(self, rows: Sequence[int]) -> Self:
        index = torch.tensor(rows, dtype=torch.int64)

        def taken(predictions: Predictions) -> Predictions:
            kept = predictions.target[index], predictions.logits[index]
            return Predictions(torch.arange(len(index)), *kept)

        return type(self)(
            tuple(self.paths[row] for row in rows),
            tuple(self.actors[row] for row in rows),
            self.class_names,
            taken(self.predictions),
            None if self.calibrated is None else taken(self.calibrated),
        )

    @classmethod
    @override
    def together(cls, parts: Sequence[Self]) -> Self:
        calibrated = [part.calibrated for part in parts if part.calibrated is not None]
        return cls(
            tuple(path for part in parts for path in part.paths),
            tuple(actor for part in parts for actor in part.actors),
            parts[0].class_names,
            pooled([part.predictions for part in parts]),
            pooled(calibrated) if len(calibrated) == len(parts) else None,
        )


def file_name(path: str) -> str:
    r"""The last part of a path of any operating system.

    >>> file_name("/data/Actor_23/01-01-05.mp4"), file_name(r"D:\data\01-01-05.mp4")
    ('01-01-05.mp4', '01-01-05.mp4')
    """
    return path.replace("\\", "/").rpartition("/")[2]


def write_predictions(
    path: Path,
    predictions: Predictions,
    *,
    paths: Sequence[str],
    actors: Sequence[int | str],
    class_names: Sequence[str],
    calibrated: Predictions | None = None,
) -> None:
    """Writes a line for each prediction, whole or not at all; an unknown truth is an empty `emotion`.

    Args:
        path: The file; its folder is made if missing.
        predictions: N predictions.
        paths: N clip files in the order of the predictions.
        actors: N people in the same order.
        class_names: K names in label order.
        calibrated: The same predictions at another temperature: K more columns, such as "calibrated happy".

    Raises:
        ValueError: When there are not N paths, N actors and K class names.
        OSError: When the file can't be written.
    """
    given = len(paths), len(actors), len(class_names)
    wanted = len(predictions), len(predictions), predictions.num_classes
    if given != wanted:
        raise ValueError(f"expected {wanted} paths, actors and class names, got {given}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    more = [] if calibrated is None else [f"{CALIBRATED}{name}" for name in class_names]
    writer.writerow([*COLUMNS, *class_names, *more])
    targets, said = predictions.target.tolist(), predictions.predicted.tolist()
    table = [_rounded(each) for each in (predictions, calibrated) if each is not None]
    for clip, actor, target, predicted, *rows in zip(
        paths, actors, targets, said, *table, strict=True
    ):
        emotion = class_names[target] if target >= 0 else ""
        probabilities = [probability for row in rows for probability in row]
        confidence = probabilities[predicted]
        writer.writerow([clip, actor, emotion, class_names[predicted], confidence, *probabilities])
    with whole_file(path) as file:
        file.write(text.getvalue().encode("utf-8", errors="surrogateescape"))


def _rounded(predictions: Predictions) -> list[list[str]]:
    table = predictions.logits.double().softmax(dim=1).tolist()
    return [[f"{probability:.9g}" for probability in row] for row in table]


def read_predictions(path: Path) -> PredictedClips:
    """What `write_predictions` wrote; `summarize` gives the same figures for it.

    Raises:
        UserError: When there is no such file, or it is not a predictions file.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    class_names, has_calibrated = _classes(header[len(COLUMNS) :])
    if tuple(header[: len(COLUMNS)]) != COLUMNS or not class_names:
        raise UserError(
            f"{path} is no predictions file: its first line is not {','.join(COLUMNS)} "
            "and the names of the classes"
        )
    labels = {"": -1} | {name: label for label, name in enumerate(class_names)}
    targets: list[int] = []
    probabilities: list[list[float]] = []
    for number, row in enumerate(rows, start=1):
        try:
            targets.append(labels[row[2]])
            probabilities.append([float(value) for value in row[len(COLUMNS) :]])
        except (IndexError, KeyError, ValueError) as error:
            raise UserError(f"{path}: clip {number} can't be read: {','.join(row)}") from error
        if len(row) != len(header):
            raise UserError(f"{path}: clip {number} has {len(row)} fields, not {len(header)}")
    wide = torch.tensor(probabilities, dtype=torch.float64)
    wide = wide.reshape(len(rows), len(header) - len(COLUMNS)).clamp(min=_TINY)
    index, target = torch.arange(len(rows)), torch.tensor(targets, dtype=torch.int64)
    raw, calibrated = wide[:, : len(class_names)], wide[:, len(class_names) :]
    return PredictedClips(
        paths=tuple(row[0] for row in rows),
        actors=tuple(row[1] for row in rows),
        class_names=class_names,
        predictions=Predictions(index, target, raw.log().float()),
        calibrated=Predictions(index, target, calibrated.log()) if has_calibrated else None,
    )


def _classes(columns: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """The names of the classes, and whether each has a calibrated column too.

    >>> _classes(["calm", "sad", "calibrated calm", "calibrated sad"])
    (('calm', 'sad'), True)
    """
    half = len(columns) // 2
    names = tuple(columns[:half])
    if names and list(columns[half:]) == [f"{CALIBRATED}{name}" for name in names]:
        return names, True
    return tuple(columns), False
