"""Export of a checkpoint to ONNX or torch.export, compared with the checkpoint before it is written."""

import io
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from typing_extensions import override

from emorec import __version__
from emorec.data.audio import fit_length
from emorec.data.clip import UNLABELLED, VIDEO_SUFFIXES, Clip
from emorec.data.landmarks import LandmarkSpec, cached_landmarker
from emorec.data.preprocessing import FrameSpec, center_crop, resize_frames
from emorec.data.synthetic.clips import draw_clip, plan, voice_clip
from emorec.data.synthetic.settings import ClipSettings
from emorec.data.synthetic.voice import SAMPLE_RATE
from emorec.data.video.reader import linspace_indices
from emorec.errors import UserError
from emorec.image_size import size_before_crop
from emorec.inference.adaptation import FeatureNetwork
from emorec.inference.predictor import stack_inputs
from emorec.inference.runtimes import (
    ExportedRuntime,
    Inputs,
    OnnxRuntime,
    Outputs,
    Runtime,
    TwoStepRuntime,
    zero_inputs,
)
from emorec.inference.spec import (
    SUFFIXES,
    TOLERANCES,
    ExportFormat,
    ModelSpec,
    Precision,
    describe_inputs,
    describe_outputs,
    export_metadata,
)
from emorec.inference.timeline import Window
from emorec.inference.torch_runtime import (
    AdaptedModule,
    InferenceModule,
    TorchRuntime,
    load_network,
)
from emorec.inference.windows import AudioWindows, with_sound
from emorec.io import atomic_write, disk_errors, list_files
from emorec.layers.geometry import Geometry
from emorec.layers.pretrained import Normalize
from emorec.layers.spectrogram import Spectrogram
from emorec.layers.standardize import Standardize
from emorec.models import ClipNetwork, Fusion

RUNTIMES: dict[ExportFormat, Callable[[Path, str], Runtime]] = {
    "onnx": OnnxRuntime,
    "torch_export": ExportedRuntime,
}

MAX_ONNX_BYTES = 2**31 - 1

MAX_CLIPS = 8
"""Clips on which the file and the checkpoint are compared."""

FLOAT32_LAYERS = (Normalize, Spectrogram, Geometry, Standardize, nn.RNNBase)
"""Layers that a float16 network computes at float32: a spectrogram's power is below the range of float16, brightness
and landmarks would be quantized, and ONNX Runtime has recurrent layers at float32 alone on a CPU (version 1.31 crashes
on some of float16)."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Agreement of two runtimes on the same windows.

    Attributes:
        windows: Number of windows.
        max_difference: Of two probabilities, or of two numbers.
        same_class: Windows with the same predicted class.
    """

    windows: int
    max_difference: float
    same_class: int


@dataclass(frozen=True, slots=True)
class Exported:
    """Exported file.

    Attributes:
        path: The file.
        spec: Of its network.
        parity: With the checkpoint.
        runtime: Description of the runtime that ran it.
        clips: Description of the clips they were compared on.
    """

    path: Path
    spec: ModelSpec
    parity: Parity
    runtime: str
    clips: str


def export(
    ckpt: Path,
    file_format: ExportFormat,
    path: Path,
    clips: Path | None = None,
    *,
    precision: Precision = "float32",
    dynamic_batch: bool = False,
) -> Exported:
    """Export a checkpoint's network; the file is written, atomically, when its outputs agree with the checkpoint's.

    Args:
        ckpt: The checkpoint.
        file_format: Of the file.
        path: The file; replaced.
        clips: Folder of videos to compare on; `None`: synthetic faces.
        precision: Of the weights.
        dynamic_batch: Whether it takes batches of any size; else single windows.

    Raises:
        UserError: When the checkpoint can't be used or takes the embedding of a speech model, the outputs differ too
            much, or the file can't be written.
    """
    network, spec = load_network(ckpt, adapted=True)
    if spec.embedding is not None and spec.embedding.speech_model:
        raise UserError(
            f"{ckpt} takes what {spec.sound_embedding} makes of sound, and a file can't include that model: predict "
            "from the checkpoint itself, or train with sound_embedding both"
        )
    # first: a mistake in the folder is reported before half a minute of export
    checkpoint = TorchRuntime(ckpt, "cpu")
    adapts = spec.adapt != "none"
    inputs, description = sample_inputs(FeatureNetwork(checkpoint).spec if adapts else spec, clips)
    content = to_bytes(network, spec, file_format, precision, dynamic_batch=dynamic_batch)
    with tempfile.TemporaryDirectory(prefix="emorec-export-") as folder:
        candidate = Path(folder, f"network{SUFFIXES[file_format]}")
        candidate.write_bytes(content)
        runtime = RUNTIMES[file_format](candidate, "cpu")
        actual, expected = (
            FeatureNetwork(cast("TwoStepRuntime", each)).classify_one_person(inputs)
            if adapts
            else each(inputs)
            for each in (runtime, checkpoint)
        )
        parity = compare(actual, expected)
    if parity.max_difference > TOLERANCES[precision]:
        raise UserError(
            f"{path} was not written: its outputs differ from those of {ckpt} by up to "
            f"{parity.max_difference:.2g}, and {TOLERANCES[precision]:g} is allowed"
            f"{'; leave out --half' if precision == 'float16' else ''}"
        )
    with disk_errors(path), atomic_write(path) as file:
        file.write(content)
    return Exported(path, runtime.spec, parity, runtime.description, description)


def sample_inputs(spec: ModelSpec, folder: Path | None) -> tuple[Inputs, str]:
    """Return the inputs of up to eight clips, and a description of the clips.

    Args:
        spec: Of the network.
        folder: Of videos at any depth, from which evenly spaced ones are taken; `None`: synthetic faces.

    Raises:
        UserError: When there is no video, or one can't be decoded.
    """
    if folder is None:
        return synthetic_inputs(spec), f"{MAX_CLIPS} drawn faces"
    videos = [path for path in list_files(folder) if path.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        raise UserError(f"no video below {folder}: name a folder of clips with --clips")
    paths = [videos[index] for index in linspace_indices(len(videos), min(MAX_CLIPS, len(videos)))]
    windows = [_read_clip(path, spec) for path in paths]
    return stack_inputs(windows, spec), f"{len(paths)} clips of {folder}"


def synthetic_inputs(spec: ModelSpec, count: int = MAX_CLIPS) -> Inputs:
    """Return inputs of synthetic faces that act the emotions in turn, with their voices."""
    settings = ClipSettings(num_frames=max(1, spec.num_frames))
    spoken = ClipSettings(num_frames=max(1, round(spec.sound_seconds * settings.fps)))
    windows = []
    for name in (plan(actors=[1], takes=1) * count)[:count]:
        frames = draw_clip(name, settings)
        window = Window(
            start=0,
            end=spec.window_seconds,
            person=1,
            frames=resize_frames(frames, spec.image_size),
            face=cached_landmarker()(frames) if spec.uses_landmarks else None,
        )
        voice = _resample(voice_clip(name, spoken), spec)
        windows.append(with_sound(window, voice, True, spec))
    return stack_inputs(windows, spec)


def _read_clip(path: Path, spec: ModelSpec) -> Window:
    """Return a video as one window, of whole frames even for a network of faces: accuracy is not measured."""
    window = Window(start=0, end=spec.window_seconds, person=1)
    if spec.uses_frames:
        frame_spec = FrameSpec(
            num_frames=spec.num_frames, size=size_before_crop(spec.image_size), resize=spec.resize
        )
        frames = frame_spec.load(Clip(path=path, label=UNLABELLED, actor="", take=path.stem))
        window = replace(window, frames=center_crop(frames, spec.image_size))
    if spec.uses_landmarks:
        landmark_spec = LandmarkSpec(num_frames=spec.num_frames)
        face = landmark_spec.load(Clip(path=path, label=UNLABELLED, actor="", take=path.stem))
        window = replace(window, face=face)
    if spec.uses_sound:
        window = with_sound(window, *AudioWindows(path, spec.audio).read_all(), spec)
    return window


def _resample(voice: npt.NDArray[np.float32], spec: ModelSpec) -> npt.NDArray[np.float32]:
    """Return a synthetic voice at the sample rate and of the length of the network's input."""
    times = np.arange(spec.sound_samples) / spec.sound_rate
    voice_times = np.arange(len(voice)) / SAMPLE_RATE
    return fit_length(np.interp(times, voice_times, voice).astype(np.float32), len(times))


def to_bytes(
    network: ClipNetwork,
    spec: ModelSpec,
    file_format: ExportFormat,
    precision: Precision = "float32",
    *,
    dynamic_batch: bool = False,
) -> bytes:
    """Return the content of an exported file, without a comparison; at float16 the network is changed.

    Raises:
        UserError: When a package is missing, or the network is too large for the format.
    """
    if precision == "float16":
        to_float16(network)
    if spec.adapt == "none":
        module = InferenceModule(network, spec)
    else:
        module = AdaptedModule(network, spec)
        spec = replace(spec, features=module.feature_specs())
    program = trace(module, spec, dynamic_batch=dynamic_batch)
    networks = network.networks if isinstance(network, Fusion) else [network]
    statistics = next(
        (each.statistics for each in networks if "frames" in each.inputs), network.statistics
    )
    metadata = export_metadata(spec, precision, statistics)
    return (
        to_onnx(program, spec, metadata)
        if file_format == "onnx"
        else to_torch_export(program, metadata)
    )


def compare(outputs: Outputs, expected: Outputs) -> Parity:
    """Compare outputs (B, K) with the expected ones.

    >>> rows = np.array([[0.4, 0.6], [0.5, 0.5]], dtype=np.float32)
    >>> compare(rows, rows)
    Parity(windows=2, max_difference=0.0, same_class=2)
    """
    difference = np.abs(outputs - expected)
    # NaN and infinity, as after an overflow, exceed every tolerance
    largest = float(difference.max()) if np.isfinite(difference).all() else float("inf")
    same_class = int((outputs.argmax(axis=1) == expected.argmax(axis=1)).sum())
    return Parity(len(outputs), largest, same_class)


def trace(module: InferenceModule, spec: ModelSpec, *, dynamic_batch: bool) -> ExportedProgram:
    """Trace a network to a graph of torch operations, without references to source files.

    Args:
        module: The network, on the CPU.
        spec: Its specification.
        dynamic_batch: Whether the graph takes batches of any size; else single windows.
    """
    dynamic_shapes = (
        (tuple({0: Dim("batch")} for _ in spec.graph_inputs),) if dynamic_batch else None
    )
    # with a batch of one, torch would specialize the batch dimension
    zeros = zero_inputs(spec, batch_size=2 if dynamic_batch else 1)
    inputs = tuple(torch.from_numpy(zeros[name]) for name in spec.graph_inputs)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about weights of recurrent layers
        program = torch.export.export(module, inputs, dynamic_shapes=dynamic_shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # has file names of this machine
    return program


def to_onnx(program: ExportedProgram, spec: ModelSpec, metadata: Mapping[str, str]) -> bytes:
    """Return the content of an ONNX file.

    Args:
        program: The graph.
        spec: Specification of the network.
        metadata: Of the file.

    Raises:
        UserError: When a package is missing, or the network is too large.
    """
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"ONNX export needs {', '.join(missing)}, not installed: pip install 'emorec[onnx]'"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations within torch
        exported = torch.onnx.export(
            program,
            dynamo=True,
            input_names=list(spec.graph_inputs),
            output_names=list(spec.graph_outputs),
            verbose=False,
        )
    assert exported is not None
    model = exported.model_proto
    if model.ByteSize() > MAX_ONNX_BYTES:
        raise UserError(
            "the network exceeds the 2 GB of an ONNX file: choose --format torch_export, or --half"
        )
    set_metadata(model, spec, metadata)
    content: bytes = model.SerializeToString()
    return content


def set_metadata(model: Any, spec: ModelSpec, metadata: Mapping[str, str]) -> None:
    """Replace the exporter's metadata of an ONNX model, in place.

    Args:
        model: ONNX `ModelProto`.
        spec: Specification of the network.
        metadata: Key -> text.
    """
    graph = model.graph
    nodes = [*graph.node, *(node for function in model.functions for node in function.node)]
    values = [*graph.value_info, *graph.initializer, *graph.input, *graph.output]
    for each in (*nodes, *values, graph, model):
        del each.metadata_props[:]
    for each in (*graph.value_info, *graph.input, *graph.output):
        for dim in each.type.tensor_type.shape.dim:
            if dim.HasField("dim_param"):
                dim.dim_param = rename_batch(dim.dim_param)
    model.producer_name, model.producer_version = "emorec", __version__
    model.doc_string = f"{spec.network}, exported by emorec. {spec.licence}"
    for key, text in metadata.items():
        model.metadata_props.add(key=key, value=text)
    texts = {**describe_inputs(spec), **describe_outputs(spec)}
    for each in (*graph.input, *graph.output):
        each.doc_string = texts[each.name]


def rename_batch(dimension: str) -> str:
    """Rename torch's symbol of the batch dimension, the only one in these graphs.

    >>> rename_batch("s21"), rename_batch("10*s21")
    ('batch', '10*batch')
    """
    return re.sub(r"\bs\d+\b", "batch", dimension)


def to_torch_export(program: ExportedProgram, metadata: Mapping[str, str]) -> bytes:
    """Return the content of a .pt2 file.

    Args:
        program: The graph; its example inputs are removed.
        metadata: Of the file.
    """
    file = io.BytesIO()
    program.example_inputs = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about weights in channels-last memory format
        torch.export.save(program, file, extra_files={**metadata, "torch": torch.__version__})
    return file.getvalue()


class Float32Layer(nn.Module):
    """Layer computed at float32 within a float16 network.

    Args:
        layer: Takes tensors.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    @override
    def forward(self, *inputs: Tensor) -> Any:
        """Any inputs of the layer -> its output, float16."""
        return _half(self.layer(*(each.float() for each in inputs)))


def to_float16(network: nn.Module) -> None:
    """Convert a network to float16 in place, except for `FLOAT32_LAYERS`.

    >>> from emorec.layers.pretrained import IMAGENET
    >>> network = nn.Sequential(Normalize(IMAGENET), nn.Conv2d(3, 2, 1))
    >>> to_float16(network)
    >>> network(torch.zeros(1, 3, 4, 4, dtype=torch.uint8)).dtype, network[1].weight.dtype
    (torch.float16, torch.float16)
    """
    layers = {
        name: layer for name, layer in network.named_modules() if isinstance(layer, FLOAT32_LAYERS)
    }
    for name in layers:
        network.set_submodule(name, nn.Identity())
    network.half()
    for name, layer in layers.items():
        network.set_submodule(name, Float32Layer(layer))


def _half(outputs: Any) -> Any:
    """Convert a tensor, or nested tuples of tensors, to float16."""
    return tuple(map(_half, outputs)) if isinstance(outputs, tuple) else outputs.half()
