"""Weights that come with the package; NOTICE.md beside them has source, licence and content of each.

A file is used only if it has the digest below, so a damaged installation can't give silently different numbers.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from emorec.errors import UserError
from emorec.io import sha256

FACE_LANDMARKER = "face_landmarker.task"
FACE_MESH = "face_mesh.npz"
SPEECH_EMBEDDING = "speech_embedding.onnx"
YAMNET = "yamnet_7_layers.tflite"
YUNET = "face_detection_yunet_2026may.onnx"

DEFAULT = "face_and_sound"
"""The network that is used when none is named: landmarks and sound, whatever of them is there."""

ADAPTED = "face_and_sound_adapted"
"""The same for predictions that are adapted to each person."""

FAMILIARITY_SUFFIX = ".familiarity.npz"
"""Of the statistics of the training clips beside a checkpoint or an exported file of the same name."""

FAMILIARITY = f"{DEFAULT}{FAMILIARITY_SUFFIX}"
"""Statistics of the clips that trained both, see `emorec.inference.familiarity`."""

ABSTAIN_BELOW = 0.5
"""Confidence below which both are labelled "uncertain" by default: as they are calibrated, the class is then more
likely wrong than right."""

BUILT_IN = (DEFAULT, ADAPTED)
"""Names of the trained networks, by which `--ckpt` takes them: tensors, a JSON file and a card each."""

DIGESTS = {
    "face_and_sound.json": "008351e7274ba0bcee513b2b5e21cbde0e62ffcb6ba9c203948526c410a41f33",
    "face_and_sound.onnx": "54616315d1a1eb3430b5ac69394d8bac2881e3003c2412192169bcafc6a25ce8",
    "face_and_sound.safetensors": "714a472ec26267e618d5dddda1252ad002114300e118dd3a41bedada5d6c6ae9",
    "face_and_sound_adapted.json": "b8c84d7d38c9b12a58549ca55d8e2f8b025ba99f916a632f0abe5d8f78258f7d",
    "face_and_sound_adapted.safetensors": "dae10505e21cb032b382686b6338f4fe72cb703ed5332127d5f3581bd39941ef",
    FAMILIARITY: "fe4199595cb2051d7c264417e1fca3f0e35b873d8fc3e3d56d5ab3e5c7d3ae65",
    FACE_LANDMARKER: "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    FACE_MESH: "981d356b79417073e034d26ef4ce8f64f785827f7c2d6b6779494af94fbe1d5f",
    SPEECH_EMBEDDING: "88df0cc29749808c6a706d677384fe661e66c952d2f180a4b2e0594b491c0595",
    YAMNET: "8462aabd68bc02dca8a8e15e95fdd432a678dcbfb9f70e54a999d466a2db39b3",
    YUNET: "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
}
"""SHA-256 of each file."""


# before ONNX Runtime is imported: from 1.29 on it stores an identifier of the machine and reports to its maker
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def import_onnxruntime() -> Any:
    """Return ONNX Runtime, which reports nothing; imported here only.

    Raises:
        UserError: When it is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            "ONNX files need onnxruntime, which is not installed: pip install onnxruntime"
        ) from None
    onnxruntime.disable_telemetry_events()  # on Windows, and where a program has imported it before
    return onnxruntime


def litert_interpreter(purpose: str, remedy: str) -> Any:
    """Return the module of LiteRT's interpreter.

    Args:
        purpose: What needs it, for the error.
        remedy: What to do without it.

    Raises:
        UserError: When it is not installed or does not run here.
    """
    try:
        return import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise UserError(
            f"{purpose} ai-edge-litert, which this Python can't import ({error}): pip install ai-edge-litert, or "
            f"{remedy}"
        ) from None


_STDERR_LOCK = Lock()
"""Faces and sound open their networks in two threads; overlapping calls would leave the stream discarded for good."""


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Discard what native code writes to the standard error stream: LiteRT names its CPU delegate there."""
    with _STDERR_LOCK:
        stderr = os.dup(2)
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def is_built_in(path: Path) -> bool:
    """Whether a path is the name of a built-in network; a file of that name wins, not the folder of its card."""
    return str(path) in BUILT_IN and not path.is_file()


def card_file(name: str) -> Path:
    """Return the model card of a built-in network."""
    return Path(__file__).with_name(f"{name}.md")


def card_result(name: str) -> str:
    """Return the protocol and the measured score of a built-in network with its interval, from its card.

    >>> card_result("face_and_sound").partition(": ")[0]
    'Cross-validated, on people who did not train'
    """
    text = card_file(name).read_text(encoding="utf-8")
    found = re.search(r"Cross-validated, [^:]*: .+(?=\.$)", text, re.MULTILINE)
    return found[0] if found else "Protocol unknown: not measured"


def card_headline(name: str) -> str:
    """Return the measured score of a built-in network with its interval, from its card."""
    return card_result(name).partition(": ")[2].partition("; chance is")[0]


@cache
def weights_file(name: str) -> Path:
    """Return the path of a file of the package, checked once a process.

    Raises:
        UserError: When it is missing or damaged.
    """
    path = Path(__file__).with_name(name)
    if not path.is_file():
        raise UserError(f"{path} is missing: install emorec again")
    if sha256(path) != DIGESTS[name]:
        raise UserError(f"{path} is damaged: install emorec again")
    return path
