"""What an exported program of a fixed batch is given: so many windows at once, the last ones filled up."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emorec.inference.runtime import Outputs

Inputs = Sequence[npt.NDArray[Any]]
"""What a network takes, in the order of `Facts.inputs`, each of the same length B."""


def run_at_once(run: Callable[[Inputs], Outputs], inputs: Inputs, at_once: int | None) -> Outputs:
    """B windows -> (B, K), also where a program takes exactly `at_once` of them; `None` stands for any number.

    >>> exactly_two = lambda given: given[0][:, None] * np.ones(2, dtype=np.float32)[:, None]
    >>> run_at_once(exactly_two, [np.arange(3, dtype=np.float32)], 2).ravel().tolist()
    [0.0, 1.0, 2.0]
    """
    count = len(inputs[0])
    if at_once is None or count == at_once:
        return run(inputs)
    said = []
    for start in range(0, count, at_once):
        rows = [min(row, count - 1) for row in range(start, start + at_once)]
        said.append(run([each[rows] for each in inputs])[: count - start])
    return np.concatenate(said)
