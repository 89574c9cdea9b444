"""Whether what lies in a folder is all of IEMOCAP."""

from pathlib import Path

from emorec.data.iemocap import find_clips, sessions_in
from emorec.data.iemocap_files import SESSIONS
from emorec.data.iemocap_labels import COUNTS, LABELS
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
        sessions = [session.name for session in sessions_in(Path(root).expanduser())]
    except UserError as error:
        return Findings([("IEMOCAP", f"no utterances in {root}")], failures=[str(error)])
    found = sum(folder.counts.values())
    rows = [("IEMOCAP", f"{found:,} of {sum(COUNTS.values()):,} utterances in {root}")]
    rows.append(("", f"{len(folder.clips):,} of four classes, excited counts as happy"))
    others = [
        f"{LABELS[code]} {folder.counts.get(code, 0):,} of {number:,}"
        for code, number in COUNTS.items()
        if folder.counts.get(code, 0) != number
    ]
    warnings = []
    if len(sessions) < len(SESSIONS):
        rows.append(("", f"{', '.join(sessions)} of five sessions"))
    elif others:
        warnings.append(f"IEMOCAP has other numbers of utterances: {'; '.join(others)}")
    if folder.incomplete:
        name, missing = folder.incomplete[0]
        number = len(folder.incomplete)
        warnings.append(f"incomplete utterances of IEMOCAP: {number:,}, such as {name} ({missing})")
    if folder.others:
        path, wrong = folder.others[0]
        warnings.append(f"{path} has lines that are no utterances: {wrong}")
    return Findings(rows, warnings)
