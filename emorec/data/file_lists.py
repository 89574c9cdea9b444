"""How a message names many files."""

from collections.abc import Sequence
from pathlib import Path

MAX_LISTED = 10
"""How many files a message names before it only counts."""


def listed(files: Sequence[tuple[Path, str]]) -> str:
    """Files with what is to be said of each, on one line.

    >>> listed([(Path("a.mp4"), "empty"), (Path("b.mp4"), "no video")])
    'a.mp4 (empty); b.mp4 (no video)'
    """
    named = [f"{path} ({reason})" if reason else str(path) for path, reason in files[:MAX_LISTED]]
    rest = [f"and {len(files) - MAX_LISTED} more"] if len(files) > MAX_LISTED else []
    return "; ".join([*named, *rest])
