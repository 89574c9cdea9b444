"""A hang becomes an error."""

import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from emorec.data.decoding.decode import ClipError

Result = TypeVar("Result")


def within(seconds: float, path: Path, work: Callable[[], Result]) -> Result:
    """What the work returns, if that does not take too long.

    Work that hangs is left behind in a thread that does not keep the process from ending.

    Args:
        seconds: The longest that it may take.
        path: The file it is about.
        work: Called once.

    Raises:
        ClipError: When it takes longer.
        BaseException: What the work raises.

    >>> within(9, Path("a.mp4"), lambda: 6 * 7)
    42
    """
    outcome: SimpleQueue[tuple[Result | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            outcome.put((work(), None))
        except BaseException as error:
            outcome.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except Empty:
        raise ClipError.of(path, f"decoding hangs: no end after {seconds:g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # it is there when there is no error
