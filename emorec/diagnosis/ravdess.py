"""Which clips of RAVDESS are there, and whose are missing."""

from collections import Counter
from collections.abc import Sequence

from emorec.data.sets.ravdess.parser import RavdessName, find_clips
from emorec.data.split import ACTORS
from emorec.diagnosis.findings import Findings
from emorec.errors import UserError

CLIPS_PER_KIND = {"speech": 24 * 60, "song": 23 * 44}
"""Takes in all of RAVDESS: each of the 24 actors speaks 60, each but actor 18 sings 44.

Source: Livingstone & Russo 2018, PLOS ONE 13(5):e0196391.
"""


def look_at_ravdess(root: str | None) -> Findings:
    """Which clips of RAVDESS are there, and whose are missing.

    Args:
        root: The folder it was unzipped to, or None where nobody has said.
    """
    if not root:
        return Findings([("RAVDESS", "not looked for: name its folder with --data_root")])
    try:
        folder = find_clips(root, modality="both", channel="both")
    except UserError as error:
        return Findings([("RAVDESS", f"no clips in {root}")], failures=[str(error)])
    names = [RavdessName.parse(clip.path.stem) for clip in folder.clips]
    rows = [("RAVDESS", f"{len(names):,} clips in {root}")]
    kinds = Counter((name.channel, name.modality) for name in names)
    for (channel, modality), found in sorted(kinds.items()):
        sound = "with sound" if modality == "av" else "without sound"
        rows.append(("", f"{channel} {sound}: {found:,} of {CLIPS_PER_KIND[channel]:,}"))
    present = {name.actor for name in names}
    rows.append(("", f"actors {spans(sorted(present))}"))
    if missing := sorted(set(ACTORS) - present):
        rows.append(("", f"missing actors {spans(missing)}"))
    if folder.other_files:
        path, reason = folder.other_files[0]
        rows.append(("", f"{len(folder.other_files):,} other files, such as {path.name}: {reason}"))
    return Findings(rows)


def spans(numbers: Sequence[int]) -> str:
    """Rising numbers in words, neighbours drawn together.

    >>> spans([1, 2, 3, 5, 7, 8])
    '1-3, 5, 7-8'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
