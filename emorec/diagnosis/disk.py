"""Room for runs and weights."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from emorec.diagnosis.findings import Findings

ENOUGH_DISK_GB = 5.0
"""A run keeps two checkpoints of up to 0.4 GB each: a few runs, and the weights they start from."""


def look_at_disk(folders: Mapping[str, Path]) -> Findings:
    """Free disk space where each folder lies or will lie.

    Args:
        folders: What is written there, and the folder, which need not exist yet.
    """
    rows, warnings = [], []
    for what, folder in folders.items():
        resolved = folder.resolve()
        existing = next(each for each in (resolved, *resolved.parents) if each.is_dir())
        free_gb = shutil.disk_usage(existing).free / 1e9
        rows.append((f"disk for {what}", f"{free_gb:.0f} GB free in {resolved}"))
        if free_gb < ENOUGH_DISK_GB:
            warnings.append(
                f"{free_gb:.1f} GB are left for {what} in {resolved}: "
                f"a few runs take {ENOUGH_DISK_GB:.0f} GB"
            )
    return Findings(rows, warnings)
