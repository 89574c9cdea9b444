"""Ctrl-C that is not lost."""

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_SECONDS = 0.1
"""Until a Ctrl-C that came at a bad moment is tried again."""


@contextmanager
def sure_interrupt() -> Iterator[None]:
    """Within it, Ctrl-C also ends what it finds in a destructor.

    Python prints what is raised in a destructor and goes on. Loaders are made and taken down all the time here, and a
    good part of that happens in their destructors.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raises KeyboardInterrupt, in a little while where it would be lost now."""
    if in_destructor(frame):
        threading.Timer(AGAIN_SECONDS, _thread.interrupt_main).start()
    else:
        signal.default_int_handler(number, frame)


def in_destructor(frame: FrameType | None) -> bool:
    """Whether a destructor is at work somewhere above."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
