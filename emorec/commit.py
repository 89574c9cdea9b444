"""The commit of the source that runs."""

import subprocess
from pathlib import Path

COMMIT_FILE = "COMMIT"
"""File of the package in which `hatch_build.py` records the commit, in wheels and source archives."""


def source_commit(package: Path | None = None) -> str | None:
    """Return the short hash of the commit, with "-dirty" after local changes; None where it is not known.

    Args:
        package: The folder of the package; by default that of this file.
    """
    folder = package or Path(__file__).parent
    if (recorded := folder / COMMIT_FILE).is_file():
        return recorded.read_text(encoding="ascii").strip()
    clone = folder.parent
    if not (clone / ".git").exists():  # site-packages may be in a clone of something else
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"]
    try:
        described = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip() or None
