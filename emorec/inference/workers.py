"""Worker processes: a function applied to items, several at a time; a killed worker costs nothing but its item."""

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Generic, TypeVar

from emorec.io import num_cores

Item = TypeVar("Item")
Result = TypeVar("Result")

STOP_SECONDS = 5.0
"""How long workers may take to write what is predicted after Ctrl-C."""


class WorkerKilledError(Exception):
    """The process that worked on an item ended without a result, as when memory runs out."""


def map_in_processes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    num_processes: int,
    *,
    on_killed: Callable[[int], None],
) -> Generator[tuple[Item, Result | WorkerKilledError]]:
    """Yield each item with its result as soon as it is known.

    When a worker is killed, all items at work are lost with it: each is tried once more in a process of its own, so
    that only the one that kills its process fails. After Ctrl-C, `function` gets a KeyboardInterrupt, and what it still
    returns within `STOP_SECONDS` is yielded.

    Args:
        function: Can be pickled, and so can its results; it may end early with a result after a KeyboardInterrupt.
        items: Its arguments.
        num_processes: Items at work at a time.
        on_killed: Called with the number of items that are tried again.

    Raises:
        KeyboardInterrupt: After Ctrl-C.
    """
    waiting = deque(items)
    while waiting:
        lost = yield from _map_until_killed(function, waiting, num_processes)
        if lost:
            on_killed(len(lost))
        for item in lost:
            if (yield from _map_until_killed(function, deque([item]), 1)):
                yield item, WorkerKilledError()


def _map_until_killed(
    function: Callable[[Item], Result], waiting: deque[Item], num_processes: int
) -> Generator[tuple[Item, Result], None, list[Item]]:
    """Yield results and remove their items from `waiting`; return those that were lost with a killed worker."""
    lost: list[Item] = []
    with closing(_Pool(function, min(num_processes, len(waiting)))) as pool:
        try:
            while pool.running or (waiting and not lost):
                # no more than one item a worker: a killed one takes none that had not begun
                while waiting and not lost and len(pool.running) < num_processes:
                    item = waiting.popleft()
                    if not pool.submit(item):
                        lost.append(item)
                for item, result in pool.wait():
                    if result is None:
                        lost.append(item)
                    else:
                        yield item, result
        except KeyboardInterrupt:
            pool.interrupt()
            for item, result in pool.wait(STOP_SECONDS):
                if result is not None:
                    yield item, result
            raise
    return lost


class _Pool(Generic[Item, Result]):
    """A pool of processes, and the items at work there.

    Args:
        function: Applied to each item.
        num_processes: Number of processes.

    Attributes:
        running: Future -> item at work.
    """

    def __init__(self, function: Callable[[Item], Result], num_processes: int) -> None:
        self.function = function
        self.running: dict[Future[Result | None], Item] = {}
        self._others = set(active_children())
        # not forked: a fork copies locks that other threads (a progress bar, ONNX Runtime) may hold
        self._pool = ProcessPoolExecutor(
            num_processes, mp_context=get_context("spawn"), initializer=_handle_interrupts
        )

    def submit(self, item: Item) -> bool:
        """Begin an item; return whether the pool can."""
        try:
            with _interrupts_held_back():  # until a new worker can handle them
                self.running[self._pool.submit(_call, self.function, item)] = item
        except BrokenProcessPool:
            return False
        return True

    def wait(self, seconds: float | None = None) -> Iterator[tuple[Item, Result | None]]:
        """Yield the items that are done with their results; `None` where a worker was killed or interrupted.

        Args:
            seconds: How long to wait for all items at work; `None` waits for the first.
        """
        until = FIRST_COMPLETED if seconds is None else ALL_COMPLETED
        for future in wait(self.running, seconds, return_when=until).done:
            item = self.running.pop(future)
            try:
                result = future.result()
            except BrokenProcessPool:
                result = None
            yield item, result

    def interrupt(self) -> None:
        """Interrupt the items at work."""
        for worker in self._workers():
            assert worker.pid is not None
            with suppress(OSError):
                os.kill(worker.pid, signal.SIGINT)

    def close(self) -> None:
        """End all processes, also those at work."""
        if self.running:
            for worker in self._workers():
                worker.kill()
        self._pool.shutdown()

    def _workers(self) -> set[BaseProcess]:
        return set(active_children()) - self._others


_interrupted = _is_working = False


def _handle_interrupts() -> None:
    """Let Ctrl-C, which a terminal sends to every process, end the work on an item, once, and not the worker."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        global _interrupted  # noqa: PLW0603 - a process has one handler
        if _is_working and not _interrupted:
            _interrupted = True
            raise KeyboardInterrupt
        _interrupted = True

    signal.signal(signal.SIGINT, interrupt)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _call(function: Callable[[Item], Result], item: Item) -> Result | None:
    """Return the result for an item; `None` after Ctrl-C."""
    global _is_working  # noqa: PLW0603 - as its signal handler
    _is_working = True
    try:
        return None if _interrupted else function(item)
    except KeyboardInterrupt:
        return None
    finally:
        _is_working = False


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold Ctrl-C back in the block, and in the processes started there until they handle it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


@contextmanager
def threads_per_process(num_processes: int) -> Iterator[None]:
    """Divide the threads of numerical libraries among processes started in the block: OMP_NUM_THREADS or one a core."""
    former = os.environ.get("OMP_NUM_THREADS", "")
    total = int(former) if former.isdecimal() else num_cores()
    os.environ["OMP_NUM_THREADS"] = str(max(1, total // num_processes))
    try:
        yield
    finally:
        if former:
            os.environ["OMP_NUM_THREADS"] = former
        else:
            del os.environ["OMP_NUM_THREADS"]
