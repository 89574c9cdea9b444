"""Finds broken clips before the first epoch: decodes each one whole, once in its life."""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

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

from emorec.data.check_memory import (
    Fingerprint,
    Verdicts,
    default_memory,
    fingerprint,
    recall,
    remember,
)
from emorec.data.check_process import DecoderDiedError, DecoderProcess
from emorec.data.decode import DECODER

VERSION = f"check 1, {DECODER}"
"""Verdicts of another version count for nothing."""

QUIET_SECONDS = 2.0
"""No progress bar for less work than this."""


@dataclass(frozen=True, slots=True)
class BrokenClip:
    """A clip that can't be used and why, in plain words."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class _Verdict:
    path: Path
    reason: str | None
    seen: Fingerprint | None  # what it holds for; `None` when it is not to be kept


def check_clips(
    paths: Sequence[Path],
    *,
    workers: int,
    timeout_seconds: float = 60.0,
    memory: Path | None = None,
    progress: bool = True,
) -> list[BrokenClip]:
    """The broken ones among the clips, in their order.

    Broken is what can't be read or decoded to its end, what has one frame, what promises more than one frame too many,
    what was damaged so that the decoder noticed, and what hangs or crashes the decoder. Damage that no decoder notices
    (a flipped bit that still means something) can't be found.

    Args:
        paths: The video files.
        workers: Processes that decode, each on one core.
        timeout_seconds: For one clip; then its process is killed.
        memory: The file that keeps the verdicts, by default in the user's cache folder. Clips that hang or crash the
            decoder are tried anew each time, as that may have been the machine's fault.
        progress: Show a bar when it takes longer than two seconds.

    Raises:
        RuntimeError: When no process can be started.
    """
    memory = memory or default_memory()
    known = recall(memory, VERSION)
    reasons: dict[Path, str | None] = {}
    for path in paths:
        seen, reason = known.get(str(path.absolute()), (None, None))
        if seen is not None and seen == fingerprint(path):
            reasons[path] = reason
    todo = [path for path in dict.fromkeys(paths) if path not in reasons]
    if todo:
        new: Verdicts = {}
        try:
            with closing(_decode_all(todo, workers, timeout_seconds)) as verdicts:
                for verdict in _with_bar(verdicts, len(todo)) if progress else verdicts:
                    reasons[verdict.path] = verdict.reason
                    if verdict.seen:
                        new[str(verdict.path.absolute())] = (verdict.seen, verdict.reason)
        finally:
            remember(memory, VERSION, new)
    return [BrokenClip(path, reason) for path in dict.fromkeys(paths) if (reason := reasons[path])]


def _decode_all(paths: Sequence[Path], workers: int, timeout_seconds: float) -> Generator[_Verdict]:
    """The verdicts in the order in which they come. When the iterator is closed, no process is left."""
    processes = [DecoderProcess(timeout_seconds) for _ in range(min(workers, len(paths)))]
    idle: SimpleQueue[DecoderProcess] = SimpleQueue()
    for process in processes:
        idle.put(process)

    def decode(path: Path) -> _Verdict:
        process = idle.get()
        seen = fingerprint(path)
        try:
            return _Verdict(path, process.whats_wrong(path), seen)
        except DecoderDiedError as death:
            return _Verdict(path, str(death), None)
        finally:
            idle.put(process)

    # threads only wait: each for the answer of one process
    pool = ThreadPoolExecutor(len(processes))
    try:
        for future in as_completed([pool.submit(decode, path) for path in paths]):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        pool.shutdown()
        for process in processes:
            process.close()


class _ClipsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f} clips/s")


def _with_bar(verdicts: Iterable[_Verdict], total: int) -> Iterator[_Verdict]:
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), _ClipsPerSecond(), TimeRemainingColumn())
    progress = Progress(
        TextColumn("looking for broken clips"),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = progress.add_task("", total=total)
    began = time.monotonic()
    try:
        for verdict in verdicts:
            progress.advance(task)
            if time.monotonic() - began > QUIET_SECONDS:
                progress.start()
            yield verdict
    finally:
        if progress.live.is_started:
            progress.stop()
