"""What a run's log says: how far it is, how good it was, and why it failed.

`emorec fit` prints a line an epoch where nobody looks, and one line for a mistake. Reading them asks nothing of the
run: it is the same as one that is started by hand, and its configuration names no part of a study.
"""

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass

_EPOCH = re.compile(r"^Epoch (\d+)(?:/(\d+))?  .*?\b(UAR|CCC) (-?\d\.\d+)", re.MULTILINE)

_MISTAKE = re.compile(r"^emorec \w+: error: (.+)$", re.MULTILINE)

LONGEST = 300
"""Characters of an error that is recorded."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A finished epoch.

    Attributes:
        number: From 1.
        of: How many there may be; `None` in a run without an end.
        score: Of the validation clips.
        figure: What that is: "UAR", or "CCC" where numbers are predicted.
    """

    number: int
    of: int | None
    score: float
    figure: str = "UAR"


def epochs(log: str) -> list[Epoch]:
    r"""The finished epochs in their order; one that was done again after a kill counts as it was done last.

    >>> epochs("Epoch 1/3  loss 2.069  val loss 2.080  UAR 0.125  clips/s 208.2\nEpoch 2/3  UAR 0.250\n")
    [Epoch(number=1, of=3, score=0.125, figure='UAR'), Epoch(number=2, of=3, score=0.25, figure='UAR')]
    """
    found = {
        int(number): Epoch(int(number), int(of) if of else None, float(score), figure)
        for number, of, figure, score in _EPOCH.findall(log)
    }
    return [found[number] for number in sorted(found)]


def best_score(done: Sequence[Epoch]) -> float:
    """The best validation UAR or CCC so far; 0 before the first epoch.

    >>> best_score([Epoch(1, 3, 0.2), Epoch(2, 3, 0.5), Epoch(3, 3, 0.4)])
    0.5
    """
    return max((epoch.score for epoch in done), default=0.0)


def reason(log: str, code: int) -> str:
    r"""Why a command failed, in one line.

    Args:
        log: What it printed.
        code: How it ended; below 0 the signal that ended it.

    >>> reason("network ...\nemorec fit: error: out of GPU memory: try less\n", 2)
    'out of GPU memory: try less'
    >>> reason("Traceback (most recent call last):\n  File ...\nKeyError: 'happy'\n", 1)
    "KeyError: 'happy'"
    >>> reason("Epoch 1/3 ...\n", -9)
    'killed by SIGKILL, as it happens when memory runs out'
    """
    if code < 0:
        why = ", as it happens when memory runs out" if -code == signal.SIGKILL else ""
        return f"killed by {signal.Signals(-code).name}{why}"
    if mistakes := _MISTAKE.findall(log):
        return str(mistakes[-1])[:LONGEST]
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:LONGEST] if lines else f"it ended with code {code} and said nothing"
