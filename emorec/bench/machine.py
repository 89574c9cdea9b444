"""The machine that a measurement is made on, and checks before it starts."""

import datetime as dt
import os
import platform
from pathlib import Path
from typing import Any

import torch

import emorec
from emorec.errors import UserError
from emorec.io import check_writable, num_cores


def describe_machine() -> dict[str, Any]:
    """Return versions and the processor."""
    return {
        "emorec": emorec.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cores": num_cores(),
        "threads": torch.get_num_threads(),
    }


def load_average() -> float | None:
    """Return how many processes wanted a core in the last minute; `None` where the system does not count them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def check_positive(numbers: dict[str, float]) -> None:
    """Refuse a number that is not above 0.

    Raises:
        UserError: With the number's name.
    """
    for name, number in numbers.items():
        if not number > 0:
            raise UserError(f"--{name} is {number:g}: choose more than 0")


def check_out(path: Path) -> None:
    """Refuse an output file that could not be written.

    Raises:
        UserError: When it is a folder, or its folder can't be written to.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file with --out")
    check_writable(path, "--out")
