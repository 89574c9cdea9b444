"""The command line of `emorec fit`, for a measurement instead of a training."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser
from rich.console import Console
from typing_extensions import override

from emorec.bench.baselines import videos_in
from emorec.bench.interrupt import sure_interrupt
from emorec.bench.json_file import refuse_unwritable, write_json
from emorec.bench.measure import measure
from emorec.bench.table import show
from emorec.cli.experiment import ExperimentCLI
from emorec.cli.experiment_parser import in_order, refuse_unreadable_config, refuse_without_effect
from emorec.cli.mishaps import explained
from emorec.cli.quiet import quiet
from emorec.errors import UserError
from emorec.layers.pretrained import skip_pretrained

DEFAULT_NETWORK = ("--model", "emorec.models.EarlyFusionCNN")
"""The fastest of the five, hence the one that asks most of a loader."""

DEFAULT_DATA = ("--data", "emorec.data.RavdessDataModule", "--data.augment", "true")

OBEYED = (
    "accelerator",
    "precision",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "benchmark",
    "deterministic",
)
"""What of the trainer's settings decides how fast a step is; the others say how long a run is and what it keeps."""

ENDLESS = 1_000_000
"""Epochs, of which a measurement sees but a few. A cosine wants to know an end."""


OWN_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "--seconds": ({"type": float, "default": 2.0}, "how long each stage is measured in a round"),
    "--rounds": ({"type": int, "default": 3}, "how often all stages are measured"),
    "--baseline": ({"action": "store_true"}, "measure what people do without a cache, too"),
    "--originals": ({"type": str, "default": None}, "folder of videos that --baseline decodes"),
    "--out": ({"type": str, "default": "lightning_logs/bench.json"}, "JSON file, replaced"),
}
"""What a measurement takes that a training does not."""


class BenchCLI(ExperimentCLI):
    """Takes every option of `emorec fit` and some of its own, and measures.

    Args:
        arguments: The words after `emorec bench`.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__("fit", arguments)

    @override
    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        super().add_arguments_to_parser(parser)
        parser.usage = "emorec bench [--config FILE] [options]"
        parser.description = "Measure where the time of a training goes."
        for option, (settings, meaning) in OWN_OPTIONS.items():
            parser.add_argument(option, help=meaning, **settings)

    @override
    def instantiate_classes(self) -> None:
        self.own = self.config["fit"]
        for name in ("seconds", "rounds"):
            if not self.own[name] > 0:
                raise UserError(f"{name} is {self.own[name]:g}: choose more than 0")
        if self.own["originals"] and not self.own["baseline"]:
            raise UserError("--originals says what --baseline decodes: give both")
        self.filmed = videos_in(self.own["originals"]) if self.own["originals"] else []
        refuse_unwritable(Path(self.own["out"]))
        with skip_pretrained():  # a step takes as long with any weights
            super().instantiate_classes()

    @override
    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        given = self._get(self.config_init, "trainer")
        return Trainer(
            **{name: given[name] for name in OBEYED},
            devices=1,
            max_epochs=ENDLESS,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        status = Console(stderr=True).status("", spinner="line")

        def say(words: str) -> None:
            status.update(words)
            # silent while the clips are made ready, which shows a bar of its own
            status.start() if words else status.stop()

        try:
            with sure_interrupt():
                report = measure(
                    self.trainer,
                    self.model,
                    self.datamodule,
                    seconds=self.own["seconds"],
                    rounds=self.own["rounds"],
                    baseline=self.own["baseline"],
                    filmed=self.filmed,
                    say=say,
                )
        except SystemExit:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        finally:
            status.stop()
        show(report, Console(highlight=False, soft_wrap=True))
        write_json(report.plain(), Path(self.own["out"]))


def run(arguments: Sequence[str]) -> None:
    """Measures a training that these words of `emorec fit` would start.

    Raises:
        UserError: For a mistake of the user.
    """
    quiet()
    sys.path.append(str(Path.cwd()))  # `--model my_file.MyNetwork`, as `emorec fit` finds it
    refuse_without_effect(arguments)
    refuse_unreadable_config(arguments)
    if idle := without_effect(arguments):
        print(f"without effect on a measurement: {', '.join(idle)}", file=sys.stderr)
    try:
        BenchCLI(in_order(with_defaults(arguments)))
    except Exception as error:
        mishap = explained(error)
        if mishap is None:
            raise
        raise mishap from error


def with_defaults(words: Sequence[str]) -> list[str]:
    """The words, and a network and a data set where they name none.

    >>> with_defaults(["--data.batch_size", "8"])[:2]
    ['--model', 'emorec.models.EarlyFusionCNN']
    >>> with_defaults(["--config", "configs/cnn_lstm.yaml"])
    ['--config', 'configs/cnn_lstm.yaml']
    """
    given = {word.partition("=")[0] for word in words}
    if given & {"--config", "-c", "--ckpt"}:
        return list(words)
    network = () if "--model" in given else DEFAULT_NETWORK
    data = () if "--data" in given else DEFAULT_DATA
    return [*network, *data, *words]


def without_effect(words: Sequence[str]) -> list[str]:
    """Options of a training that a measurement does not need, as one on one device without an end.

    >>> without_effect(["--trainer.max_epochs", "3", "--trainer.precision=bf16-mixed", "--data.batch_size", "8"])
    ['--trainer.max_epochs']
    """
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    return [
        option
        for option in options
        if option.startswith(("--checkpoint.", "--early_stopping."))
        or (option.startswith("--trainer.") and option.removeprefix("--trainer.") not in OBEYED)
    ]
