"""The rows of a CSV file of clips: cells become paths, labels, people, sides and times."""

import math
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from emorec.data.csv_file import Sheet
from emorec.data.split import Side
from emorec.errors import UserError
from emorec.text import MAX_LISTED

NONE = "none"
"""As a column's name: do without it, even if the file has it."""

SIDE_WORDS: dict[str, Side] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What a column of sides may say, in any case."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns are called; the four last ones may be missing under these names."""

    path: str = "path"
    label: str = "label"
    group: str = "group"
    split: str = "split"
    start: str = "start"
    end: str = "end"

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (self.path, self.label, self.group, self.split, self.start, self.end)


USUAL = Columns()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row that can be used.

    Attributes:
        line: Of the file.
        path: Of the video, as the file writes it, but with `/` between folders.
        label: Its class; empty where nobody said.
        group: The person; its own path where the file names nobody.
        side: Where the file says so.
        span_seconds: The part of the video that is the clip; `None` is all of it.
    """

    line: int
    path: str
    label: str
    group: str
    side: Side | None
    span_seconds: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What a file of clips says.

    Attributes:
        used: Each clip once.
        has_labels: Whether there is a column of labels.
        has_groups: Whether the file says who is in the picture.
        has_sides: Whether the file splits its clips itself.
        remarks: What people should know of what was made of the file, a line each.
    """

    used: tuple[Row, ...]
    has_labels: bool
    has_groups: bool
    has_sides: bool
    remarks: tuple[str, ...]


def read_rows(sheet: Sheet, columns: Columns, *, skip: bool, labels: Sequence[str] = ()) -> Rows:
    """The clips that a file names, each once.

    Args:
        sheet: The file.
        columns: What its columns are called.
        skip: Leave out rows that can't be used, instead of stopping.
        labels: Class names whose spelling wins.

    Raises:
        UserError: When a column is missing, rows can't be used, or two rows contradict each other.
    """
    places = _places(sheet, columns, needs_labels=not labels)
    rows: list[Row] = []
    wrong: list[tuple[int, str]] = []
    for line, cells in sheet.rows:
        try:
            rows.append(_row(line, cells, places, decimal_comma=sheet.separator != ","))
        except ValueError as error:
            wrong.append((line, str(error)))
    remarks = []
    if sheet.encoding == "latin-1":
        remarks.append(f"{sheet.path} is neither UTF-8 nor UTF-16 and was read as Latin-1")
    if wrong:
        said = (
            f"{sheet.path}: {len(wrong)} of {len(sheet.rows)} rows can't be used: {_lines(wrong)}"
        )
        if not rows:
            raise UserError(f"{said}; mend them")
        if not skip:
            raise UserError(f"{said}; mend them or leave them out with --data.on_error skip")
        remarks.append(f"{said}; they were left out")
    rows = _in_one_spelling(rows, labels, remarks)
    used, doubled = _each_once(sheet, rows)
    if doubled:
        remarks.append(f"{sheet.path}: rows that repeat others count once: {_lines(doubled)}")
    return Rows(
        used=tuple(used),
        has_labels=places["label"] is not None,
        has_groups=places["group"] is not None,
        has_sides=places["split"] is not None,
        remarks=tuple(remarks),
    )


def _places(sheet: Sheet, columns: Columns, *, needs_labels: bool) -> dict[str, int | None]:
    places: dict[str, int | None] = {}
    for role in Columns.__slots__:
        name = getattr(columns, role)
        places[role] = None if name == NONE else sheet.place(name)
        # with the class names known, rows without labels can still be predicted
        needed = role == "path" or (role == "label" and needs_labels)
        named = name not in (getattr(USUAL, role), NONE)
        if places[role] is None and (needed or named):
            there = ", ".join(sheet.columns)
            raise UserError(
                f"{sheet.path} has no column {name}, but {there}: name it with --data.{role}_column"
                f"{'' if role == 'path' else f', or {NONE} to do without'}"
            )
    return places


def _row(
    line: int, cells: Sequence[str], places: dict[str, int | None], *, decimal_comma: bool
) -> Row:
    """The row of a line.

    Raises:
        ValueError: When a cell makes no sense.
    """

    def cell(role: str) -> str:
        place = places[role]
        return "" if place is None else cells[place]

    if not cell("path"):
        raise ValueError("no path")
    path = posixpath.normpath(cell("path").replace("\\", "/"))
    if places["group"] is not None and not cell("group"):
        raise ValueError("nobody named in the column of people")
    side = None
    if places["split"] is not None and (cell("split") or cell("label")):
        side = SIDE_WORDS.get(cell("split").casefold())
        if side is None:
            raise ValueError(f"its side is {cell('split') or 'empty'}, not train, val or test")
    return Row(
        line=line,
        path=path,
        label=_whole(cell("label")),
        group=cell("group") or path,
        side=side,
        span_seconds=_span(cell("start"), cell("end"), decimal_comma=decimal_comma),
    )


def _whole(label: str) -> str:
    """A label without the `.0` that a program adds to numbers when other cells of the column are empty.

    >>> _whole("3.0"), _whole("v1.0"), _whole("sad")
    ('3', 'v1.0', 'sad')
    """
    return label[:-2] if re.fullmatch(r"\d+\.0", label) else label


def _span(start: str, end: str, *, decimal_comma: bool) -> tuple[float, float] | None:
    if not start and not end:
        return None
    first, stop = 0.0, math.inf
    for name, cell in (("start", start), ("end", end)):
        if not cell:
            continue
        try:
            seconds = float(cell.replace(",", ".") if decimal_comma else cell)
        except ValueError:
            raise ValueError(f"{name} is {cell}, not a number of seconds") from None
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"{name} is {cell}: seconds count from 0")
        first, stop = (seconds, stop) if name == "start" else (first, seconds)
    if first >= stop:
        raise ValueError(f"start {first:g} is not before end {stop:g}")
    return first, stop


def _in_one_spelling(rows: list[Row], labels: Sequence[str], remarks: list[str]) -> list[Row]:
    """People and classes whose names differ in case alone are the same: a person on two sides would be a leak."""
    for field, known in (("group", ()), ("label", labels)):
        names: Iterable[str] = (getattr(row, field) for row in rows)
        if field == "group":  # a path is no name
            names = (row.group for row in rows if row.group != row.path)
        spelling, merged = one_spelling([*known, *names])
        if merged:
            remarks.append(f"taken for the same {field}: {'; '.join(merged[:MAX_LISTED])}")
            rows = [
                replace(row, **{field: spelling.get(getattr(row, field), getattr(row, field))})
                for row in rows
            ]
    return rows


def one_spelling(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Each name with its first spelling, and what was found to be spelt in several ways.

    >>> one_spelling(["Ann", "bo", "ann"])
    ({'Ann': 'Ann', 'bo': 'bo', 'ann': 'Ann'}, ['Ann and ann'])
    """
    first: dict[str, str] = {}
    spelling = {name: first.setdefault(name.casefold(), name) for name in names}
    return spelling, [f"{one} and {other}" for other, one in spelling.items() if one != other]


def _each_once(sheet: Sheet, rows: Iterable[Row]) -> tuple[list[Row], list[tuple[int, str]]]:
    """Each clip once, and the rows that say nothing new."""
    known: dict[object, Row] = {}
    doubled, at_odds = [], []
    for row in rows:
        before = known.setdefault((row.path, row.span_seconds), row)
        if before is row:
            continue
        differ = [
            name for name in ("label", "group", "side") if _of(name)(row) != _of(name)(before)
        ]
        if differ:
            one, other = (_of(differ[0])(each) or "empty" for each in (before, row))
            at_odds.append((row.line, f"{row.path} is {other}, and in line {before.line} {one}"))
        else:
            doubled.append((row.line, f"as line {before.line}"))
    if at_odds:
        raise UserError(
            f"{sheet.path}: rows that contradict others: {_lines(at_odds)}; decide for one"
        )
    return list(known.values()), doubled


def _of(name: str) -> Callable[[Row], str | None]:
    return lambda row: getattr(row, name)


def _lines(lines: Sequence[tuple[int, str]]) -> str:
    """Lines with what is to be said of each, the first few by number.

    >>> _lines([(2, "no path"), (5, "no path")])
    'line 2 (no path); line 5 (no path)'
    """
    named = [f"line {line} ({reason})" for line, reason in lines[:MAX_LISTED]]
    rest = [f"and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
    return "; ".join([*named, *rest])
