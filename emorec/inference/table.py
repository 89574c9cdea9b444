"""One table over all videos of a call, as CSV or Parquet: the rows of each `timeline.csv`, and a row for a failure."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from emorec.errors import UserError
from emorec.inference.batch import STOPPED, Outcome, Source
from emorec.io import atomic_write, check_writable, disk_errors
from emorec.text import printable

VIDEO, ERROR = "video", "error"
"""The first columns: path of the video, and why it failed."""

TEXT_COLUMNS = {VIDEO, ERROR, "predicted", "unfamiliar", "adapted_by"}
"""Columns of text in a Parquet file; `person` is a whole number, the others are numbers."""

ROWS_AT_ONCE = 50_000
"""Rows of a Parquet file in memory, which are a row group."""

Row: TypeAlias = dict[str, str]


def check_table(path: Path) -> None:
    """Refuse a table that could not be written, before the predictions.

    Raises:
        UserError: When its suffix is unknown, its folder can't be written to, or pyarrow is missing.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise UserError(f"table is {path}: name a .csv or a .parquet file")
    if path.is_dir():
        raise UserError(f"table is {path}, which is a folder: name a file")
    check_writable(path, "--table")
    if path.suffix.lower() == ".parquet":
        import_pyarrow()


def import_pyarrow() -> Any:
    """Return pyarrow.

    Raises:
        UserError: When it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            "Parquet tables need pyarrow, which is not installed: pip install 'emorec[parquet]', or name a .csv file"
        ) from None
    return pyarrow


def write_table(
    path: Path,
    columns: Sequence[str],
    videos: Iterable[tuple[Source, Outcome]],
    out: Path,
) -> None:
    """Write the table in constant memory; it takes its name once it is complete.

    Args:
        path: The file, `.csv` or `.parquet`.
        columns: Of each `timeline.csv`.
        videos: With what became of each.
        out: Output folder of their results.

    Raises:
        UserError: When it can't be written.
    """
    header = [VIDEO, ERROR, *columns]
    rows = _rows(videos, out)
    is_parquet = path.suffix.lower() == ".parquet"
    with disk_errors(path), atomic_write(path) as file:
        (_write_parquet if is_parquet else _write_csv)(file, header, rows)


def _rows(videos: Iterable[tuple[Source, Outcome]], out: Path) -> Iterator[Row]:
    from emorec.inference.results import TIMELINE_CSV

    for source, outcome in videos:
        video = printable(source.path)
        error = outcome.failure or (STOPPED if outcome.interrupted else None)
        if error is not None:
            yield {VIDEO: video, ERROR: printable(error)}
            continue
        with (out / source.folder / TIMELINE_CSV).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield {VIDEO: video, ERROR: "", **row}


def _write_csv(file: BinaryIO, header: Sequence[str], rows: Iterable[Row]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    text.detach()


def _write_parquet(file: BinaryIO, header: Sequence[str], rows: Iterator[Row]) -> None:
    pyarrow = import_pyarrow()
    types: dict[str, tuple[Any, Callable[[str], Any]]] = {
        name: (pyarrow.string(), str)
        if name in TEXT_COLUMNS
        else (pyarrow.int64(), int)
        if name == "person"
        else (pyarrow.float64(), float)
        for name in header
    }
    schema = pyarrow.schema([(name, kind) for name, (kind, _) in types.items()])
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        while chunk := list(islice(rows, ROWS_AT_ONCE)):
            columns = {
                name: [parse(row[name]) if row.get(name) else None for row in chunk]
                for name, (_, parse) in types.items()
            }
            writer.write_table(pyarrow.table(columns, schema))
