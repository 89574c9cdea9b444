"""Ctrl-C, a cluster's SIGTERM and a closed terminal ask a study to stop."""

import signal
import threading
from types import FrameType
from typing import Any, Self

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Stop:
    """Notes signals instead of being interrupted by them, so that nothing is left half written.

    Attributes:
        asked: How often it was asked to stop.
        number: The first signal; `None` before.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *raised: object) -> None:
        for number, answer in self._before.items():
            signal.signal(number, answer)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.asked += 1
        self.number = self.number or number
