"""What can go wrong in a run without anything being wrong with the program, as one line for people."""

import errno
import re
from collections.abc import Callable

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from emorec.cli.complaints import chain
from emorec.errors import UserError

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}

_RUNTIME: dict[str, Callable[[str], str]] = {
    "Early stopping conditioned on metric": lambda text: f"early_stopping.monitor: {text}",
    "DataLoader worker": lambda text: (
        f"a loader process died, as it does when memory runs out ({text}): "
        "try fewer --data.num_workers or a smaller --data.batch_size"
    ),
    r"Error\(s\) in loading state_dict": lambda text: (
        f"the checkpoint's weights do not fit its network: {text}"
    ),
    ".*can't allocate memory": lambda text: (
        f"out of memory ({text}): try a smaller --data.batch_size"
    ),
}
"""How torch and Lightning start when they mean something else than a bug."""


def explained(error: BaseException) -> UserError | None:
    """The error that a user can do something about; `None` for a bug, which needs its traceback."""
    for cause in chain(error):
        if isinstance(cause, UserError):
            return cause
    text = " ".join(str(error).split())
    if isinstance(error, MisconfigurationException):
        return UserError(text)
    if isinstance(error, torch.OutOfMemoryError):
        return UserError(f"out of GPU memory: try a smaller --data.batch_size ({text})")
    if isinstance(error, OSError) and (error.filename or error.errno in _DISK):
        return UserError(f"can't use {error.filename or 'the disk'}: {error.strerror}")
    if isinstance(error, RuntimeError):
        said = next((said for start, said in _RUNTIME.items() if re.match(start, text)), None)
        return UserError(said(text)) if said else None
    return None


def explained_while_made(error: Exception) -> Exception:
    """What to raise for an error in a network's or data set's constructor, which jsonargparse wraps up.

    A `ValueError` is a value that somebody chose; of anything else the origin and its traceback are wanted.
    """
    origin = list(chain(error))[-1]
    if isinstance(origin, UserError):
        return origin
    if isinstance(origin, ValueError):
        return UserError(" ".join(str(origin).split()))
    return origin if isinstance(origin, Exception) else error
