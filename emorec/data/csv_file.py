"""A CSV file as people save it: its encoding and its separator are found out, its columns go by their names."""

import codecs
import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from emorec.errors import UserError

SUFFIXES = (".csv", ".tsv", ".txt")
"""Of files that a folder is searched for."""

SEPARATORS = (",", ";", "\t", "|")

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

_EXCEL_SAYS = re.compile(r"\A(sep=(.))(?=\r?\n)")
"""The line by which Excel tells the separator."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The content of a CSV file.

    Attributes:
        path: The file.
        columns: Their names, without the spaces around them.
        rows: Line of the file, and the cells in the order of the columns; empty lines are left out.
        encoding: As Python calls it.
        separator: Between the cells.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    encoding: str
    separator: str

    def place(self, column: str) -> int | None:
        """Where a column stands, whatever the case of its name; `None` when there is no such."""
        names = [name.casefold() for name in self.columns]
        return names.index(column.casefold()) if column.casefold() in names else None


def find_csv(root: str | Path) -> Path:
    """The CSV file that is named, or the only one in a folder that is named.

    Raises:
        UserError: When there is none, or a folder holds several.
    """
    path = Path(root).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(
            f"no such file: {path} (--data.root is a CSV file, or a folder that holds one)"
        )
    for suffix in SUFFIXES:
        found = sorted(each for each in path.iterdir() if _is(each, suffix))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(each.name for each in found[:3])
            raise UserError(
                f"{path} holds {len(found)} {suffix} files ({names}{', ...' if found[3:] else ''}): "
                "name one of them with --data.root"
            )
    raise UserError(f"no CSV file in {path}: name it with --data.root")


def _is(path: Path, suffix: str) -> bool:
    return path.suffix.lower() == suffix and not path.name.startswith(".") and path.is_file()


def read_sheet(path: Path, expected: Collection[str] = ()) -> Sheet:
    """The columns and rows of a CSV file.

    UTF-8 and UTF-16 are told by their marks or by being valid; anything else is read as Latin-1, in which every byte
    is a letter. The separator is the one that finds most of the expected columns in the first line.

    Args:
        path: The file.
        expected: Columns that may be there.

    Raises:
        UserError: When it can't be read, is no text, is empty, or a line does not fit the first one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from None
    text, encoding = decoded(content)
    if "\0" in text:
        raise UserError(f"{path} is no text: save the table as CSV")
    told = _EXCEL_SAYS.match(text)
    text = (
        text[told.end(1) :] if told else text
    )  # the line's end stays, so that lines keep their numbers
    lines = text.splitlines()
    header = next((line for line in lines if line.strip()), None)
    if header is None:
        raise UserError(f"{path} is empty: its first line names the columns, such as path,label")
    separator = told[2] if told else find_separator(header, expected)
    columns, rows = _cells(path, text, separator)
    if not rows:
        raise UserError(f"{path} holds no row but the names of its columns")
    return Sheet(path, columns, rows, encoding, separator)


def decoded(content: bytes) -> tuple[str, str]:
    """Text, and the encoding it was in.

    >>> decoded("Zoë".encode("utf-16"))
    ('Zoë', 'utf-16')
    >>> decoded("Zoë".encode()), decoded("Zoë".encode("latin-1"))
    (('Zoë', 'utf-8'), ('Zoë', 'latin-1'))
    """
    encodings = [name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)] or [
        "utf-8"
    ]
    if content[1::2].count(0) > len(content) // 4:  # Latin letters in UTF-16 without a mark
        encodings.insert(0, "utf-16" if encodings != ["utf-8"] else "utf-16-le")
    for encoding in encodings:
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1"), "latin-1"


def find_separator(header: str, expected: Collection[str]) -> str:
    r"""What stands between the cells of a first line.

    >>> find_separator("path;label", ["path"]), find_separator("path\tlabel", ["path"]), find_separator("path", [])
    (';', '\t', ',')
    """
    wanted = {name.casefold() for name in expected}

    def fit(separator: str) -> tuple[int, int]:
        cells = [
            cell.strip().casefold() for cell in next(csv.reader([header], delimiter=separator))
        ]
        return len(wanted & set(cells)), len(cells)

    return max(SEPARATORS, key=fit)


def _cells(
    path: Path, text: str, separator: str
) -> tuple[tuple[str, ...], tuple[tuple[int, tuple[str, ...]], ...]]:
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    lines: list[tuple[int, tuple[str, ...]]] = []
    try:
        lines.extend((reader.line_num, tuple(cell.strip() for cell in cells)) for cells in reader)
    except csv.Error as error:
        raise UserError(f"{path} line {reader.line_num} can't be read: {error}") from None
    lines = [(line, cells) for line, cells in lines if any(cells)]
    if not lines:
        raise UserError(f"{path} holds nothing but separators")
    (_, columns), *rows = lines
    twice = [name for name in columns if name and columns.count(name) > 1]
    if twice:
        raise UserError(f"{path} has {columns.count(twice[0])} columns {twice[0]}: rename one")
    full: list[tuple[int, tuple[str, ...]]] = []
    for line, cells in rows:
        if len(cells) > len(columns):
            raise UserError(
                f"{path} line {line} has {len(cells)} cells for {len(columns)} columns: "
                f"a cell with {separator!r} in it needs quotation marks"
            )
        full.append((line, (*cells, *[""] * (len(columns) - len(cells)))))
    return columns, tuple(full)
