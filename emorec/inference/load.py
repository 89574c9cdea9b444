"""A file with a trained network becomes a predictor."""

from os import PathLike
from pathlib import Path

from emorec.inference.predictor import Predictor
from emorec.inference.runtime import Runtime
from emorec.inference.settings import Settings


def load(
    path: str | PathLike[str], device: str | None = None, settings: Settings | None = None
) -> Predictor:
    """A trained network, ready for videos.

    Args:
        path: A checkpoint of emorec (run by torch), or what `emorec export` made of one: `.onnx` (run by ONNX Runtime,
            without torch) or `.pt2` (run by torch, without Lightning).
        device: Such as "cuda" or "cpu"; the fastest there is when not given.
        settings: How videos are cut into windows, where `predict` is not told otherwise.

    Raises:
        UserError: When the file is missing or is something else, or what runs it is not installed.
    """
    return Predictor(runtime_of(Path(path).expanduser(), device), settings)


def runtime_of(path: Path, device: str | None = None) -> Runtime:
    """What runs a trained network, by the ending of its file.

    Raises:
        UserError: When the file is missing or is something else, or what runs it is not installed.
    """
    # late: each needs a library of its own, and none the others'
    if path.suffix.lower() == ".onnx":
        from emorec.inference.onnx_runtime import OnnxRuntime

        return OnnxRuntime(path, device)
    if path.suffix.lower() == ".pt2":
        from emorec.inference.exported_runtime import ExportedRuntime

        return ExportedRuntime(path, device)
    from emorec.inference.torch_runtime import TorchRuntime

    return TorchRuntime(path, device)
