"""A table of clips: rows become paths, labels, people, subsets and spans of seconds."""

import math
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emorec.data.clip import UNLABELLED, VIDEO_SUFFIXES
from emorec.data.sets.csv.table import Table
from emorec.data.split import Subset
from emorec.errors import UserError
from emorec.io import list_files
from emorec.text import first_few

NONE = "none"
"""As a column's name: ignore that column even if the file has it."""

SUBSET_NAMES: dict[str, Subset] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Accepted cells of the split column, in any case."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Column names; under their default names all but the first two may be missing."""

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


DEFAULT_COLUMNS = Columns()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A parsed row.

    Attributes:
        line: Line number in the file.
        path: The video as the file writes it, with `/` between folders.
        label: Its class; empty for an unlabelled clip.
        group: The person; the path where the file has no column of people.
        subset: The subset that the file assigns.
        span_seconds: The part of the video that is the clip, half-open; `None` is all of it.
    """

    line: int
    path: str
    label: str
    group: str
    subset: Subset | None
    span_seconds: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTable:
    """The clips that a file lists.

    Attributes:
        rows: One row a clip.
        has_groups: Whether the file has a column of people.
        has_subsets: Whether the file assigns the clips to subsets.
        warnings: What was changed or left out, a line each.
    """

    rows: tuple[Row, ...]
    has_groups: bool
    has_subsets: bool
    warnings: tuple[str, ...]


def parse_rows(
    table: Table, columns: Columns, *, skip_invalid: bool, class_names: Sequence[str] = ()
) -> ClipTable:
    """Parse the rows of a table, and merge spellings and duplicates.

    Args:
        table: The file.
        columns: Its column names.
        skip_invalid: Leave out invalid rows instead of raising.
        class_names: Class names whose spelling takes precedence; with them the label column is optional.

    Raises:
        UserError: When a column is missing, a row is invalid, or two rows contradict each other.
    """
    present = _present_columns(table, columns, label_required=not class_names)
    rows: list[Row] = []
    invalid: list[tuple[int, str]] = []
    for line, cells in table.rows:
        values = {role: cells[name] for role, name in present.items()}
        try:
            rows.append(_parse_row(line, values, decimal_comma=table.delimiter != ","))
        except ValueError as error:
            invalid.append((line, str(error)))
    warnings = []
    if table.encoding == "latin-1":
        warnings.append(f"{table.path} is neither UTF-8 nor UTF-16 and was read as Latin-1")
    if invalid:
        message = (
            f"{table.path}: {len(invalid)} of {len(table.rows)} rows are invalid: "
            f"{_format_lines(invalid)}"
        )
        if not rows:
            raise UserError(f"{message}; correct them")
        if not skip_invalid:
            raise UserError(f"{message}; correct them or skip them with --data.on_error skip")
        warnings.append(f"{message}; they were left out")
    # a person spelt in two ways could end up in two subsets, which would be a leak
    people = [row.group for row in rows] if "group" in present else []
    spellings, merged = merge_spellings(people)
    if merged:
        warnings.append(f"merged as one person: {first_few(merged, separator='; ')}")
        rows = [replace(row, group=spellings[row.group]) for row in rows]
    spellings, merged = merge_spellings([*class_names, *(row.label for row in rows)])
    if merged:
        warnings.append(f"merged as one class: {first_few(merged, separator='; ')}")
        rows = [replace(row, label=spellings[row.label]) for row in rows]
    rows, duplicates = _drop_duplicates(table.path, rows)
    if duplicates:
        lines = _format_lines(duplicates)
        warnings.append(f"{table.path}: duplicate rows were left out: {lines}")
    return ClipTable(
        rows=tuple(rows),
        has_groups="group" in present,
        has_subsets="split" in present,
        warnings=tuple(warnings),
    )


def _present_columns(table: Table, columns: Columns, *, label_required: bool) -> dict[str, str]:
    """Return the case-folded name of each role's column that the file has.

    Raises:
        UserError: When a required column is missing, or one that was named explicitly.
    """
    present: dict[str, str] = {}
    for role in Columns.__slots__:
        name: str = getattr(columns, role)
        if name != NONE and table.has_column(name):
            present[role] = name.casefold()
            continue
        required = role == "path" or (role == "label" and label_required)
        explicit = name not in (getattr(DEFAULT_COLUMNS, role), NONE)
        if required or explicit:
            raise UserError(
                f"{table.path} has no column {name}, but {', '.join(table.columns)}: "
                f"name it with --data.{role}_column"
                f"{'' if role == 'path' else f', or {NONE} to do without'}"
            )
    return present


def _parse_row(line: int, cells: Mapping[str, str], *, decimal_comma: bool) -> Row:
    """Parse the cells of a row.

    Args:
        line: Line number in the file.
        cells: The cell of each role that the file has a column for.
        decimal_comma: Whether seconds may have a decimal comma.

    Raises:
        ValueError: When a cell is invalid.
    """
    if not cells["path"]:
        raise ValueError("no path")
    path = posixpath.normpath(cells["path"].replace("\\", "/"))
    if "group" in cells and not cells["group"]:
        raise ValueError("no person")
    label = cells.get("label", "")
    subset = None
    if "split" in cells and (cells["split"] or label):
        subset = SUBSET_NAMES.get(cells["split"].casefold())
        if subset is None:
            raise ValueError(f"split is {cells['split'] or 'empty'}, not train, val or test")
    start, end = cells.get("start", ""), cells.get("end", "")
    span = _parse_span(start, end, decimal_comma=decimal_comma) if start or end else None
    return Row(
        line=line,
        path=path,
        label=_strip_decimal_zero(label),
        group=cells.get("group") or path,
        subset=subset,
        span_seconds=span,
    )


def _strip_decimal_zero(label: str) -> str:
    """Remove the `.0` that spreadsheets and pandas add to integers in a column with empty cells.

    >>> _strip_decimal_zero("3.0"), _strip_decimal_zero("v1.0"), _strip_decimal_zero("sad")
    ('3', 'v1.0', 'sad')
    """
    return label[:-2] if re.fullmatch(r"\d+\.0", label) else label


def _parse_span(start: str, end: str, *, decimal_comma: bool) -> tuple[float, float]:
    """Parse start and end in seconds; an empty start is 0, an empty end that of the video.

    >>> _parse_span("1,5", "", decimal_comma=True)
    (1.5, inf)

    Raises:
        ValueError: When a cell is not a number of seconds, or the start is not before the end.
    """
    span = [0.0, math.inf]
    for i, (name, cell) in enumerate((("start", start), ("end", end))):
        if not cell:
            continue
        try:
            span[i] = float(cell.replace(",", ".") if decimal_comma else cell)
        except ValueError:
            raise ValueError(f"{name} is {cell}, not a number of seconds") from None
        if not (math.isfinite(span[i]) and span[i] >= 0):
            raise ValueError(f"{name} is {cell}: seconds count from 0")
    if span[0] >= span[1]:
        raise ValueError(f"start {span[0]:g} is not before end {span[1]:g}")
    return span[0], span[1]


def merge_spellings(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Map each name to its first spelling, and list those that differ from it in case alone.

    >>> merge_spellings(["Ann", "bo", "ann"])
    ({'Ann': 'Ann', 'bo': 'bo', 'ann': 'Ann'}, ['Ann and ann'])
    """
    first: dict[str, str] = {}
    spelling = {name: first.setdefault(name.casefold(), name) for name in names}
    return spelling, [f"{kept} and {name}" for name, kept in spelling.items() if kept != name]


def _drop_duplicates(file: Path, rows: Iterable[Row]) -> tuple[list[Row], list[tuple[int, str]]]:
    """Return one row a clip, and the lines that repeat one.

    Raises:
        UserError: When two rows of a clip disagree.
    """
    first_rows: dict[object, Row] = {}
    duplicates, conflicts = [], []
    for row in rows:
        first = first_rows.setdefault((row.path, row.span_seconds), row)
        if first is row:
            continue
        pairs = ((row.label, first.label), (row.group, first.group), (row.subset, first.subset))
        different = next(((new, old) for new, old in pairs if new != old), None)
        if different is None:
            duplicates.append((row.line, f"as line {first.line}"))
        else:
            new, old = (value or "empty" for value in different)
            conflicts.append((row.line, f"{row.path} is {new}, but {old} in line {first.line}"))
    if conflicts:
        raise UserError(f"{file}: contradictory rows: {_format_lines(conflicts)}; keep one of each")
    return list(first_rows.values()), duplicates


def _format_lines(lines: Sequence[tuple[int, str]]) -> str:
    """Join line numbers with their reasons.

    >>> _format_lines([(2, "no path"), (5, "no path")])
    'line 2 (no path); line 5 (no path)'
    """
    return first_few([f"line {line} ({reason})" for line, reason in lines], separator="; ")


def infer_class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct labels, numbers sorted by value and words alphabetically.

    >>> infer_class_names(["sad", "Angry", "", "sad"]), infer_class_names(["10", "9"])
    (('Angry', 'sad'), ('9', '10'))
    """
    names = {label for label in labels if label}
    if all(name.isdecimal() for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names, key=lambda name: (name.casefold(), name)))


def class_indices(labels: Iterable[str], class_names: Sequence[str]) -> dict[str, int]:
    """Map each label to its index in the class names, an empty one to `UNLABELLED`.

    If all labels are numbers and none of them is a class name, they are indices themselves, from 0.

    Raises:
        UserError: When a label is not a class.

    >>> class_indices(["sad", ""], ["angry", "sad"]), class_indices(["1", "0"], ["angry", "sad"])
    ({'sad': 1, '': -1}, {'1': 1, '0': 0})
    """
    distinct = list(dict.fromkeys(labels))
    numeric = all(label.isdecimal() for label in distinct if label)
    if numeric and not set(distinct) & set(class_names):
        known = [str(index) for index in range(len(class_names))]
    else:
        known = list(class_names)
    unknown = [label for label in distinct if label and label not in known]
    if unknown:
        raise UserError(
            f"unknown labels {first_few(unknown)}; the classes are {', '.join(class_names)}"
        )
    return {label: known.index(label) if label else UNLABELLED for label in distinct}


def locate_videos(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return the video of each name, which may lack its suffix or its folder; a missing video keeps its name.

    Args:
        folder: The folder of the CSV file, which paths are relative to.
        names: Paths as the file writes them. One without a folder is searched for in all folders below.

    Raises:
        UserError: When a name without a folder or suffix fits several videos.
    """
    paths: dict[str, Path] = {}
    videos: Mapping[str, list[Path]] | None = None
    for name in dict.fromkeys(names):
        path = folder / name
        if not path.is_file():
            if "/" in name:
                matches = _with_video_suffix(path)
            else:
                videos = _index_videos(folder) if videos is None else videos
                matches = videos.get(name, [])
            if len(matches) > 1:
                files = first_few([match.relative_to(folder) for match in matches], limit=3)
                raise UserError(
                    f"{name} matches {len(matches)} files in {folder}: {files}: "
                    "write folder and suffix into the CSV file"
                )
            path = matches[0] if matches else path
        paths[name] = path
    return paths


def _with_video_suffix(path: Path) -> list[Path]:
    if not path.parent.is_dir():
        return []
    candidates = (path.with_name(path.name + suffix) for suffix in sorted(VIDEO_SUFFIXES))
    return [candidate for candidate in candidates if candidate.is_file()]


def _index_videos(folder: Path) -> Mapping[str, list[Path]]:
    """Return all files below a folder by name, videos also by their name without suffix."""
    videos = defaultdict(list)
    for path in list_files(folder):
        if path.suffix.lower() in VIDEO_SUFFIXES:
            videos[path.stem].append(path)
        if path.suffix:
            videos[path.name].append(path)
    return videos
