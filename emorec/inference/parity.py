"""Whether an exported network says what its checkpoint says."""

from dataclasses import dataclass

import numpy as np

from emorec.inference.runtime import Outputs


@dataclass(frozen=True, slots=True)
class Parity:
    """What two runtimes said of the same windows.

    Attributes:
        windows: How many.
        largest: Difference of two probabilities, or of two numbers.
        agreeing: Windows of which both name the same class.
    """

    windows: int
    largest: float
    agreeing: int


def parity(said: Outputs, expected: Outputs) -> Parity:
    """How alike are what was said (B, K) and what should have been.

    >>> rows = np.array([[0.4, 0.6], [0.5, 0.5]], dtype=np.float32)
    >>> parity(rows, rows)
    Parity(windows=2, largest=0.0, agreeing=2)
    """
    difference = np.abs(said - expected)
    # what is no number, such as an overflow, differs by more than any tolerance
    largest = float(difference.max()) if np.isfinite(difference).all() else float("inf")
    agreeing = int((said.argmax(axis=1) == expected.argmax(axis=1)).sum())
    return Parity(len(said), largest, agreeing)


def shown(difference: float) -> str:
    """A difference with the digits that mean something.

    >>> shown(0.000001234), shown(0.0)
    ('1.2e-06', '0')
    """
    return f"{difference:.2g}"
