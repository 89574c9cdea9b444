"""Crash-isolated decoder subprocesses.

A decoder may hang or crash on a bad file, and FFmpeg reports damage that it conceals only on the standard error stream.
So clips are decoded in subprocesses whose standard error stream is read, which are killed after a timeout and replaced
when they die. They import a decoder and NumPy, never torch. Parent and child exchange pickles: a function of this
module with its arguments, and what it returned or raised.
"""

import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self, TypeAlias, TypeVar

import emorec
from emorec.data.audio import SoundSpec
from emorec.data.cache.store import CacheEntry, file_digest, write_clip
from emorec.data.clip import Clip
from emorec.data.preprocessing import VideoSpec
from emorec.data.video.reader import (
    MAX_MISSING_FRAMES,
    ClipError,
    DecodedClip,
    log_errors_to_stderr,
    video_length,
)
from emorec.errors import UserError

ClipSpec: TypeAlias = VideoSpec | SoundSpec

Key = TypeVar("Key")

Result = TypeVar("Result")

Targets: TypeAlias = Mapping[ClipSpec, Path | None]
"""What is made of a clip -> its .npy file; `None` stores nothing."""

Decoded: TypeAlias = tuple[list[CacheEntry], str | None]
"""The entries of a clip, in the order of its targets, and a note for the user."""

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function of this module and its arguments."""

WORKER = (
    sys.executable,
    "-P",  # so that nothing in the working folder is imported
    "-c",
    "import sys; root = sys.argv[1]; root in sys.path or sys.path.insert(0, root); "
    "from emorec.data.cache.workers import main; main()",
    str(Path(emorec.__file__).parents[1]),
)
"""Command of the subprocess. Not `multiprocessing`, whose children run the user's script again, torch included."""

READY = "ready"

_DAMAGE = re.compile(rb"error while decoding MB|concealing \d+ DC|Error at MB|damaged at")
"""Messages of FFmpeg's H.264 and MPEG decoders when they conceal what they can't decode. Other messages appear with
intact files too ("mmco: unref short failure", "edit list: Missing key frame"), so only these count."""


class DecoderDiedError(Exception):
    """The subprocess hung or crashed; the message says which."""


class DecoderProcess:
    """A decoder subprocess that is killed when a call takes too long, and started anew for the next one.

    Args:
        timeout_seconds: Of one call.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of this module in the subprocess and return its result.

        Raises:
            DecoderDiedError: When the subprocess took too long and was killed, or died.
            RuntimeError: When no subprocess can be started.
            Exception: What the function raised.
        """
        process = self._process or self._start()
        timed_out = threading.Event()

        def kill() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(self.timeout_seconds, kill)
        timer.start()
        answer = _exchange(process, (function, arguments))
        timer.cancel()
        timer.join()
        if timed_out.is_set() or answer is None:
            self.close()
        if answer is None and timed_out.is_set():
            raise DecoderDiedError(f"decoding hangs: no end after {self.timeout_seconds:g} s")
        if answer is None:
            raise DecoderDiedError(f"crashes the decoder ({_exit_reason(process.returncode)})")
        result, error = answer
        if error is not None:
            raise error
        return result

    def kill(self) -> None:
        """Kill the subprocess, from any thread; a call that waits for it returns."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Kill the subprocess and wait for its end."""
        if self._process is not None:
            # a call may still be in the pipe
            with suppress(BrokenPipeError), self._process as process:
                process.kill()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        process = self._process = subprocess.Popen(  # noqa: S603  (our own interpreter, our own code)
            WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        # it reports when it is ready, so that starting does not count as decoding
        if _receive(process) != READY:
            self.close()
            raise RuntimeError("the process that decodes clips did not start")
        return process


class DecoderPool:
    """Several decoder subprocesses; none is left when the pool is closed.

    Args:
        workers: Number of subprocesses, each on one core.
        timeout_seconds: Of one call.
    """

    def __init__(self, workers: int, timeout_seconds: float) -> None:
        self._processes = [DecoderProcess(timeout_seconds) for _ in range(max(1, workers))]
        self._idle: SimpleQueue[DecoderProcess] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(len(self._processes))  # each waits for one subprocess

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.kill()
        self._threads.shutdown()
        for process in self._processes:
            process.close()

    def results(self, calls: Mapping[Key, Call]) -> Generator[tuple[Key, Any]]:
        """Yield the key and the result of each call, in the order of completion.

        The result of a call that failed is its exception: `DecoderDiedError`, or what the function raised.

        Raises:
            RuntimeError: When no subprocess can be started.
        """
        futures = {self._threads.submit(self._call, *call): key for key, call in calls.items()}
        for future in as_completed(futures):
            error = future.exception()
            if isinstance(error, RuntimeError):
                raise error
            yield futures[future], error or future.result()

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        process = self._idle.get()
        try:
            return process.call(function, *arguments)
        finally:
            self._idle.put(process)


def read_digest(path: Path) -> str:
    """Return the digest of a file; called in a subprocess, because reading may hang as well.

    Raises:
        OSError: When it can't be read.
    """
    return file_digest(path)


def decode_clip(clip: Clip, targets: Targets) -> Decoded:
    """Decode a clip once, look for damage, and store what is made of it; called in a subprocess.

    Args:
        clip: The clip.
        targets: One specification of its sound or what describes that sound, or any number of its T frames.

    Raises:
        UserError: When the decoder or the face detector can't be used, which is not a fault of the clip.
        OSError: When a file can't be written.
    """
    spec, target = next(iter(targets.items()))
    try:
        if isinstance(spec, SoundSpec):
            sound, note = spec.decode(clip)
            entry = CacheEntry()
            return [entry if target is None else write_clip(target, sound, entry)], note
        if target is None and clip.span_seconds is None:
            (length,), note = _decoded(spec, lambda spec: [video_length(clip.path, spec.decoder)])
            error = _damage(length.promised, length.decodable)
            return [CacheEntry(error=error, video_frames=length.decodable)], note
        (decoded,), note = _decoded(spec, lambda spec: [spec.decode(clip)])
    except ClipError as error:
        return [CacheEntry(error=error.reason) for _ in targets], None
    declared = decoded.promised if clip.span_seconds is None else decoded.video_frames
    return _stored(decoded, _damage(declared, decoded.video_frames), targets), note


def decode_spans(clips: Sequence[Clip], targets: Sequence[Targets]) -> list[Decoded | None]:
    """Decode several spans of one video in a single pass and store them; called in a subprocess.

    Args:
        clips: The spans.
        targets: Of each, as for `decode_clip`; the first specification is the same for all.

    Returns:
        A result for each clip; `None` for a clip that has to be decoded by itself, because something in this pass was
        wrong and not necessarily with this clip.

    Raises:
        UserError: When the decoder or the face detector can't be used.
        OSError: When a file can't be written.
    """
    spec = next(iter(targets[0]))
    assert isinstance(spec, VideoSpec)
    try:
        found, note = _decoded(spec, lambda spec: spec.decode_spans(clips))
    except ClipError:
        return [None] * len(clips)
    return [
        None
        if decoded is None or _damage(decoded.video_frames, decoded.video_frames)
        else (_stored(decoded, None, each), note)
        for decoded, each in zip(found, targets, strict=True)
    ]


def main() -> None:
    """Answer calls from the standard input until it is closed."""
    import cv2

    # Ctrl-C reaches the parent too, which ends this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch, which a speech model imports
    with os.fdopen(os.dup(1), "wb") as answers, tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 1)
        os.dup2(captured.fileno(), 2)
        _send(answers, READY)
        while (call := _load(sys.stdin.buffer)) is not None:
            function, arguments = call
            captured.seek(0)
            captured.truncate()
            answer: tuple[Any, Exception | None]
            try:
                answer = function(*arguments), None
            except (UserError, OSError) as error:
                answer = None, error
            _send(answers, answer)


def _decoded(
    spec: VideoSpec, decode: Callable[[VideoSpec], Sequence[Result]]
) -> tuple[Sequence[Result], str | None]:
    """Decode with FFmpeg's errors on the standard error stream; return the results, and a note of one of them.

    Where PyAV takes the place of another library, only PyAV's errors count.
    """
    log_errors_to_stderr(spec.decoder)
    results = decode(spec)
    note = next(filter(None, (getattr(each, "note", None) for each in results)), None)
    if note is not None:
        os.lseek(2, 0, os.SEEK_SET)
        os.ftruncate(2, 0)
        log_errors_to_stderr("pyav")
        results = decode(replace(spec, decoder="pyav"))
    return results, note


def _damage(declared: int, decodable: int) -> str | None:
    """What is wrong with a decoded video, if anything."""
    if decodable < 2:
        return "only one frame, in which nothing can move"
    if declared - decodable > MAX_MISSING_FRAMES:
        return f"lies about its length: promises {declared} frames, of which {decodable} can be decoded"
    os.lseek(2, 0, os.SEEK_SET)  # in the subprocess the standard error stream is a file
    errors = len(_DAMAGE.findall(os.read(2, os.fstat(2).st_size)))
    if errors:
        return f"damaged: {errors} decoding error{'s' * (errors > 1)} in its pictures"
    return None


def _stored(decoded: DecodedClip, error: str | None, targets: Targets) -> list[CacheEntry]:
    """The entry of a clip under each specification, after storing what it makes of the frames."""
    entries = []
    for spec, target in targets.items():
        assert isinstance(spec, VideoSpec)
        entry = CacheEntry(error=error, video_frames=decoded.video_frames)
        if not error and target is not None:
            content, face_frames = spec.preprocess(decoded.frames)
            entry = write_clip(target, content, replace(entry, face_frames=face_frames))
        entries.append(entry)
    return entries


def _exchange(process: subprocess.Popen[bytes], call: Call) -> tuple[Any, Exception | None] | None:
    """The answer to a call; `None` when the process ends before."""
    assert process.stdin
    try:
        _send(process.stdin, call)
    except BrokenPipeError:
        return None
    answer: tuple[Any, Exception | None] | None = _receive(process)
    return answer


def _send(pipe: Any, content: Any) -> None:
    pickle.dump(content, pipe)
    pipe.flush()


def _receive(process: subprocess.Popen[bytes]) -> Any:
    assert process.stdout
    return _load(process.stdout)


def _load(pipe: Any) -> Any:
    """The next pickle; `None` when the pipe ends before."""
    try:
        return pickle.load(pipe)  # noqa: S301  (written by our own process)
    except (EOFError, pickle.UnpicklingError):
        return None


def _exit_reason(returncode: int) -> str:
    if returncode < 0:
        return signal.Signals(-returncode).name
    return f"exit code {returncode}"
