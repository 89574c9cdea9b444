"""A process that decodes clips and is not missed when it hangs or dies: the parent's side of `decode_worker`."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import emorec

WORKER = (
    sys.executable,
    "-P",  # so that nothing that lies about in the working folder is imported
    "-c",
    "import sys; root = sys.argv[1]; root in sys.path or sys.path.insert(0, root); "
    "from emorec.data.cache.decode_worker import main; main()",
    str(Path(emorec.__file__).parents[1]),
)
"""Its command. Not `multiprocessing`, whose children run the user's script again and import torch with it."""


class DecoderDiedError(Exception):
    """The process hung or crashed at a clip; the message says which."""


class DecodeProcess:
    """Decodes one clip after another; is killed when one takes too long, and started anew for the next.

    Args:
        timeout_seconds: For one clip.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._process: subprocess.Popen[str] | None = None

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Has a clip decoded and returns what was found out; see `decode_worker`.

        Raises:
            DecoderDiedError: When the process took too long and was killed, or ended by itself.
            RuntimeError: When no process can be started.
        """
        process = self._process or self._start()
        late = threading.Event()

        def end_it() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self.timeout_seconds, end_it)
        timer.start()
        answer = _ask(process, request)
        timer.cancel()
        timer.join()
        if late.is_set() or not answer:
            self.close()
        if answer:
            found: dict[str, Any] = json.loads(answer)
            return found
        if late.is_set():
            raise DecoderDiedError(f"decoding hangs: no end after {self.timeout_seconds:g} s")
        raise DecoderDiedError(f"crashes the decoder ({_how_it_ended(process.returncode)})")

    def kill(self) -> None:
        """Ends the process, from any thread; whoever waits for its answer goes on."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Ends the process and leaves nothing of it."""
        if self._process is not None:
            # a question that nobody will read may still be on its way
            with suppress(BrokenPipeError), self._process as process:
                process.kill()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        process = self._process = subprocess.Popen(  # noqa: S603  (our own interpreter, our own code)
            WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert process.stdout
        # it says when it is ready, so that starting does not count as decoding
        if not process.stdout.readline():
            self.close()
            raise RuntimeError("the process that decodes clips did not start")
        return process


def _ask(process: subprocess.Popen[str], request: Mapping[str, Any]) -> str | None:
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    except BrokenPipeError:
        return None
    return answer if answer.endswith("\n") else None


def _how_it_ended(returncode: int) -> str:
    if returncode < 0:
        return signal.Signals(-returncode).name
    return f"exit code {returncode}"
