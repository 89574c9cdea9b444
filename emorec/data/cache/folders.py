"""Where emorec keeps what it can make again."""

import os
import tempfile
from pathlib import Path

CACHE_VARIABLE = "EMOREC_CACHE"


def cache_folder() -> Path:
    """What `EMOREC_CACHE` names, else `emorec` in the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`).

    >>> import os
    >>> os.environ["EMOREC_CACHE"] = "/fast/disk"
    >>> cache_folder().as_posix()
    '/fast/disk'
    >>> del os.environ["EMOREC_CACHE"]
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "emorec")
    except RuntimeError:  # a container whose user has no home
        return Path(tempfile.gettempdir(), "emorec")


def kept_in(cache: str) -> Path:
    """Where what `data.cache` says is kept, "auto", "none" or a folder; with "none" what is known of clips is."""
    return cache_folder() if cache in ("auto", "none") else Path(cache).expanduser()
