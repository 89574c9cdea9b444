"""Checks of data sets: which clips, people and labels are there, and what is missing."""

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
from emorec.data.sets.iemocap.parser import LABEL_COUNTS, SESSIONS
from emorec.data.sets.iemocap.parser import LABELS as IEMOCAP_LABELS
from emorec.data.sets.iemocap.parser import find_clips as find_iemocap_clips
from emorec.data.sets.ravdess.parser import RavdessName, find_clips
from emorec.data.split import ACTORS
from emorec.doctor.environment import Report
from emorec.errors import UserError
from emorec.io import is_file
from emorec.text import listed_files, number_ranges

CLIPS_PER_KIND = {"speech": 24 * 60, "song": 23 * 44}
"""Takes in all of RAVDESS: each of the 24 actors speaks 60, each but actor 18 sings 44.

Source: Livingstone & Russo 2018, PLOS ONE 13(5):e0196391.
"""


def check_ravdess(root: str | None) -> Report:
    """Count the clips of RAVDESS by kind; name the actors that are missing.

    Args:
        root: The folder it was unzipped to, None if unknown.
    """
    if not root:
        not_named = "not looked for: name its folder with --data_root"
        return Report([("RAVDESS", not_named)], facts={"ravdess": None})
    try:
        folder = find_clips(root, modality="both", channel="both")
    except UserError as error:
        return Report(
            [("RAVDESS", f"no clips in {root}")],
            failures=[str(error)],
            facts={"ravdess": {"folder": root, "clips": 0}},
        )
    names = [RavdessName.parse(clip.path.stem) for clip in folder.clips]
    rows = [("RAVDESS", f"{len(names):,} clips in {root}")]
    kinds = Counter((name.channel, name.modality) for name in names)
    for (channel, modality), found in sorted(kinds.items()):
        sound = "with sound" if modality == "av" else "without sound"
        rows.append(("", f"{channel} {sound}: {found:,} of {CLIPS_PER_KIND[channel]:,}"))
    present = {name.actor for name in names}
    rows.append(("", f"actors {number_ranges(sorted(present))}"))
    missing = sorted(set(ACTORS) - present)
    if missing:
        rows.append(("", f"missing actors {number_ranges(missing)}"))
    if folder.other_files:
        path, reason = folder.other_files[0]
        rows.append(("", f"{len(folder.other_files):,} other files, such as {path.name}: {reason}"))
    facts = {
        "folder": root,
        "clips": len(names),
        "kinds": {f"{channel}_{modality}": found for (channel, modality), found in kinds.items()},
        "actors": sorted(present),
        "missing_actors": missing,
        "other_files": len(folder.other_files),
    }
    return Report(rows, facts={"ravdess": facts})


def is_csv(root: str) -> bool:
    """Whether this is a CSV file by its suffix, or a folder with one.

    >>> is_csv("mine/clips.csv"), is_csv("mine")
    (True, False)
    """
    path = Path(root).expanduser()
    return path.suffix.lower() in SUFFIXES or any(path.glob(f"*{SUFFIXES[0]}"))


def check_csv(root: str) -> Report:
    """Count the clips, classes and people of a CSV file with the default columns or those of HACER.

    Args:
        root: The file, or the folder that holds it.
    """
    # late: it imports torch, which may be what is broken
    from emorec.data.sets.hacer import HACER_COLUMNS, HACER_LABELS, HOW_TO_GET_HACER

    obtain = f"; {HOW_TO_GET_HACER}" if "hacer" in root.lower() else ""
    try:
        path = find_csv(root)
        table = read_table(path, [*DEFAULT_COLUMNS.names, *HACER_COLUMNS.names])
        is_hacer = not table.has_column(DEFAULT_COLUMNS.path) and table.has_column(
            HACER_COLUMNS.path
        )
        columns = HACER_COLUMNS if is_hacer else DEFAULT_COLUMNS
        clips = parse_rows(table, columns, skip_invalid=True)
        names = HACER_LABELS if is_hacer else infer_class_names(row.label for row in clips.rows)
        classes = class_indices([row.label for row in clips.rows], names)
        videos = locate_videos(path.parent, [row.path for row in clips.rows])
    except UserError as error:
        return Report(
            [("clips", f"none that {root} lists")],
            failures=[f"{error}{obtain}"],
            facts={"csv": {"file": root, "clips": 0}},
        )
    counts = Counter(classes[row.label] for row in clips.rows)
    class_counts = [f"{name} {counts[label]:,}" for label, name in enumerate(names)]
    people = len({row.group for row in clips.rows}) if clips.has_groups else None
    rows = [
        (
            "clips",
            f"{len(clips.rows):,} in {path} ({table.encoding}, separated by {table.delimiter!r})",
        ),
        ("", f"classes {', '.join(class_counts)}"),
        ("", f"people {'the file names none' if people is None else f'{people:,}'}"),
    ]
    missing = [(video, "") for video in videos.values() if not is_file(video)]
    lost = (
        f"{len(missing):,} of {len(videos):,} videos are not there: {listed_files(missing)}{obtain}"
    )
    facts = {
        "file": str(path),
        "encoding": table.encoding,
        "delimiter": table.delimiter,
        "clips": len(clips.rows),
        "classes": {name: counts[label] for label, name in enumerate(names)},
        "people": people,
        "missing_videos": len(missing),
    }
    return Report(rows, list(clips.warnings), [lost] if missing else [], {"csv": facts})


def check_iemocap(root: str | None) -> Report:
    """Count the utterances of IEMOCAP and compare them with the published numbers.

    Args:
        root: The folder that holds its sessions; None for no check.
    """
    if not root:
        return Report(facts={"iemocap": None})
    try:
        folder = find_iemocap_clips(root, merge_excited=True)
    except UserError as error:
        return Report(
            [("IEMOCAP", f"no utterances in {root}")],
            failures=[str(error)],
            facts={"iemocap": {"folder": root, "utterances": 0}},
        )
    found = sum(folder.label_counts.values())
    rows = [("IEMOCAP", f"{found:,} of {sum(LABEL_COUNTS.values()):,} utterances in {root}")]
    rows.append(("", f"{len(folder.clips):,} of four classes, excited counts as happy"))
    others = [
        f"{IEMOCAP_LABELS[code]} {folder.label_counts.get(code, 0):,} of {number:,}"
        for code, number in LABEL_COUNTS.items()
        if folder.label_counts.get(code, 0) != number
    ]
    warnings = []
    if len(folder.sessions) < len(SESSIONS):
        rows.append(("", f"sessions {', '.join(map(str, folder.sessions))} of five"))
    elif others:
        warnings.append(f"IEMOCAP has other numbers of utterances: {'; '.join(others)}")
    if folder.incomplete:
        name, missing = folder.incomplete[0]
        number = len(folder.incomplete)
        warnings.append(f"incomplete utterances of IEMOCAP: {number:,}, such as {name} ({missing})")
    if folder.malformed:
        path, wrong = folder.malformed[0]
        warnings.append(f"{path} has lines that are not utterances: {wrong}")
    facts = {
        "folder": root,
        "utterances": found,
        "labels": {name: folder.label_counts.get(code, 0) for code, name in IEMOCAP_LABELS.items()},
        "clips_of_four_classes": len(folder.clips),
        "sessions": sorted(folder.sessions),
        "incomplete": len(folder.incomplete),
    }
    return Report(rows, warnings, facts={"iemocap": facts})
