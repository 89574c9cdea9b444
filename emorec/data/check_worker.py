"""The process that decodes whole clips for the check: a path a line comes in, what is wrong with it goes out.

A process of its own, because a decoder may hang or crash on a bad file, and because FFmpeg tells of damage that it
concealed only on the standard error stream, which can be read here. It imports decord and numpy, never torch.
"""

import json
import os
import re
import signal
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

import decord.logging

from emorec.data.decode import ClipError, video_length

READY = "ready"

MAX_MISSING_FRAMES = 1
"""Every original of RAVDESS promises one frame more than it has; clips cut without encoding promise what they show."""

_DAMAGE = re.compile(rb"error while decoding MB|concealing \d+ DC|Error at MB|damaged at")
"""What FFmpeg's H.264 and MPEG decoders say when they paint over what they can't decode. They say more than that of
healthy files too ("mmco: unref short failure", "edit list: Missing key frame"), so these phrases alone count."""


def main() -> None:
    """Answers one JSON line for each JSON line until there are no more: `null`, or what is wrong with the clip."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the parent, which ends this process
    with os.fdopen(os.dup(1), "w") as answers, tempfile.TemporaryFile() as remarks:
        print(json.dumps(READY), file=answers, flush=True)
        os.dup2(remarks.fileno(), 1)
        os.dup2(remarks.fileno(), 2)
        decord.logging.set_level(decord.logging.ERROR)
        for line in sys.stdin:
            print(
                json.dumps(_whats_wrong(Path(json.loads(line)), remarks)), file=answers, flush=True
            )


def _whats_wrong(path: Path, remarks: BinaryIO) -> str | None:
    remarks.seek(0)
    remarks.truncate()
    try:
        length = video_length(path)
    except ClipError as error:
        return error.reason
    if length.decodable < 2:
        return "only one frame, in which nothing can move"
    if length.promised - length.decodable > MAX_MISSING_FRAMES:
        return (
            f"lies about its length: promises {length.promised} frames, "
            f"of which {length.decodable} can be decoded"
        )
    remarks.seek(0)
    errors = len(_DAMAGE.findall(remarks.read()))
    if errors:
        return f"damaged: {errors} decoding error{'s' * (errors > 1)} in its pictures"
    return None
