"""Looks at the runs of a study before the first one starts: a typing error in the last would be found too late."""

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from typing_extensions import override

from emorec.cli.experiment import ExperimentCLI
from emorec.cli.experiment_parser import in_order, refuse_unreadable_config, refuse_without_effect
from emorec.cli.mishaps import explained, explained_while_made
from emorec.cli.quiet import quiet
from emorec.errors import UserError
from emorec.layers.pretrained import check_weights_exist
from emorec.study.plan import PlannedRun


class CheckCLI(ExperimentCLI):
    """Reads the words of `emorec fit`, looks for its weights and clips, and trains nothing."""

    @override
    def instantiate_classes(self) -> None:
        check_weights_exist(str(self.config["fit"]["model"]["init_args"].get("weights", "none")))
        data = self.config["fit"]["data"]
        module, _, name = data["class_path"].rpartition(".")
        try:
            found = getattr(import_module(module), name)(**data["init_args"].as_dict())
        except (ValueError, TypeError) as error:
            raise explained_while_made(error) from None
        found.find()

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing is run."""


def check(runs: Iterable[PlannedRun]) -> None:
    """Looks at every network, variant and fold once.

    Raises:
        UserError: When a run could not start: an option that there is not, a value that it does not take, a fold that
            the split has not, a folder without clips.
    """
    quiet()
    sys.path.append(str(Path.cwd()))  # `--model my_file.MyNetwork`, as `emorec fit` finds it
    for run in _different(runs):
        words = run.fit[1:]
        try:
            refuse_without_effect(words)
            refuse_unreadable_config(words)
            CheckCLI("fit", in_order(words))
        except Exception as error:
            mishap = explained(error)
            if mishap is None:
                raise
            raise UserError(f"{run.model}: {mishap}") from error


def _different(runs: Iterable[PlannedRun]) -> Iterator[PlannedRun]:
    """The first run of each model and the first of each fold: the others differ from these in nothing that can fail."""
    seen: set[Any] = set()
    for run in runs:
        here = {("model", run.model), ("fold", run.fold)}
        if here - seen:
            seen |= here
            yield run
