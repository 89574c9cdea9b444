"""What earlier checks of clips found, kept in a file, so that a clip is decoded once for it in its life."""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

Fingerprint = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""

Verdicts = dict[str, tuple[Fingerprint, str | None]]
"""Absolute path -> what the file was then, and what was wrong with it (`None`: nothing)."""


def default_memory() -> Path:
    """`emorec/checked-clips.json` in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`)."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a container whose user has no home
        cache = Path(tempfile.gettempdir())
    return cache / "emorec" / "checked-clips.json"


def fingerprint(path: Path) -> Fingerprint | None:
    """What tells the file from a later one of that name; `None` when it is not there or may not be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if os.access(path, os.R_OK) else None


def recall(memory: Path, version: str) -> Verdicts:
    """The verdicts in the file; none when it is missing, unreadable or of another version of decoder or check."""
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
        if content["version"] != version:
            return {}
        return {
            path: ((int(size), int(changed_ns)), reason)
            for path, (size, changed_ns, reason) in content["clips"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remember(
    memory: Path, version: str, verdicts: Mapping[str, tuple[Fingerprint, str | None]]
) -> None:
    """Adds verdicts to the file, whole or not at all, whatever other processes do.

    Of two processes that add at the same moment one may lose what it added, which costs a second check. A folder that
    can't be written to costs the same.
    """
    clips = {
        path: (*seen, reason)
        for path, (seen, reason) in (recall(memory, version) | dict(verdicts)).items()
    }
    unfinished = memory.with_name(f".{memory.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        try:
            memory.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(
                json.dumps({"version": version, "clips": clips}), encoding="utf-8"
            )
            unfinished.replace(memory)
        finally:
            unfinished.unlink(missing_ok=True)
