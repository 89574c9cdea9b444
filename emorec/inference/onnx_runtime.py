"""An ONNX file becomes a network that is ready to use, run by ONNX Runtime: torch is not imported."""

import os
from pathlib import Path
from typing import Any

from emorec.errors import UserError
from emorec.inference.at_once import Inputs, run_at_once
from emorec.inference.facts import Facts
from emorec.inference.metadata import FACTS
from emorec.inference.runtime import Outputs, Windows

CUDA = "CUDAExecutionProvider"


class OnnxRuntime:
    """An exported network, run by ONNX Runtime.

    Args:
        path: What `emorec export --format onnx` wrote.
        device: Such as "cuda", "cuda:1" or "cpu"; a GPU where ONNX Runtime has one when not given.
        threads: On the CPU; OMP_NUM_THREADS, else as many as ONNX Runtime thinks fit when not given.

    Raises:
        UserError: When ONNX Runtime is missing or lacks the device, or it is no ONNX file of emorec.
    """

    def __init__(self, path: Path, device: str | None = None, threads: int | None = None) -> None:
        self._session = _session(path, device, threads)
        self.facts = _facts(path, self._session)
        self._at_once = _fixed_batch(self._session)
        provider = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        self.description = f"ONNX Runtime {_onnxruntime().__version__}, {provider.lower()}"

    def __call__(self, windows: Windows) -> Outputs:
        """B windows -> (B, K) probabilities or (B, R) numbers."""
        given: Any = windows
        return run_at_once(self._run, [given[name] for name in self.facts.inputs], self._at_once)

    def _run(self, inputs: Inputs) -> Outputs:
        named = dict(zip(self.facts.inputs, inputs, strict=True))
        said: Outputs = self._session.run(None, named)[0]
        return said


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            "ONNX files are run by onnxruntime, which is missing: pip install 'emorec[onnx]'"
        ) from None
    return onnxruntime


def _session(path: Path, device: str | None, threads: int | None) -> Any:
    if not path.is_file():
        kind = "is a folder: name a file" if path.is_dir() else "is not there"
        raise UserError(f"{path} {kind}")
    onnxruntime = _onnxruntime()
    providers = _providers(device, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # what keeps it from running is raised as well
    options.intra_op_num_threads = threads or _threads_asked()
    try:
        session = onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # its errors have no class in common
        raise UserError(
            f"{path} is no ONNX file that ONNX Runtime {onnxruntime.__version__} can run: "
            f"{str(error).strip().partition(chr(10))[0]}"
        ) from None
    if (device or "").startswith("cuda") and session.get_providers()[0] != CUDA:
        raise UserError(f"ONNX Runtime can't use {device} here: choose device cpu")
    return session


def _providers(device: str | None, available: list[str]) -> list[Any]:
    """What ONNX Runtime is to run on, the first choice first.

    Raises:
        UserError: When it has no such device.

    >>> _providers(None, ["CPUExecutionProvider"])
    ['CPUExecutionProvider']
    >>> _providers("cuda:1", ["CUDAExecutionProvider", "CPUExecutionProvider"])
    [('CUDAExecutionProvider', {'device_id': '1'}), 'CPUExecutionProvider']
    """
    kind, _, number = (device or "").partition(":")
    if kind not in ("", "cpu", "cuda"):
        raise UserError(f"ONNX Runtime runs on cpu or cuda here, not on {device}")
    there = CUDA in available
    if kind == "cuda" and not there:
        raise UserError(
            "this onnxruntime has no CUDA: install onnxruntime-gpu in its place, or choose device cpu"
        )
    cuda: list[Any] = [(CUDA, {"device_id": number or "0"})]
    return [*(cuda if there and kind != "cpu" else []), "CPUExecutionProvider"]


def _threads_asked() -> int:
    """What OMP_NUM_THREADS says, of which ONNX Runtime takes no notice; 0 when it says nothing."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() else 0


def _facts(path: Path, session: Any) -> Facts:
    metadata = session.get_modelmeta().custom_metadata_map
    if FACTS not in metadata:
        raise UserError(f"{path} was not exported by emorec: it does not say what it takes")
    try:
        return Facts.from_json(metadata[FACTS])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _fixed_batch(session: Any) -> int | None:
    """How many windows it takes at once; `None` when any number."""
    size = session.get_inputs()[0].shape[0]
    return size if isinstance(size, int) else None
