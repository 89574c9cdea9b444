"""Runtimes of exported networks, NumPy in and out: ONNX Runtime and torch.export; see `torch_runtime` for checkpoints.

torch and ONNX Runtime are imported by the runtime that needs them: an ONNX file runs without torch.
"""

import os
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from emorec.errors import UserError
from emorec.inference.spec import METADATA_KEY, ModelSpec
from emorec.pretrained import import_onnxruntime

if TYPE_CHECKING:
    import torch

CUDA = "CUDAExecutionProvider"

Outputs: TypeAlias = npt.NDArray[np.float32]
"""(B, K) probabilities, calibrated where a temperature was fitted, or (B, R) numbers."""

Features: TypeAlias = npt.NDArray[np.float32]
"""(B, T, D), standardised by the training clips."""

Inputs: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""Inputs of B windows, those of `ModelSpec.inputs`.

frames: (B, T, H, W, 3) uint8, RGB.
sound: (B, samples) float32, -1 to 1.
heard: (B,) bool, whether a window has sound.
"""


class Runtime(Protocol):
    """Trained network, ready to run.

    Attributes:
        spec: Of the network.
        description: Library, version and device, such as "torch 2.11, cpu".
    """

    spec: ModelSpec
    description: str

    def __call__(self, inputs: Inputs) -> Outputs:
        """B windows -> (B, K) probabilities or (B, R) numbers."""
        ...


class TwoStepRuntime(Runtime, Protocol):
    """Trained network that is adapted to people: features of windows first, then predictions of adapted ones."""

    @property
    def feature_streams(self) -> tuple[str, ...]:
        """Of each of M networks, what its features describe: "landmarks" or "sound".

        Raises:
            UserError: When the network can't be adapted.
        """
        ...

    def features(self, inputs: Inputs) -> list[Features]:
        """B windows -> features of each of M networks, (B, T, D)."""
        ...

    def classify(self, features: Sequence[Features], masks: Inputs) -> Outputs:
        """Features (B, T, D) of M networks, and `face_present` and `heard` -> (B, K) probabilities."""
        ...


class ExportedNetwork(ABC):
    """What the runtimes of exported files have in common."""

    path: Path
    spec: ModelSpec
    fixed_batch: int | None
    """Windows that the program takes at once; `None`: any number."""

    @abstractmethod
    def run(self, inputs: Inputs, outputs: Sequence[str]) -> list[Outputs]:
        """Run the program on as many windows as it takes."""

    def __call__(self, inputs: Inputs) -> Outputs:
        """B windows -> (B, K) probabilities or (B, R) numbers, adapted by nothing."""
        if self.spec.features:
            return self.classify(self.features(inputs), inputs)
        return self._run_all(inputs, self.spec.graph_outputs)[0]

    @property
    def feature_streams(self) -> tuple[str, ...]:
        """See `TwoStepRuntime`."""
        if not self.spec.features:
            raise UserError(
                f"{self.path} was exported from a network that is not adapted to people: leave --adapt and --enrol "
                "out, name the checkpoint, or export one that was trained with --data.adapt person (of the built-in "
                "network: load it with the options that adapt it)"
            )
        return tuple(each.stream for each in self.spec.features)

    def features(self, inputs: Inputs) -> list[Features]:
        """See `TwoStepRuntime`."""
        return self._run_all(inputs, [each.output for each in self.spec.features])

    def classify(self, features: Sequence[Features], masks: Inputs) -> Outputs:
        """See `TwoStepRuntime`."""
        adapted = {
            each.adapted: rows for each, rows in zip(self.spec.features, features, strict=True)
        }
        return self._run_all({**masks, **adapted}, self.spec.graph_outputs[-1:])[0]

    def _run_all(self, inputs: Inputs, outputs: Sequence[str]) -> list[Outputs]:
        """Return the outputs of B windows; inputs that are missing belong to the other step, and are zeros."""
        inputs = {name: inputs[name] for name in self.spec.graph_inputs if name in inputs}
        if self.spec.features:
            inputs = {**zero_inputs(self.spec, len(next(iter(inputs.values())))), **inputs}
        return run_in_batches(partial(self.run, outputs=outputs), inputs, self.fixed_batch)


class OnnxRuntime(ExportedNetwork):
    """Exported network, run by ONNX Runtime.

    Args:
        path: File written by `emorec export --format onnx`.
        device: Such as "cuda", "cuda:1" or "cpu"; by default a GPU where ONNX Runtime has one.
        threads: CPU threads; by default OMP_NUM_THREADS, else ONNX Runtime's choice.

    Raises:
        UserError: When ONNX Runtime or the device is missing, or the file was not exported by emorec.
    """

    def __init__(self, path: Path, device: str | None = None, threads: int | None = None) -> None:
        self.path = path
        self._session = _open_session(path, device, threads)
        self.spec = _read_spec(path, self._session.get_modelmeta().custom_metadata_map)
        size = self._session.get_inputs()[0].shape[0]
        self.fixed_batch = size if isinstance(size, int) else None
        self._run_options = import_onnxruntime().RunOptions()
        self._run_options.only_execute_path_to_fetches = True  # of two steps, one
        provider = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        self.description = f"ONNX Runtime {import_onnxruntime().__version__}, {provider.lower()}"

    @override
    def run(self, inputs: Inputs, outputs: Sequence[str]) -> list[Outputs]:
        results: list[Outputs] = self._session.run(outputs, inputs, self._run_options)
        return results


class ExportedRuntime(ExportedNetwork):
    """Exported network, run by torch without emorec's network classes.

    A program may run code while torch loads it: use only files from people you trust. Files that were not exported by
    emorec are refused before torch reads them.

    Args:
        path: File written by `emorec export --format torch_export`.
        device: Such as "cuda" or "cpu"; by default a GPU where there is one.

    Raises:
        UserError: If this version of torch can't read the file, or the device does not exist.
    """

    def __init__(self, path: Path, device: str | None = None) -> None:
        self.path = path
        _check_is_file(path)
        metadata = _read_pt2_metadata(path)
        self.spec = _read_spec(path, metadata)
        # importing torch is slow
        import torch
        from torch.export.passes import move_to_device_pass

        self.device = choose_device(device)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about weights in channels-last memory format
                program = torch.export.load(path)
        except Exception as error:  # of many classes, after an incompatible change of torch
            raise UserError(
                f"{path} was exported with torch {metadata.get('torch', 'unknown')} and can't be read by "
                f"{torch.__version__}: export the checkpoint again ({_first_line(error)})"
            ) from error
        first = program.graph_signature.user_inputs[0]
        (node,) = [node for node in program.graph.nodes if node.name == first]
        size = node.meta["val"].shape[0]
        self.fixed_batch = size if isinstance(size, int) else None
        if self.device.type != "cpu":
            program = move_to_device_pass(program, str(self.device))
        self._module = program.module()
        self.description = f"torch.export {torch.__version__}, {self.device}"

    @override
    def run(self, inputs: Inputs, outputs: Sequence[str]) -> list[Outputs]:
        import torch

        names = self.spec.graph_inputs
        tensors = [torch.from_numpy(inputs[name]).to(self.device) for name in names]
        with torch.inference_mode():
            results = self._module(*tensors)
        results = results if isinstance(results, tuple) else (results,)
        named = dict(zip(self.spec.graph_outputs, results, strict=True))
        return [named[name].cpu().numpy().astype(np.float32, copy=False) for name in outputs]


def choose_device(device: str | None) -> "torch.device":
    """Return a device that torch can use on this machine.

    Args:
        device: Such as "cuda", "cuda:1" or "cpu"; by default a GPU where there is one.

    Raises:
        UserError: When there is no such device.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    import torch  # late: ONNX files need none

    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    try:
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=chosen).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"device is {device}, which this machine or torch does not have: "
            f"choose {' or '.join(['cpu', *gpus])} ({reason})"
        ) from None
    return chosen


def run_in_batches(
    run: Callable[[Inputs], list[Outputs]], inputs: Inputs, fixed_batch: int | None
) -> list[Outputs]:
    """B windows -> outputs of B rows, also for programs of a fixed batch size, whose last batch is padded.

    Args:
        run: The program.
        inputs: Of B windows.
        fixed_batch: The batch size it takes; `None`: any.

    >>> ones = np.ones((2, 1), dtype=np.float32)
    >>> batch_of_two = lambda inputs: [inputs["sound"] * ones]
    >>> run_in_batches(batch_of_two, {"sound": np.arange(3, dtype=np.float32)[:, None]}, 2)[0].ravel().tolist()
    [0.0, 1.0, 2.0]
    """
    count = len(next(iter(inputs.values())))
    if fixed_batch is None or count == fixed_batch:
        return run(inputs)
    batches = []
    for start in range(0, count, fixed_batch):
        rows = [min(row, count - 1) for row in range(start, start + fixed_batch)]
        batch = {name: array[rows] for name, array in inputs.items()}
        batches.append([output[: count - start] for output in run(batch)])
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def zero_inputs(spec: ModelSpec, batch_size: int = 1) -> Inputs:
    """Return zeros of the shapes and types of `ModelSpec.graph_inputs`, in order."""
    from emorec.data.landmarks import BLENDSHAPES, NUM_LANDMARKS  # late: imports OpenCV

    shapes: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
        "frames": ((spec.num_frames, *spec.image_size, 3), np.uint8),
        "landmarks": ((spec.num_frames, NUM_LANDMARKS, 3), np.float32),
        "blendshapes": ((spec.num_frames, len(BLENDSHAPES)), np.float32),
        "face_present": ((spec.num_frames,), np.bool_),
        "sound": ((spec.sound_samples,), np.float32),
        "embedding": (spec.embedding.shape if spec.embedding else (), np.float32),
        "heard": ((), np.bool_),
        **{each.adapted: (each.shape, np.float32) for each in spec.features},
    }
    return {
        name: np.zeros((batch_size, *shapes[name][0]), shapes[name][1])
        for name in spec.graph_inputs
    }


def check_finite(outputs: Outputs, spec: ModelSpec) -> None:
    """Refuse outputs (..., K) or (..., R) that name no emotion.

    Raises:
        UserError: When one is NaN or infinite, as after a training that diverged.
    """
    if not np.isfinite(outputs).all():
        raise UserError(
            f"the outputs of {spec.network} are NaN or infinite: choose another checkpoint"
        )


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file")
    if not path.is_file():
        raise UserError(f"no such file: {path}")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _read_spec(path: Path, metadata: dict[str, str]) -> ModelSpec:
    if METADATA_KEY not in metadata:
        raise UserError(f"{path} has no emorec metadata: export the checkpoint with emorec export")
    try:
        return ModelSpec.from_json(metadata[METADATA_KEY])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _read_pt2_metadata(path: Path) -> dict[str, str]:
    """Read the extra files of a torch.export archive, without torch."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name.rpartition("/extra/")[2]: archive.read(name).decode()
                for name in archive.namelist()
                if "/extra/" in name
            }
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError):
        raise UserError(
            f"{path} is truncated, or not a program of torch.export: export the checkpoint again"
        ) from None


def _open_session(path: Path, device: str | None, threads: int | None) -> Any:
    _check_is_file(path)
    onnxruntime = import_onnxruntime()
    providers = _providers(device, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors are raised as well
    options.enable_mem_pattern = False  # it saves next to no time, and takes as much memory again
    # ONNX Runtime itself ignores OMP_NUM_THREADS
    default_threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = threads or (
        int(default_threads) if default_threads.isdecimal() else 0
    )
    try:
        session = onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # its errors have no common base class
        raise UserError(
            f"ONNX Runtime {onnxruntime.__version__} can't run {path}, is it an ONNX file? {_first_line(error)}"
        ) from None
    if (device or "").startswith("cuda") and session.get_providers()[0] != CUDA:
        raise UserError(f"ONNX Runtime can't use {device} here: choose device cpu")
    return session


def _providers(device: str | None, available: list[str]) -> list[Any]:
    """Return ONNX Runtime's execution providers, the preferred one first.

    Raises:
        UserError: When the device is not available.

    >>> _providers(None, ["CPUExecutionProvider"])
    ['CPUExecutionProvider']
    >>> _providers("cuda:1", ["CUDAExecutionProvider", "CPUExecutionProvider"])
    [('CUDAExecutionProvider', {'device_id': '1'}), 'CPUExecutionProvider']
    """
    kind, _, number = (device or "").partition(":")
    if kind not in ("", "cpu", "cuda"):
        raise UserError(f"device is {device}: ONNX Runtime takes cpu or cuda")
    has_cuda = CUDA in available
    if kind == "cuda" and not has_cuda:
        raise UserError(
            "this onnxruntime has no CUDA: replace it by onnxruntime-gpu, or choose device cpu"
        )
    cuda: list[Any] = [(CUDA, {"device_id": number or "0"})]
    return [*(cuda if has_cuda and kind != "cpu" else []), "CPUExecutionProvider"]
