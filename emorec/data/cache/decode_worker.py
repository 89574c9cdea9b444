"""The process that decodes clips: a request a line comes in, what was found out goes out.

A process of its own, because a decoder may hang or crash on a bad file, and because FFmpeg tells of damage that it
concealed only on the standard error stream, which can be read here. It imports a decoder and numpy, never torch.
"""

import json
import os
import re
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy.typing as npt

from emorec.data.cache.any_recipe import AnyRecipe, recipe_of
from emorec.data.cache.frames_file import FramesFile
from emorec.data.cache.manifest import content_digest
from emorec.data.recipe import Pictures, Recipe
from emorec.data.sound.sound_recipe import SoundRecipe
from emorec.data.video.reader import ClipError, log_errors_to_stderr, video_length
from emorec.errors import UserError

READY = "ready"

MAX_MISSING_FRAMES = 1
"""Every original of RAVDESS promises one frame more than it has; clips cut without encoding promise what they show."""

_DAMAGE = re.compile(rb"error while decoding MB|concealing \d+ DC|Error at MB|damaged at")
"""What FFmpeg's H.264 and MPEG decoders say when they paint over what they can't decode. They say more than that of
healthy files too ("mmco: unref short failure", "edit list: Missing key frame"), so these phrases alone count."""


def main() -> None:
    """Answers one JSON line for each JSON line until there are no more: `{"error": None or what is wrong, ...}`."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the parent, which ends this process
    cv2.setNumThreads(1)
    with os.fdopen(os.dup(1), "w") as answers, tempfile.TemporaryFile() as remarks:
        print(json.dumps(READY), file=answers, flush=True)
        os.dup2(remarks.fileno(), 1)
        os.dup2(remarks.fileno(), 2)
        for line in sys.stdin:
            print(json.dumps(_answer(json.loads(line), remarks)), file=answers, flush=True)


def _answer(request: dict[str, Any], remarks: BinaryIO) -> dict[str, Any]:
    """What was asked for: what a file contains, or what a clip is like in pictures or in sound."""
    path = Path(request["path"])
    if "recipe" not in request:
        try:
            return {"digest": content_digest(path)}
        except OSError as error:
            return {"error": f"can't be read: {error.strerror}"}
    recipe = recipe_of(request["recipe"])
    if isinstance(recipe, SoundRecipe):
        return _sound_answer(path, recipe, request)
    if "parts" in request:
        return _spans_answer(path, recipe, request, remarks)
    return _picture_answer(path, recipe, request, remarks)


def _picture_answer(
    path: Path, recipe: Recipe, request: dict[str, Any], remarks: BinaryIO
) -> dict[str, Any]:
    """What a clip is like, and its frames in their slot where the request names one."""
    remarks.seek(0)
    remarks.truncate()
    try:
        log_errors_to_stderr(recipe.decoder)
        span = request["span_seconds"]
        if request["slot"] is None and span is None:
            length = video_length(path, recipe.decoder)
            wrong = _whats_wrong(length.promised, length.decodable, remarks)
            return {"error": wrong, "video_frames": length.decodable}
        pictures = recipe.pictures(path, span and tuple(span), request["half"])
    except ClipError as error:
        return {"error": error.reason}
    except UserError as error:  # no fault of the clip: its decoder or face detector can't be loaded
        return {"error": None, "cant_work": str(error)}
    promised = pictures.video_frames if span else pictures.promised
    wrong = _whats_wrong(promised, pictures.video_frames, remarks)
    return _told(pictures, wrong, recipe, request)


def _spans_answer(
    path: Path, recipe: Recipe, request: dict[str, Any], remarks: BinaryIO
) -> dict[str, Any]:
    """What spans of a video are like, from one pass; a part is `None` that has to be looked at alone."""
    remarks.seek(0)
    remarks.truncate()
    parts = request["parts"]
    try:
        log_errors_to_stderr(recipe.decoder)
        spans = [(tuple(part["span_seconds"]), part["half"]) for part in parts]
        found = recipe.pictures_of_spans(path, spans)
    except UserError:  # a clip or the decoder: each clip's own request will tell
        return {"parts": [None] * len(parts)}
    answers: list[dict[str, Any] | None] = []
    for pictures, part in zip(found, parts, strict=True):
        wrong = pictures and _whats_wrong(pictures.video_frames, pictures.video_frames, remarks)
        if pictures is None or wrong:
            answers.append(None)
        else:
            answers.append(_told(pictures, None, recipe, {**request, **part}))
    return {"parts": answers}


def _told(
    pictures: Pictures, wrong: str | None, recipe: Recipe, request: dict[str, Any]
) -> dict[str, Any]:
    """The answer on a clip that was decoded, whose frames are then in their slot."""
    answer = {
        "error": wrong,
        "video_frames": pictures.video_frames,
        "face_frames": pictures.face_frames,
    }
    keeps = wrong is None and request["slot"] is not None
    return answer | (_kept(recipe, request, pictures.frames) if keeps else {})


def _sound_answer(path: Path, recipe: SoundRecipe, request: dict[str, Any]) -> dict[str, Any]:
    """What the sound of a clip is like, and its samples in their slot where the request names one."""
    span = request["span_seconds"]
    try:
        samples = recipe.samples(path, span and tuple(span))
    except ClipError as error:
        return {"error": error.reason}
    except UserError as error:
        return {"error": None, "cant_work": str(error)}
    return {"error": None} | ({} if request["slot"] is None else _kept(recipe, request, samples))


def _kept(recipe: AnyRecipe, request: dict[str, Any], content: npt.NDArray[Any]) -> dict[str, Any]:
    """Writes what was decoded into its slot."""
    frames_file = FramesFile(Path(request["frames_file"]), recipe.shape, recipe.dtype)
    try:
        return {"checksum": frames_file.write(request["slot"], content)}
    except OSError as failure:
        return {"cant_write": failure.strerror}


def _whats_wrong(promised: int, decodable: int, remarks: BinaryIO) -> str | None:
    if decodable < 2:
        return "only one frame, in which nothing can move"
    if promised - decodable > MAX_MISSING_FRAMES:
        return f"lies about its length: promises {promised} frames, of which {decodable} can be decoded"
    remarks.seek(0)
    errors = len(_DAMAGE.findall(remarks.read()))
    if errors:
        return f"damaged: {errors} decoding error{'s' * (errors > 1)} in its pictures"
    return None
