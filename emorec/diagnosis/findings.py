"""What looking at one thing brings to light."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out about one thing.

    Attributes:
        rows: What it is and its value, to be shown.
        warnings: What may go wrong, though emorec runs.
        failures: What is missing or does not work.
    """

    rows: Sequence[tuple[str, str]] = ()
    warnings: Sequence[str] = ()
    failures: Sequence[str] = ()


def first_line(error: Exception) -> str:
    r"""What an exception says, in one line.

    >>> first_line(RuntimeError("operator torchvision::nms does not exist\nat ..."))
    'RuntimeError: operator torchvision::nms does not exist'
    """
    return f"{type(error).__name__}: {str(error).strip()}".partition("\n")[0]
