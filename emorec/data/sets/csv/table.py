"""Reading a CSV file as users save it: encoding and delimiter are detected, columns are found by name."""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from emorec.data.clip import VIDEO_SUFFIXES
from emorec.errors import UserError
from emorec.io import is_file
from emorec.text import first_few, normalize

SUFFIXES = (".csv", ".tsv", ".txt")
"""Suffixes of a table, in the order in which a folder is searched for them."""

DELIMITERS = (",", ";", "\t", "|")

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

_EXCEL_DELIMITER_LINE = re.compile(r"\A(sep=(.))(?=\r?\n)")
"""Excel's first line `sep=;` announces the delimiter."""


@dataclass(frozen=True, slots=True)
class Table:
    """The content of a CSV file.

    Attributes:
        path: The file.
        columns: Normalised column names.
        rows: Line number in the file, and the cells as written by `column_key` of their column; without empty lines.
        encoding: As Python calls it.
        delimiter: The character between two cells.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    encoding: str
    delimiter: str

    def has_column(self, name: str) -> bool:
        """Whether there is a column of this name, in any case."""
        return column_key(name) in map(column_key, self.columns)


def column_key(name: str) -> str:
    """Return a column name by which it is found, however it is typed.

    >>> column_key(" Path\u200b")
    'path'
    """
    return normalize(name).casefold()


def find_csv(root: str | Path) -> Path:
    """Return the CSV file itself, or the only one in a folder.

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
        tables = sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() == suffix and not file.name.startswith(".") and file.is_file()
        )
        if len(tables) == 1:
            return tables[0]
        if tables:
            names = first_few([table.name for table in tables], limit=3)
            raise UserError(
                f"{path} holds {len(tables)} {suffix} files ({names}): name one with --data.root"
            )
    raise UserError(f"no CSV file in {path}: name it with --data.root")


def read_table(path: Path, expected_columns: Collection[str] = ()) -> Table:
    """Read a CSV file.

    UTF-8 and UTF-16 are detected; anything else is decoded as Latin-1, in which every byte is a character. The
    delimiter is the one that splits the header into most of the expected columns.

    Args:
        path: The file.
        expected_columns: Columns that the file may have.

    Raises:
        UserError: When it can't be read, is not text, is empty, has no header, has comments, or a row has more cells
            than the header.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from None
    text, encoding = decode_text(content)
    if "\0" in text:
        raise UserError(f"{path} is not a text file: save the table as CSV")
    announced = _EXCEL_DELIMITER_LINE.match(text)
    if announced:
        text = text[announced.end(1) :]  # its line break stays, so line numbers do too
    header = next((line for line in text.splitlines() if line.strip()), None)
    if header is None:
        raise UserError(f"{path} is empty: its first line names the columns, such as path,label")
    delimiter = announced[2] if announced else detect_delimiter(header, expected_columns)
    lines = _read_lines(path, text, delimiter)
    if not lines:
        raise UserError(f"{path} has only empty cells: its first line names the columns")
    (_, header_cells), *rows = lines
    columns = tuple(normalize(cell) for cell in header_cells)
    keys = [column_key(name) for name in columns]
    _check_header(path, header_cells, set(map(column_key, expected_columns)))
    duplicate = next((key for key in keys if key and keys.count(key) > 1), None)
    if duplicate:
        raise UserError(f"{path} has {keys.count(duplicate)} columns {duplicate}: rename one")
    if not rows:
        raise UserError(f"{path} has column names but no row: add a row for each clip")
    _check_rows(path, rows, len(columns), delimiter)
    padding = [""] * len(columns)
    table_rows = tuple(
        (line, dict(zip(keys, [*cells, *padding], strict=False))) for line, cells in rows
    )
    return Table(path, columns, table_rows, encoding, delimiter)


def _check_header(path: Path, cells: Sequence[str], expected: Set[str]) -> None:
    """Refuse a first line that is a comment or a clip rather than column names."""
    known = not expected.isdisjoint(map(column_key, cells))
    if cells[0].startswith("#") and (not known or column_key(cells[0].lstrip("# ")) in expected):
        raise UserError(
            f"{path} begins with a comment, {cells[0]!r}: remove the lines that begin with #, "
            "so that the first line names the columns, such as path,label"
        )
    clips = (cell for cell in cells if _is_video(path.parent / cell))
    if not known and (clip := next(clips, None)):
        raise UserError(
            f"{path} has no header, its first line is the clip {clip}: "
            "add a line above it that names the columns, such as path,label"
        )


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES or is_file(path)


def _check_rows(
    path: Path, rows: Iterable[tuple[int, Sequence[str]]], num_columns: int, delimiter: str
) -> None:
    """Refuse comments, and rows with more cells than the header."""
    for line, cells in rows:
        if _is_comment(cells, num_columns):
            raise UserError(
                f"{path} line {line} is a comment, {cells[0]!r}: remove the lines that begin with #"
            )
        if len(cells) > num_columns:
            raise UserError(
                f"{path} line {line} has {len(cells)} cells for {num_columns} columns: "
                f"quote cells that contain {delimiter!r}"
            )


def _is_comment(cells: Sequence[str], num_columns: int) -> bool:
    """Whether a line begins with # and is not a row, whose first cell may be a name such as #1."""
    alone = num_columns > 1 and not any(cells[1:])
    return cells[0].startswith("#") and (alone or cells[0][1:2].isspace())


def decode_text(content: bytes) -> tuple[str, str]:
    """Decode a file and return its text and encoding.

    >>> decode_text("Zoë".encode("utf-16"))
    ('Zoë', 'utf-16')
    >>> decode_text("Zoë".encode()), decode_text("Zoë".encode("latin-1"))
    (('Zoë', 'utf-8'), ('Zoë', 'latin-1'))
    """
    marked = [name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)]
    encodings = marked or ["utf-8"]
    if content[1::2].count(0) > len(content) // 4:  # Latin letters in UTF-16
        encodings = ["utf-16" if marked else "utf-16-le", *encodings]
    for encoding in encodings:
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1"), "latin-1"


def detect_delimiter(header: str, expected_columns: Collection[str]) -> str:
    r"""Return the delimiter that splits a header into most of the expected columns, else into most columns.

    >>> detect_delimiter("path;label", ["path"]), detect_delimiter("path\tlabel", ["path"])
    (';', '\t')
    >>> detect_delimiter("path", [])
    ','
    """
    expected = {column_key(name) for name in expected_columns}

    def columns_found(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([header], delimiter=delimiter))
        return len(expected & set(map(column_key, cells))), len(cells)

    return max(DELIMITERS, key=columns_found)


def _read_lines(path: Path, text: str, delimiter: str) -> list[tuple[int, Sequence[str]]]:
    """Return the line number and the stripped cells of each row that has any."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    lines: list[tuple[int, Sequence[str]]] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                lines.append((reader.line_num, cells))
    except csv.Error as error:
        raise UserError(f"{path} line {reader.line_num} can't be read: {error}") from None
    return lines
