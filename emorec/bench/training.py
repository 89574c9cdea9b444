"""A training that flags of `emorec fit` describe, measured."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from emorec.bench.baselines import videos_in
from emorec.bench.machine import check_out, check_positive
from emorec.bench.measure import measure
from emorec.console import make_console
from emorec.experiment import parse_experiment, trainer_errors
from emorec.io import disk_errors, write_json

DEFAULT_NETWORK = ("--model", "emorec.models.EarlyFusionCNN")
"""The fastest network, hence the one that asks most of a loader."""

DEFAULT_DATA = ("--data", "emorec.data.RavdessDataModule", "--data.augment", "true")

USED_TRAINER_SETTINGS = (
    "accelerator",
    "precision",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "benchmark",
    "deterministic",
)
"""The trainer's settings that decide how fast a step is; the others say how long a run is and what it keeps."""

ENDLESS = 1_000_000
"""Epochs: more than any measurement takes, as a cosine schedule needs an end."""


def bench_training(
    flags: Sequence[str],
    *,
    seconds: float,
    rounds: int,
    baseline: bool,
    originals: str | None,
    out: Path,
) -> None:
    """Measure the training that flags of `emorec fit` describe, print a table, and write a JSON file.

    Args:
        flags: Of `emorec fit`.
        seconds: How long each stage is measured in a round.
        rounds: How often all stages are measured.
        baseline: Also measure what is done without a cache.
        originals: Folder of videos that baselines decode.
        out: JSON file to write, replaced.

    Raises:
        UserError: For a mistake of the user.
    """
    check_positive({"seconds": seconds, "rounds": rounds})
    videos = videos_in(originals) if originals else []
    check_out(out)
    if unused := unused_flags(flags):
        print(f"no effect on a measurement: {', '.join(unused)}", file=sys.stderr)
    experiment = parse_experiment(with_defaults(flags))
    model, data = experiment.instantiate(load_weights=False)
    settings = {name: experiment.config_init["trainer"][name] for name in USED_TRAINER_SETTINGS}
    settings["devices"] = 1
    with trainer_errors(settings):
        trainer = endless_trainer(**settings)
    spinner = make_console(stderr=True).status("", spinner="line")

    def status(text: str) -> None:
        spinner.update(text)
        spinner.start() if text else spinner.stop()

    try:
        report = measure(
            trainer,
            model,
            data,
            seconds=seconds,
            rounds=rounds,
            baseline=baseline,
            videos=videos,
            status=status,
        )
    except SystemExit:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from None
    finally:
        spinner.stop()
    report.print(make_console(soft_wrap=True))
    with disk_errors(out):
        write_json(report.to_dict(), out)


def with_defaults(flags: Sequence[str]) -> list[str]:
    """Return the flags, with a network and a data set where they name none.

    >>> with_defaults(["--data.batch_size", "8"])[:2]
    ['--model', 'emorec.models.EarlyFusionCNN']
    >>> with_defaults(["--config", "configs/cnn_lstm.yaml"])
    ['--config', 'configs/cnn_lstm.yaml']
    """
    names = {flag.partition("=")[0] for flag in flags}
    if names & {"--config", "-c", "--ckpt"}:
        return list(flags)
    network = () if "--model" in names else DEFAULT_NETWORK
    data = () if "--data" in names else DEFAULT_DATA
    return [*network, *data, *flags]


def unused_flags(flags: Sequence[str]) -> list[str]:
    """Return the flags of a training that have no effect on a measurement, which has one device and no end.

    >>> unused_flags(["--trainer.max_epochs", "3", "--trainer.precision=bf16-mixed", "--data.batch_size", "8"])
    ['--trainer.max_epochs']
    """
    names = [flag.partition("=")[0] for flag in flags if flag.startswith("--")]
    return [
        name
        for name in names
        if name.startswith(("--checkpoint.", "--early_stopping."))
        or (
            name.startswith("--trainer.")
            and name.removeprefix("--trainer.") not in USED_TRAINER_SETTINGS
        )
    ]


def endless_trainer(**settings: Any) -> Trainer:
    """Return a trainer that trains until it is stopped, and shows and keeps nothing.

    Args:
        settings: The other arguments of the trainer.
    """
    return Trainer(
        **settings,
        max_epochs=ENDLESS,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
