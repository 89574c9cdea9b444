"""The work of `emorec baseline`, from its words to its tables."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from emorec.baseline.asked import Asked, parse
from emorec.baseline.at_random import compare
from emorec.baseline.by_actor import measure
from emorec.baseline.extractor import make_extractor
from emorec.baseline.feature_store import FeatureStore
from emorec.baseline.fold import refuse_impossible
from emorec.baseline.runs import refuse_unwritable
from emorec.baseline.tables import show_lessons, show_measured
from emorec.cli.mishaps import explained
from emorec.cli.quiet import quiet


def run(words: Sequence[str]) -> None:
    """Measures the classifiers that the words after `emorec baseline` ask for.

    Raises:
        UserError: For a mistake of the user.
    """
    quiet()
    sys.path.append(str(Path.cwd()))  # `--data my_file.MyData`, as `emorec fit` finds it
    try:
        _run(parse(words))
    except KeyboardInterrupt:
        print(
            "stopped; frames and features made so far are kept: the same command goes on",
            file=sys.stderr,
        )
        raise
    except Exception as error:
        mishap = explained(error)
        if mishap is None:
            raise
        raise mishap from error


def _run(asked: Asked) -> None:
    for data in asked.data:
        refuse_impossible(data)
    if not asked.random_split:
        refuse_unwritable(asked.out)
    extractor = make_extractor(
        asked.features,
        asked.data[0],
        backbone=asked.backbone,
        weights=asked.weights,
        seed=asked.seed,
    )
    # what there is to be warned of is told once, not for every fold
    asked.data[0].prepare_data()
    asked.data[0].find().warn_missing_actors("test")
    store = FeatureStore(extractor)
    console = Console(highlight=False)
    status = Console(stderr=True).status("", spinner="line")

    def say(line: str) -> None:
        status.update(line)
        # silent while features are made, which shows a bar of its own
        status.start() if line else status.stop()

    try:
        if asked.random_split:
            show_lessons(compare(asked, store, say), extractor.name, console)
        else:
            show_measured(measure(asked, store, say), extractor.name, console)
    finally:
        status.stop()
