"""`emorec study`: a grid of experiments, or a search among settings, that is resumed after a kill."""

import shlex
import signal
import sys

from emorec.errors import UserError
from emorec.shipped import find_study
from emorec.text import did_you_mean


def study(
    file: str,
    /,
    *experiment_flags: str,
    jobs: int = 1,
    storage: str | None = None,
    dry_run: bool = False,
) -> None:
    """Run a grid of experiments, or a search among settings.

    Trains and tests all runs of a study, each in its own folder below lightning_logs/studies/NAME. Stopped or killed,
    it is resumed by the same command: what is finished is not repeated, what failed is tried again. Then emorec
    compare lightning_logs/studies/NAME puts the results side by side. In a search no test actor is evaluated.

    Args:
        file: A study: a file, or the name of one that emorec configs lists. Its keys: configs (names and experiment
            files), settings (options of emorec fit for all runs), overrides (named variants), folds, seeds; or search
            (lists or ranges to choose settings from, by their validation score), trials, prune_after.
        *experiment_flags: Flags of emorec fit for every run, such as --data.root DIR.
        jobs: Runs at a time; each has a GPU of its own if there are enough.
        storage: A file, or a database's URL: the same command on several machines then shares one study. By default
            lightning_logs/studies/NAME/study.journal.
        dry_run: Check all runs and list them, and start none.

    Raises:
        UserError: For a mistake of the user, and when runs have failed.
        SystemExit: When a signal has stopped it.
    """
    from emorec.study.definition import read_definition

    if jobs < 1:
        raise UserError(f"--jobs is {jobs}: choose 1 or more")
    common = common_settings(experiment_flags)
    definition = read_definition(find_study(file))

    from emorec.study.runner import list_runs, run_study  # late: they import Optuna

    if dry_run:
        list_runs(definition, common, storage)
        return
    stopped = run_study(definition, common, storage, jobs)
    if stopped is not None:
        command = ["emorec", "study", file, *experiment_flags]
        command += ["--jobs", str(jobs)] if jobs != 1 else []
        command += ["--storage", storage] if storage else []
        print(f"stopped; continue with: {shlex.join(command)}", file=sys.stderr)
        raise SystemExit(128 + signal.Signals(stopped))


def common_settings(flags: tuple[str, ...]) -> dict[str, str]:
    """Return flags of `emorec fit` as settings of every run.

    Raises:
        UserError: When a value is missing, or a study sets the option itself.

    >>> common_settings(("--data.num_workers", "2", "--data.root=clips"))
    {'data.num_workers': '2', 'data.root': 'clips'}
    """
    from emorec.study.definition import check_setting

    settings = {}
    remaining = list(flags)
    while remaining:
        flag, equals, value = remaining.pop(0).partition("=")
        name = flag.removeprefix("--")
        check_setting(name, "command line")
        if "." not in name and name not in ("model", "data"):
            near = did_you_mean(flag, ("--jobs", "--storage", "--dry-run"))
            raise UserError(f"{flag}: no such option{near}; emorec study --help lists them")
        if not equals:
            if not remaining or remaining[0].startswith("--"):
                raise UserError(f"{flag} needs a value")
            value = remaining.pop(0)
        settings[name] = value
    return settings
