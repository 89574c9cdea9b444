"""Several processes that decode at once, and a bar that shows how far they are."""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from typing_extensions import override

from emorec.data.cache.decode_process import DecodeProcess, DecoderDiedError

QUIET_SECONDS = 2.0
"""No progress bar for less work than this."""

Key = TypeVar("Key")
Done = TypeVar("Done")


class DecodePool:
    """Processes that answer requests, each on one core. When it is closed, no process is left.

    Args:
        workers: How many.
        timeout_seconds: For one request; then its process is killed.
    """

    def __init__(self, workers: int, timeout_seconds: float) -> None:
        self._processes = [DecodeProcess(timeout_seconds) for _ in range(max(1, workers))]
        self._idle: SimpleQueue[DecodeProcess] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)
        # threads only wait: each for the answer of one process
        self._threads = ThreadPoolExecutor(len(self._processes))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.kill()
        self._threads.shutdown()
        for process in self._processes:
            process.close()

    def answers(
        self, requests: Mapping[Key, Mapping[str, Any]]
    ) -> Generator[tuple[Key, dict[str, Any]]]:
        """What was found out, in the order in which it comes.

        A request at which a process hung or died is answered by `{"error": ..., "died": True}`.

        Raises:
            RuntimeError: When no process can be started.
        """
        futures = {self._threads.submit(self._ask, asked): key for key, asked in requests.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        process = self._idle.get()
        try:
            return process.ask(request)
        except DecoderDiedError as death:
            return {"error": str(death), "died": True}
        finally:
            self._idle.put(process)


class _PerSecond(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    @override
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f} {self._unit}/s")


def with_bar(
    done: Iterable[Done], total: int, words: str, *, unit: str = "clips", show: bool = True
) -> Iterator[Done]:
    """The same things, with a bar on the terminal once they take longer than two seconds."""
    console = Console(stderr=True)
    progress = Progress(
        TextColumn(words),
        BarColumn(),
        MofNCompleteColumn(),
        _PerSecond(unit),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (show and console.is_terminal),
    )
    task = progress.add_task("", total=total)
    began = time.monotonic()
    try:
        for one in done:
            progress.advance(task)
            if time.monotonic() - began > QUIET_SECONDS:
                progress.start()
            yield one
    finally:
        if progress.live.is_started:
            progress.stop()
