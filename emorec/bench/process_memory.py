"""Memory that a process holds."""

import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path

from emorec.errors import UserError


def resident_bytes(process: int) -> int:
    """Bytes of memory that a process holds, shared ones included.

    Args:
        process: Its id.

    Raises:
        UserError: Where the operating system does not tell as Linux does.

    >>> resident_bytes(os.getpid()) > 1_000_000
    True
    """
    try:
        pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    except OSError as error:
        raise UserError(f"can't tell how much memory process {process} holds: {error}") from error
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def growth(samples: Sequence[int], warm_up: float = 0.2) -> float:
    """By what share memory grew after a warm-up: its highest level then, relative to its highest level before.

    Args:
        samples: Bytes, in the order of time.
        warm_up: The share of the samples that belongs to it.

    >>> round(growth([50, 100, 99, 100, 98, 101, 100, 102, 100, 100]), 3)
    0.02
    """
    count = max(1, round(len(samples) * warm_up))
    return max(samples[count:], default=samples[-1]) / max(samples[:count]) - 1


def only_worker() -> int:
    """The id of this process's one child.

    Raises:
        RuntimeError: When there are none or several.
    """
    children = multiprocessing.active_children()
    if len(children) != 1 or children[0].pid is None:
        raise RuntimeError(f"expected one child process, found {children}")
    return children[0].pid
