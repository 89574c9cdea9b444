"""`emorec predict VIDEO ...`: predict videos with a trained network."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from emorec.errors import UserError
from emorec.inference.options import Options
from emorec.io import disk_errors


def predict(
    *videos: str,
    ckpt: str | None = None,
    model: str | None = None,
    out: str = "predictions",
    annotate: bool = False,
    device: str | None = None,
    seconds: float | None = None,
    **options: Any,
) -> None:
    """Predict the emotions in videos with a trained network, window by window.

    Args:
        videos: Files, folders, patterns such as `'clips/*.mp4'`, or the index of a camera; a network that only hears
            takes sound files, too.
        ckpt: The network: a checkpoint, or an exported file.
        model: The same.
        out: Output folder; each video gets a folder in it.
        annotate: Also write each video with its predictions drawn on it.
        device: Such as cuda or cpu; by default the fastest available.
        seconds: How long to record from a camera; by default until Ctrl-C.
        options: See `emorec.inference.options.Options`.

    Raises:
        UserError: When nothing can be predicted at all.
        SystemExit: When some videos could not be predicted.
    """
    chosen = Options(**options)
    network = network_path(ckpt, model)
    if not videos:
        raise UserError("no video: name files, folders, patterns or the index of a camera")
    # late: --help does without them
    from emorec.cli.commands.predict_batch import Batch
    from emorec.inference.predictor import load
    from emorec.inference.sources import find_sources

    found = find_sources(videos, sound=True)
    if not found.sources and len(found.errors) == 1:
        raise UserError(found.errors[0])
    batch = Batch(Path(out).expanduser(), chosen, annotate=annotate, camera_seconds=seconds)
    with output_folder(batch.out) if found.sources else nullcontext():
        predictor = load(network, device) if found.sources else None
        if predictor and predictor.spec.uses_frames:
            found = find_sources(videos)
        for line in found.notes:
            batch.note(line)
        for line in found.errors:
            batch.error(line)
        if predictor:
            batch.predict(predictor, found.sources)
    batch.finish()


def network_path(ckpt: str | None, model: str | None) -> Path:
    """Return the path of the network, given by either option.

    Raises:
        UserError: When there is none, or there are two.

    >>> network_path(None, "x.onnx").name
    'x.onnx'
    """
    if ckpt and model and ckpt != model:
        raise UserError(f"--ckpt {ckpt} and --model {model} are two networks: leave one out")
    if not (ckpt or model):
        raise UserError(
            "no network: name a checkpoint, as in emorec predict --ckpt lightning_logs/.../best.ckpt VIDEO"
        )
    return Path(ckpt or model or "").expanduser()


@contextmanager
def output_folder(out: Path) -> Iterator[None]:
    """Create the output folder first, and remove it when nothing was written.

    Raises:
        UserError: When it can't be created.
    """
    is_new = not out.exists()
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):  # not empty
                out.rmdir()
