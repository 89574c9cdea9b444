"""What a CSV file of clips lists, and which of its videos are there."""

from collections import Counter
from pathlib import Path

from emorec.data.csv_file import SUFFIXES, find_csv, read_sheet
from emorec.data.csv_labels import classes_by_word, names_of_classes
from emorec.data.csv_paths import locate
from emorec.data.csv_rows import USUAL, read_rows
from emorec.data.hacer import COLUMNS, LABELS, OBTAIN
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
    hacer = f"; {OBTAIN}" if "hacer" in root.lower() else ""
    try:
        path = find_csv(root)
        sheet = read_sheet(path, [*USUAL.names, *COLUMNS.names])
        own = sheet.place(USUAL.path) is None and sheet.place(COLUMNS.path) is not None
        read = read_rows(sheet, COLUMNS if own else USUAL, skip=True)
        names = LABELS if own else names_of_classes(row.label for row in read.used)
        classes = classes_by_word([row.label for row in read.used], names)
        videos = locate(path.parent, [row.path for row in read.used])
    except UserError as error:
        return Findings([("clips", f"none that {root} lists")], failures=[f"{error}{hacer}"])
    counts = Counter(classes[row.label] for row in read.used)
    told = [f"{name} {counts[label]:,}" for label, name in enumerate(names)]
    people = (
        f"{len({row.group for row in read.used}):,}" if read.has_groups else "the file names none"
    )
    rows = [
        (
            "clips",
            f"{len(read.used):,} in {path} ({sheet.encoding}, separated by {sheet.separator!r})",
        ),
        ("", f"classes {', '.join(told)}"),
        ("", f"people {people}"),
    ]
    missing = [(video, "") for video in videos.values() if not video.is_file()]
    lost = (
        f"{len(missing):,} of {len(videos):,} videos are not there: {listed_files(missing)}{hacer}"
    )
    return Findings(rows, list(read.remarks), [lost] if missing else [])
