"""Errors a user can do something about, as one line; everything else is a bug and keeps its traceback."""

import errno

from emorec.parser import first_user_error

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}

LOGGER_PACKAGES = {"wandb", "mlflow"}
"""Packages whose errors are about accounts, servers and stores."""

ENVIRONMENT_ERRORS = {
    "DataLoader worker": "a loader process died, often for lack of memory: "
    "try fewer --data.num_workers or a smaller --data.batch_size",
    "[enforce fail": "out of memory: try a smaller --data.batch_size",
    "Expected more than 1 value per channel when training": "a batch of one clip can't be normalized: "
    "choose a --data.batch_size above 1 and at least two training clips for each process",
    "Error(s) in loading state_dict": "the checkpoint's weights do not fit its network",
    "Early stopping conditioned on metric": "early_stopping.monitor",
}
"""How an error of torch or Lightning begins where it is a mistake in the settings -> what to put before it."""


def user_message(error: BaseException) -> str | None:
    """Return the one line for an error that a user can do something about, None for a bug."""
    if user_error := first_user_error(error):
        return one_line(user_error)
    if isinstance(error, OSError) and (error.filename or error.errno in DISK_ERRORS):
        return f"can't use {error.filename or 'the disk'}: {error.strerror}"
    package = type(error).__module__.partition(".")[0]
    if package in LOGGER_PACKAGES:
        return f"{package}: {one_line(error)}"
    # late: torch takes seconds, and without it these errors do not occur
    import torch
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    text = " ".join(str(error).split())
    if isinstance(error, MisconfigurationException):
        return text
    if isinstance(error, torch.OutOfMemoryError):
        return f"out of GPU memory: try a smaller --data.batch_size ({text})"
    starts = ENVIRONMENT_ERRORS if isinstance(error, RuntimeError | ValueError) else {}
    messages = (f"{advice}: {text}" for start, advice in starts.items() if text.startswith(start))
    return next(messages, None)


def one_line(error: BaseException) -> str:
    r"""Return the message of an error, without the traceback of the loader process that raised it.

    >>> one_line(ValueError("no such folder: x"))
    'no such folder: x'
    >>> one_line(ValueError("Caught E in DataLoader worker process 0.\nOriginal Traceback...\na.E: broken: x"))
    'broken: x'
    """
    message = str(error).strip()
    if "Original Traceback" in message:
        return message.splitlines()[-1].partition(": ")[2]
    return " ".join(message.split())
