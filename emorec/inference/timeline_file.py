"""`timeline.csv`: written while the video is read, so that what is done can be read at any moment."""

import csv
import io
from pathlib import Path
from typing import Self

from emorec.inference.facts import Facts
from emorec.inference.prediction import WindowPrediction

ALWAYS = ("start", "end", "person")
OF_CLASSES = ("predicted", "confidence")


def columns(facts: Facts) -> list[str]:
    """The header: stretch, person, what is predicted, then a column a class; or a column a number."""
    words = OF_CLASSES if facts.says == "classes" else ()
    return [*ALWAYS, *words, *facts.names]


class TimelineFile:
    """Writes a line for each window, whole or not at all.

    Args:
        path: The file, replaced.
        facts: Of the network.

    Raises:
        OSError: When it can't be written.
    """

    def __init__(self, path: Path, facts: Facts) -> None:
        self._facts = facts
        self._file = path.open("wb", buffering=0)
        self._write(columns(facts))

    def add(self, said: WindowPrediction) -> None:
        """Writes a line.

        Raises:
            OSError: When the disk is full; the lines before stay.
        """
        values = said.values if said.values is not None else [None] * len(said.names)
        row: list[str | int | None] = [f"{said.start:.3f}", f"{said.end:.3f}", said.person]
        if self._facts.says == "classes":
            row += [said.predicted, _short(said.confidence)]
        self._write([*row, *map(_short, values)])

    def _write(self, row: list[str] | list[str | int | None]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(row)
        line = text.getvalue().encode()
        end = self._file.tell()
        try:
            written = self._file.write(line)
            while written < len(line):  # the second try tells what is wrong
                written += self._file.write(line[written:])
        except OSError:
            self._file.truncate(end)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()


def _short(value: float | None) -> str:
    """A number as in `predictions.csv`.

    >>> _short(0.25), _short(1e-7), _short(None)
    ('0.25', '1e-07', '')
    """
    return "" if value is None else f"{value:.9g}"
