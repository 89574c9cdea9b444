"""What runs a trained network fastest, and whether all runtimes give the same outputs."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emorec.bench.machine import check_out, check_positive, describe_machine, load_average
from emorec.bench.stages import step_speed
from emorec.checkpoint import PLAIN_SUFFIX, find_file
from emorec.console import make_console
from emorec.errors import UserError
from emorec.hub import parse_address
from emorec.image_size import format_frames
from emorec.inference.export import compare, synthetic_inputs, to_bytes
from emorec.inference.runtimes import ExportedRuntime, OnnxRuntime, Runtime
from emorec.inference.spec import SUFFIXES, ModelSpec
from emorec.inference.torch_runtime import TorchRuntime, load_network
from emorec.io import disk_errors, write_json
from emorec.pretrained import BUILT_IN
from emorec.text import plural, significant

BATCH_SIZES = (1, 8)
"""Windows at once: one, as from a camera, and as many as a video gives."""

CHECKPOINT_SUFFIXES = (".ckpt", PLAIN_SUFFIX)

MODEL_SUFFIXES = (*CHECKPOINT_SUFFIXES, *SUFFIXES.values())


@dataclass(frozen=True, slots=True)
class Contender:
    """A network in a file and the runtime that runs it.

    Attributes:
        name: Of its file.
        runtime: What runs it.
        difference: Largest difference of an output from the first contender's.
        speeds: Batch size -> windows a second, one measurement a round.
    """

    name: str
    runtime: Runtime
    difference: float
    speeds: dict[int, list[float]] = field(
        default_factory=lambda: {size: [] for size in BATCH_SIZES}
    )


def compare_runtimes(
    model: Sequence[str],
    *,
    seconds: float,
    rounds: int,
    device: str | None,
    threads: int | None,
    out: Path,
) -> None:
    """Measure the files of a network, print a table, and write a JSON file.

    Args:
        model: A checkpoint, or several files: checkpoints, .onnx, .pt2. One checkpoint alone is exported both ways.
        seconds: How long each is measured in a round.
        rounds: How often all are measured; medians are shown.
        device: Such as cuda or cpu; by default a GPU where there is one.
        threads: On the CPU; by default as many as torch takes.
        out: JSON file to write, replaced.

    Raises:
        UserError: When a file can't be used, or the networks take different inputs.
    """
    check_positive({"seconds": seconds, "rounds": rounds})
    if threads is not None:
        check_positive({"threads": threads})
    files = [
        find_file(each) if each in BUILT_IN or parse_address(each) else Path(each).expanduser()
        for each in model
    ]
    for path in files:
        if path.suffix not in MODEL_SUFFIXES:
            raise UserError(f"--model {path}: name files that end in {', '.join(MODEL_SUFFIXES)}")
    check_out(out)
    load, before = load_average(), torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with ExitStack() as stack:
            if len(files) == 1 and files[0].suffix in CHECKPOINT_SUFFIXES:
                folder = stack.enter_context(TemporaryDirectory(prefix="emorec-bench-"))
                files += export_both_ways(files[0], Path(folder))
            contenders = load_contenders(files, device, torch.get_num_threads())
            measure_in_turns(contenders, seconds, rounds)
            machine = {**describe_machine(), "load_average": load}
    finally:
        torch.set_num_threads(before)
    print_table(contenders, machine, make_console(soft_wrap=True))
    with disk_errors(out):
        write_json(to_dict(contenders, machine, seconds, rounds), out)


def export_both_ways(ckpt: Path, folder: Path) -> list[Path]:
    """Write a checkpoint's network in both export formats."""
    files = []
    for kind, suffix in SUFFIXES.items():
        files.append(folder / f"{ckpt.stem}{suffix}")
        network, spec = load_network(ckpt, adapted=True)
        files[-1].write_bytes(to_bytes(network, spec, kind, dynamic_batch=True))
    return files


def load_contenders(files: Sequence[Path], device: str | None, threads: int) -> list[Contender]:
    """Load the networks and run each once on the same windows.

    Raises:
        UserError: When one can't be used, or they take different inputs or have different outputs.
    """
    runtimes: dict[str, Callable[[Path], Runtime]] = {
        **dict.fromkeys(CHECKPOINT_SUFFIXES, lambda path: TorchRuntime(path, device)),
        ".onnx": lambda path: OnnxRuntime(path, device, threads),
        ".pt2": lambda path: ExportedRuntime(path, device),
    }
    loaded = [(path, runtimes[path.suffix](path)) for path in files]
    first = loaded[0][1]
    for path, runtime in loaded:
        if _signature(runtime.spec) != _signature(first.spec):
            raise UserError(
                f"{path} has other inputs or outputs than {files[0]}: compare files of one network"
            )
    windows = synthetic_inputs(first.spec, max(BATCH_SIZES))
    expected = first(windows)
    return [
        Contender(path.name, runtime, compare(runtime(windows), expected).max_difference)
        for path, runtime in loaded
    ]


def _signature(spec: ModelSpec) -> tuple[Any, ...]:
    """Return a network's inputs and outputs."""
    sound = (spec.sound_rate, spec.sound_seconds) if spec.uses_sound else ()
    embedding = spec.sound_embedding, spec.embedding_layer
    return spec.inputs, spec.names, spec.num_frames, spec.image_size, sound, embedding


def measure_in_turns(contenders: Sequence[Contender], seconds: float, rounds: int) -> None:
    """Measure all in turns, so that what disturbs the machine disturbs all alike."""
    spec = contenders[0].runtime.spec
    windows = {size: synthetic_inputs(spec, size) for size in BATCH_SIZES}
    for _ in range(rounds):
        for contender in contenders:
            for size, inputs in windows.items():
                run = partial(contender.runtime, inputs)
                contender.speeds[size].append(step_speed(run, size, seconds))


def print_table(contenders: Sequence[Contender], machine: dict[str, Any], console: Console) -> None:
    """Print a row for each file and batch size."""
    spec = contenders[0].runtime.spec
    taken = [
        *([format_frames(spec.num_frames, spec.image_size)] if spec.uses_frames else []),
        *([f"landmarks of {spec.num_frames} frames"] if spec.uses_landmarks else []),
    ]
    processors = f"{plural(machine['threads'], 'thread')} on {plural(machine['cores'], 'core')}"
    console.print(
        f"{spec.network.rpartition('.')[2]}, windows of {' and '.join(taken) or 'sound'}, {processors}. "
        "Medians of the rounds; differences are from the first file's outputs"
    )
    table = Table(box=None, pad_edge=False)
    for column in ("file", "run by"):
        table.add_column(column, no_wrap=True)
    for column in ("batch", "clips/s", "ms", "difference"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in contenders:
        difference = f"{each.difference:.2g}"
        for size, speeds in each.speeds.items():
            speed = median(speeds)
            numbers = (str(size), significant(speed), significant(1000 * size / speed), difference)
            table.add_row(Text(each.name), each.runtime.description, *numbers)
    console.print(table)


def to_dict(
    contenders: Sequence[Contender], machine: dict[str, Any], seconds: float, rounds: int
) -> dict[str, Any]:
    """Return plain values, as in the JSON file."""
    return {
        "format": 1,
        "machine": machine,
        "asked": {"seconds": seconds, "rounds": rounds},
        "runtimes": [
            {
                "file": each.name,
                "run_by": each.runtime.description,
                "largest_difference": each.difference,
                "clips_per_second": {str(size): speeds for size, speeds in each.speeds.items()},
            }
            for each in contenders
        ],
    }
