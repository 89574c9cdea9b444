"""What a CSV file of clips lists, and which of its videos are there."""

from collections import Counter
from pathlib import Path

from emorec.data.sets.csv.parser import (
    DEFAULT_COLUMNS,
    class_indices,
    infer_class_names,
    locate_videos,
    parse_rows,
)
from emorec.data.sets.csv.table import SUFFIXES, find_csv, read_table
from emorec.data.sets.hacer.parser import HACER_COLUMNS, HACER_LABELS, HOW_TO_GET_HACER
from emorec.diagnosis.findings import Findings
from emorec.errors import UserError
from emorec.text import listed_files


def is_csv(root: str) -> bool:
    """Whether this is meant to be a CSV file, or a folder with one.

    >>> is_csv("mine/clips.csv"), is_csv("mine")
    (True, False)
    """
    path = Path(root).expanduser()
    return path.suffix.lower() in SUFFIXES or any(path.glob(f"*{SUFFIXES[0]}"))


def look_at_csv(root: str) -> Findings:
    """The clips, classes and people of a CSV file with the usual columns or those of HACER.

    Args:
        root: The file, or the folder that holds it.
    """
    hacer = f"; {HOW_TO_GET_HACER}" if "hacer" in root.lower() else ""
    try:
        path = find_csv(root)
        table = read_table(path, [*DEFAULT_COLUMNS.names, *HACER_COLUMNS.names])
        own = not table.has_column(DEFAULT_COLUMNS.path) and table.has_column(HACER_COLUMNS.path)
        read = parse_rows(table, HACER_COLUMNS if own else DEFAULT_COLUMNS, skip_invalid=True)
        names = HACER_LABELS if own else infer_class_names(row.label for row in read.rows)
        classes = class_indices([row.label for row in read.rows], names)
        videos = locate_videos(path.parent, [row.path for row in read.rows])
    except UserError as error:
        return Findings([("clips", f"none that {root} lists")], failures=[f"{error}{hacer}"])
    counts = Counter(classes[row.label] for row in read.rows)
    told = [f"{name} {counts[label]:,}" for label, name in enumerate(names)]
    people = (
        f"{len({row.group for row in read.rows}):,}" if read.has_groups else "the file names none"
    )
    rows = [
        (
            "clips",
            f"{len(read.rows):,} in {path} ({table.encoding}, separated by {table.delimiter!r})",
        ),
        ("", f"classes {', '.join(told)}"),
        ("", f"people {people}"),
    ]
    missing = [(video, "") for video in videos.values() if not video.is_file()]
    lost = (
        f"{len(missing):,} of {len(videos):,} videos are not there: {listed_files(missing)}{hacer}"
    )
    return Findings(rows, list(read.warnings), [lost] if missing else [])
