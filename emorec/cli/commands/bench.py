"""`emorec bench`: where the time of a training goes, and which runtime is fastest."""

from collections.abc import Sequence
from pathlib import Path

from emorec.errors import UserError
from emorec.hub import parse_address
from emorec.pretrained import BUILT_IN

MODEL_FILES = (".ckpt", ".safetensors", ".onnx", ".pt2")
"""Suffixes of trained networks."""


def bench(
    *experiment_flags: str,
    seconds: float = 2.0,
    rounds: int = 3,
    baseline: bool = False,
    originals: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    out: str | None = None,
) -> None:
    """Measure where the time of a training goes, or compare runtimes.

    Measures decoding, cache, loader, copying, network, and the whole training, side by side and in turns. Nothing is
    trained or saved, and no weights are loaded: a step takes as long with any. With --model FILE, a checkpoint or
    exported files (.onnx, .pt2), it compares torch, ONNX Runtime and torch.export instead; a checkpoint alone is
    exported both ways.

    Args:
        *experiment_flags: Flags of emorec fit, such as --config FILE and --data.root DIR, where RAVDESS was unzipped;
            without it clips are synthesized. Or --model FILE, several times.
        seconds: How long each stage is measured in a round.
        rounds: How often all stages are measured; medians are shown.
        baseline: Also measure what is done without a cache: JPEG files and PIL; OpenCV, PyAV, torchcodec on the fly.
        originals: Folder of videos that --baseline decodes, such as RAVDESS as it is distributed.
        device: Of the runtimes, such as cuda or cpu; by default a GPU where there is one.
        threads: Of each runtime on the CPU; by default as many as torch takes.
        out: JSON file, replaced (lightning_logs/bench.json, or lightning_logs/bench_runtimes.json with --model FILE).

    Raises:
        UserError: For a mistake of the user.
    """
    files, flags = model_files(experiment_flags)
    if files:
        from emorec.bench.runtimes import compare_runtimes  # late: it imports torch

        if flags or baseline or originals:
            unused = [*flags, *["--baseline"] * baseline, *["--originals"] * bool(originals)]
            raise UserError(f"{unused[0]} has no effect with --model {files[0]}: remove it")
        compare_runtimes(
            files,
            seconds=seconds,
            rounds=rounds,
            device=device,
            threads=threads,
            out=Path(out or "lightning_logs/bench_runtimes.json"),
        )
        return
    for name, value in (("--device", device), ("--threads", threads)):
        if value is not None:
            raise UserError(f"{name} needs --model FILE; use --trainer.accelerator for a training")
    if originals and not baseline:
        raise UserError("--originals needs --baseline")
    from emorec.bench.training import bench_training  # late: it imports torch and Lightning

    bench_training(
        flags,
        seconds=seconds,
        rounds=rounds,
        baseline=baseline,
        originals=originals,
        out=Path(out or "lightning_logs/bench.json"),
    )


def model_files(flags: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the files that `--model` names, and all other flags; a network's class is not a file.

    >>> model_files(["--model", "best.ckpt", "--data.root", "clips", "--model=best.onnx"])
    (['best.ckpt', 'best.onnx'], ['--data.root', 'clips'])
    >>> model_files(["--model", "face_and_sound"]), model_files(["--model", "emorec.models.CNN3D"])
    ((['face_and_sound'], []), ([], ['--model', 'emorec.models.CNN3D']))
    """
    models, others, remaining = [], [], list(flags)
    while remaining:
        flag = remaining.pop(0)
        if flag == "--model" and remaining:
            models.append(remaining.pop(0))
        elif flag.startswith("--model="):
            models.append(flag.removeprefix("--model="))
        else:
            others.append(flag)
    if any(
        name.endswith(MODEL_FILES) or name in BUILT_IN or parse_address(name) for name in models
    ):
        return models, others
    return [], list(flags)
