"""Whether what lies in a folder is all of IEMOCAP."""

from emorec.data.sets.iemocap.parser import LABEL_COUNTS, LABELS, SESSIONS, find_clips
from emorec.diagnosis.findings import Findings
from emorec.errors import UserError


def look_at_iemocap(root: str | None) -> Findings:
    """Which utterances of IEMOCAP are there, and whether they are as many as it has of each label.

    Args:
        root: The folder that holds its sessions, or None where nobody has said; then nothing is looked for.
    """
    if not root:
        return Findings()
    try:
        folder = find_clips(root, merge_excited=True)
    except UserError as error:
        return Findings([("IEMOCAP", f"no utterances in {root}")], failures=[str(error)])
    found = sum(folder.label_counts.values())
    rows = [("IEMOCAP", f"{found:,} of {sum(LABEL_COUNTS.values()):,} utterances in {root}")]
    rows.append(("", f"{len(folder.clips):,} of four classes, excited counts as happy"))
    others = [
        f"{LABELS[code]} {folder.label_counts.get(code, 0):,} of {number:,}"
        for code, number in LABEL_COUNTS.items()
        if folder.label_counts.get(code, 0) != number
    ]
    warnings = []
    if len(folder.sessions) < len(SESSIONS):
        sessions = ", ".join(f"Session{number}" for number in folder.sessions)
        rows.append(("", f"{sessions} of five sessions"))
    elif others:
        warnings.append(f"IEMOCAP has other numbers of utterances: {'; '.join(others)}")
    if folder.incomplete:
        name, missing = folder.incomplete[0]
        number = len(folder.incomplete)
        warnings.append(f"incomplete utterances of IEMOCAP: {number:,}, such as {name} ({missing})")
    if folder.malformed:
        path, wrong = folder.malformed[0]
        warnings.append(f"{path} has lines that are no utterances: {wrong}")
    return Findings(rows, warnings)
