"""`emorec study`: a grid of experiments, or a search among settings, run to its end and gone on with after a kill."""

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.errors import UserError

if TYPE_CHECKING:
    from emorec.study.definition import Value

OPTIONS = ("--storage", "--jobs", "--dry-run", "--help")

HELP = """\
usage: emorec study FILE [options] [--data.root DIR] [options of emorec fit]

Run all experiments of a study: train, then test, each in its own folder below
lightning_logs/studies/NAME. Stopped or killed, it goes on with the same
command; what is finished is not repeated, what failed is tried again.
emorec compare lightning_logs/studies/NAME then puts the results side by side.

  FILE              A study, such as configs/studies/seed_table.yaml
  --data.root DIR   And all other options of emorec fit, for every run
  --jobs N          Runs at a time (1); each has a GPU of its own, if there are
  --storage WHERE   A file, or a database's URL: the same command on several
                    machines then shares one study
                    (lightning_logs/studies/NAME/study.journal)
  --dry-run         Check all runs and list them, and start none

A study file holds:
  configs     names of networks and their experiment files, seen from FILE; or
              with settings of their own, as in
              Wide: {config: ../cnn_lstm.yaml, model.hidden_size: 512}
  settings    options of emorec fit for all runs, as in data.split: msaf6
  overrides   named variants, as in 6 frames: {data.num_frames: 6}; every
              network is run in each
  folds       of the split, as in [1, 2, 3, 4, 5, 6]
  seeds       as in [0, 1, 2]
  search      instead of a grid: lists or ranges to choose settings from, by
              their validation UAR; test actors are not looked at
  trials      settings that a search tries
  prune_after epochs before a search gives a bad setting up (10)
"""


@dataclass
class Words:
    """What was typed after `emorec study`.

    Attributes:
        file: The study file.
        storage: A file or URL; `None` for the study's own file.
        jobs: Runs at a time.
        dry_run: Whether nothing is to be started.
        settings: Options of `emorec fit` for every run.
    """

    file: Path
    storage: str | None = None
    jobs: int = 1
    dry_run: bool = False
    settings: "dict[str, Value]" = field(default_factory=dict)


def study(words: Sequence[str]) -> None:
    """Runs the study that the words after `emorec study` name.

    Args:
        words: As they were typed.

    Raises:
        UserError: For a mistake of the user, and when runs have failed.
        SystemExit: After the help, and when a signal has stopped it.
    """
    if not words or set(words) & {"-h", "--help"}:
        print(HELP, end="")
        raise SystemExit(0)
    asked = parse(words)

    from emorec.study.definition import read_definition
    from emorec.study.plan import planned_runs

    definition = read_definition(asked.file)
    runs = planned_runs(definition, asked.settings)

    from emorec.study.conduct import conduct, list_runs  # late: Optuna takes a while

    if asked.dry_run:
        list_runs(definition, runs, asked.settings, asked.storage)
        return
    stopped = conduct(definition, runs, asked.settings, asked.storage, asked.jobs)
    if stopped is not None:
        again = " ".join(["emorec study", *words])
        print(f"stopped; go on with: {again}", file=sys.stderr)
        raise SystemExit(128 + signal.Signals(stopped))


def parse(words: Sequence[str]) -> Words:
    """The words in their meaning.

    Raises:
        UserError: When there is no such option, or a value is missing or none.

    >>> asked = parse(["configs/studies/smoke.yaml", "--jobs", "2", "--data.root=clips"])
    >>> asked.jobs, asked.settings
    (2, {'data.root': 'clips'})
    """
    files: list[str] = []
    asked = Words(Path())
    taken = False
    for word, following in zip_longest(words, words[1:], fillvalue=None):
        assert word is not None
        if taken:
            taken = False
        elif not word.startswith("-"):
            files.append(word)
        elif word in ("--dry-run", "--dry_run"):
            asked.dry_run = True
        else:
            name, equals, value = word.removeprefix("--").partition("=")
            if not equals:
                _refuse_unknown(word, name)
                if following is None or following.startswith("--"):
                    raise UserError(f"a value is missing after {word}")
                value, taken = following, True
            _set(asked, name, value)
    if len(files) != 1:
        said = (
            f"not {len(files)}: {' '.join(files)}" if files else "as in configs/studies/smoke.yaml"
        )
        raise UserError(f"name one study file, {said}")
    asked.file = Path(files[0])
    return asked


def _refuse_unknown(word: str, name: str) -> None:
    from emorec.cli.complaints import did_you_mean

    if name not in ("storage", "jobs") and "." not in name and name not in ("model", "data"):
        from emorec.study.definition import refuse_given

        refuse_given(name, "command line")
        near = did_you_mean(word, OPTIONS)
        raise UserError(f"{word}: there is no such option{near}; emorec study --help lists them")


def _set(asked: Words, name: str, value: str) -> None:
    from emorec.study.definition import refuse_given

    _refuse_unknown(f"--{name}", name)
    if name == "storage":
        asked.storage = value
    elif name == "jobs":
        if not value.isdecimal() or int(value) < 1:
            raise UserError(f"--jobs is {value}: it takes whole numbers from 1 on")
        asked.jobs = int(value)
    else:
        refuse_given(name, "command line")
        asked.settings[name] = value
