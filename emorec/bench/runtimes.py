"""`emorec bench --model FILE`: what runs a trained network fastest, and whether all of them say the same."""

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

from emorec.bench.circumstances import load_average, machine
from emorec.bench.json_file import refuse_unwritable, write_json
from emorec.bench.room import at_least_one
from emorec.bench.speed import clips_per_second
from emorec.bench.table import shown
from emorec.errors import UserError
from emorec.inference.export import compare, to_bytes
from emorec.inference.runtimes import ExportedRuntime, Inputs, OnnxRuntime, Runtime
from emorec.inference.sample_inputs import synthetic_inputs
from emorec.inference.spec import SUFFIXES, ModelSpec
from emorec.inference.torch_runtime import TorchRuntime, load_network
from emorec.picture_size import frames_in_words

BATCHES = (1, 8)
"""Windows at once: one, as from a camera, and as many as a video gives."""

ENDINGS = (".ckpt", *SUFFIXES.values())


@dataclass(frozen=True, slots=True)
class Contender:
    """A network and what runs it.

    Attributes:
        name: Of its file.
        runtime: What runs it.
        speeds: Windows at once -> windows a second, a measurement a round.
        difference: From what the first contender says, at most.
    """

    name: str
    runtime: Runtime
    difference: float
    speeds: dict[int, list[float]] = field(default_factory=lambda: {size: [] for size in BATCHES})


def runtimes(
    *,
    model: list[str] = [],  # noqa: B006 - never changed; jsonargparse wants a list
    seconds: float = 2.0,
    rounds: int = 3,
    device: str | None = None,
    threads: int | None = None,
    out: str = "lightning_logs/bench_runtimes.json",
) -> None:
    """Compare what runs a trained network: torch, ONNX Runtime, torch.export.

    Args:
        model: A checkpoint, or several files: checkpoints, .onnx, .pt2. One checkpoint alone is exported both ways.
        seconds: How long each is measured in a round.
        rounds: How often all are measured; medians are shown.
        device: Such as cuda or cpu; a GPU where there is one when not given.
        threads: On the CPU, of each; as many as torch takes when not given.
        out: JSON file to write, replaced.

    Raises:
        UserError: When a file can't be used, or the networks take other windows.
    """
    at_least_one({"rounds": rounds, **({} if threads is None else {"threads": threads})})
    if not seconds > 0:
        raise UserError(f"seconds is {seconds:g}: choose more than 0")
    files = [Path(each).expanduser() for each in model]
    refuse_other_files(files)
    refuse_unwritable(Path(out))
    load, before = load_average(), torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with ExitStack() as stack:
            if [each.suffix for each in files] == [".ckpt"]:
                folder = stack.enter_context(TemporaryDirectory(prefix="emorec-bench-"))
                files += exported_both_ways(files[0], Path(folder))
            contenders = entered(files, device, torch.get_num_threads())
            measure(contenders, seconds, rounds)
            circumstances = {**machine(), "load_average": load}
    finally:
        torch.set_num_threads(before)
    show(contenders, circumstances, Console(highlight=False, soft_wrap=True))
    write_json(plain(contenders, circumstances, seconds, rounds), Path(out))


def refuse_other_files(files: Sequence[Path]) -> None:
    """Stops at what no runtime reads.

    Raises:
        UserError: With the file's name.
    """
    for path in files:
        if path.suffix not in ENDINGS:
            raise UserError(f"--model {path}: name files that end in {', '.join(ENDINGS)}")


def exported_both_ways(ckpt: Path, folder: Path) -> list[Path]:
    """A checkpoint's network as files of both formats, made in a folder."""
    files = []
    for kind, suffix in SUFFIXES.items():
        files.append(folder / f"{ckpt.stem}{suffix}")
        network, spec = load_network(ckpt)
        files[-1].write_bytes(to_bytes(network, spec, kind, dynamic_batch=True))
    return files


def entered(files: Sequence[Path], device: str | None, threads: int) -> list[Contender]:
    """The networks in files, each asked about the same windows once.

    Raises:
        UserError: When one can't be used, or they take other windows or say other things.
    """
    ways: dict[str, Callable[[Path], Runtime]] = {
        ".ckpt": lambda path: TorchRuntime(path, device),
        ".onnx": lambda path: OnnxRuntime(path, device, threads),
        ".pt2": lambda path: ExportedRuntime(path, device),
    }
    opened = [(path, ways[path.suffix](path)) for path in files]
    first = opened[0][1]
    for path, runtime in opened:
        if taken(runtime.spec) != taken(first.spec):
            raise UserError(
                f"{path} takes or says other things than {files[0]}: compare files of one network"
            )
    windows = synthetic_inputs(first.spec, max(BATCHES))
    expected = first(windows)
    return [
        Contender(path.name, runtime, compare(runtime(windows), expected).max_difference)
        for path, runtime in opened
    ]


def taken(facts: ModelSpec) -> tuple[Any, ...]:
    """What has to be the same of networks that are given the same windows."""
    sound = (facts.sound_rate, facts.sound_seconds) if facts.uses_sound else ()
    return facts.inputs, facts.names, facts.num_frames, facts.image_size, sound


def measure(contenders: Sequence[Contender], seconds: float, rounds: int) -> None:
    """Measures all in turn, so that what disturbs the machine disturbs all alike."""
    facts = contenders[0].runtime.spec
    windows = {size: synthetic_inputs(facts, size) for size in BATCHES}
    for _ in range(rounds):
        for contender in contenders:
            for size, given in windows.items():
                work = partial(_asked, contender.runtime, given, size)
                contender.speeds[size].append(clips_per_second(work, seconds))


def _asked(runtime: Runtime, windows: Inputs, size: int) -> int:
    runtime(windows)  # numpy in and out: a GPU has finished then
    return size


def show(contenders: Sequence[Contender], machine: dict[str, Any], console: Console) -> None:
    """Prints a row for each."""
    facts = contenders[0].runtime.spec
    seen = frames_in_words(facts.num_frames, facts.image_size) if facts.uses_frames else "sound"
    console.print(
        f"{facts.network.rpartition('.')[2]}, windows of {seen}, {machine['threads']} "
        f"thread{'s' * (machine['threads'] > 1)} on {machine['cores']} cores. Medians of the rounds; a clip's "
        "milliseconds are those until the answer, and answers are compared with the first's"
    )
    table = Table(box=None, pad_edge=False)
    for column in ("file", "run by"):
        table.add_column(column, no_wrap=True)
    for column in ("at once", "clips/s", "ms", "differs by"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in contenders:
        differs = f"{each.difference:.2g}"
        for size, speeds in each.speeds.items():
            speed = median(speeds)
            numbers = (str(size), shown(speed), shown(1000 * size / speed), differs)
            table.add_row(each.name, each.runtime.description, *numbers)
    console.print(table)


def plain(
    contenders: Sequence[Contender], machine: dict[str, Any], seconds: float, rounds: int
) -> dict[str, Any]:
    """All that was measured, as plain values."""
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
