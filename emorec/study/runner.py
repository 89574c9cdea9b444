"""A study from its beginning to its end: checked, run, and summed up."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from emorec.console import make_console
from emorec.errors import UserError
from emorec.study.definition import Definition, Range, Settings
from emorec.study.plan import (
    STUDIES,
    PlannedRun,
    command_line,
    fingerprint,
    flag_value,
    flags,
    machine_settings,
    planned_runs,
)
from emorec.study.progress import ProgressTable, Row, row_of, rows_of, runs_table, summary
from emorec.study.queue import Queue, current_trial, is_url, open_storage, storage_errors
from emorec.study.worker import LOG, StopSignals, Worker, environments, is_tested, visible_gpus
from emorec.text import decimal

JOURNAL = "study.journal"


def list_runs(definition: Definition, common: Settings, storage: str | None) -> None:
    """Check all runs and list them without writing anything.

    Args:
        definition: The study file.
        common: Settings from the command line.
        storage: Where the study is stored; by default its own file.

    Raises:
        UserError: When a run could not start, or the storage holds another study of that name.
    """
    runs = planned_runs(definition, common)
    where = storage or str(STUDIES / definition.name / JOURNAL)
    rows = {key: row_of(run) for key, run in runs.items()}
    with storage_errors(where):
        if _is_stored(definition, where):
            rows = rows_of(runs, _queue(definition, runs, common, where))
    check_runs(definition, runs.values())
    console = make_console()
    console.print(runs_table(definition.name, list(rows.values()), len(rows)))
    first = next((key for key, row in rows.items() if row.state == "waiting"), next(iter(runs)))
    console.print(f"each as in {command_line(runs[first].standalone)}", soft_wrap=True)


def run_study(
    definition: Definition, common: Settings, storage: str | None, jobs: int
) -> int | None:
    """Run what is left of a study.

    Args:
        definition: The study file.
        common: Settings from the command line.
        storage: Where the study is stored; by default its own file.
        jobs: Runs at a time.

    Returns:
        The signal that stopped it; `None` when it is done.

    Raises:
        UserError: When a run could not start, the storage can't be used, or, at the end, when runs have failed.
    """
    runs = planned_runs(definition, common)
    where = storage or str(STUDIES / definition.name / JOURNAL)
    with storage_errors(where):
        if not _is_stored(definition, where):
            # before anything is written: a study file that is corrected then is not another study
            check_runs(definition, runs.values())
        queue = _queue(definition, runs, common, where)
        rows = rows_of(runs, queue)
        if any(row.state in ("waiting", "running", "failed") for row in rows.values()):
            check_runs(definition, runs.values())
            settings = {**definition.settings, **common}
            variables = environments(
                jobs, visible_gpus(), os.cpu_count() or 1, settings, os.environ
            )
            with StopSignals() as stop, ProgressTable(definition.name) as table:
                Worker(queue, runs, table, variables).work(stop)
            if stop.first is not None:
                return stop.first
            rows = rows_of(runs, queue)
        else:
            print(f"study {definition.name}: {summary(list(rows.values()))}")
    _sum_up(definition, runs, rows, queue)
    return None


def check_runs(definition: Definition, runs: Iterable[PlannedRun]) -> None:
    """Parse every network and variant once and look for its weights and the clips of each fold, before any run starts.

    Raises:
        UserError: When a run could not start: an unknown option, a value that it does not take, a fold that the split
            does not have, a folder without clips.
    """
    from emorec.experiment import (
        Experiment,
        parse_experiment,
    )  # late: it imports torch and Lightning
    from emorec.layers.pretrained import check_weights_exist

    parsed: dict[str, Experiment] = {}
    for run in _representatives(definition, runs):
        try:
            if run.model in parsed:  # it differs in its fold alone, and parsing is slow
                parsed[run.model].config.data.init_args.fold = run.fold
            else:
                parsed[run.model] = parse_experiment(run.fit[1:])
                init_args = parsed[run.model].config.model.init_args
                check_weights_exist(str(init_args.get("weights", "none")))
            parsed[run.model].instantiate_data().find()
        except UserError as error:
            raise UserError(f"{run.model}: {error}") from error


def _representatives(definition: Definition, runs: Iterable[PlannedRun]) -> Iterator[PlannedRun]:
    """Return runs that differ from all others in nothing that can be wrong.

    In a grid the first run of each model and the first of each fold, in a search both ends of its ranges.
    """
    if definition.search:
        first = next(iter(runs))
        yield from map(first.with_parameters, search_ends(definition))
        return
    covered: set[Any] = set()
    for run in runs:
        new = {("model", run.model), ("fold", run.fold)} - covered
        if new:
            covered |= new
            yield run


def search_ends(definition: Definition) -> list[dict[str, Any]]:
    """Return settings that a search could choose: all its first values, and all its last ones."""
    ends = {
        name: (choice.low, choice.high) if isinstance(choice, Range) else (choice[0], choice[-1])
        for name, choice in definition.search.items()
    }
    return [{name: values[end] for name, values in ends.items()} for end in (0, 1)]


def _queue(
    definition: Definition, runs: Mapping[str, PlannedRun], common: Settings, where: str
) -> Queue:
    return Queue(open_storage(where), definition, fingerprint(definition, common), list(runs))


def _is_stored(definition: Definition, where: str) -> bool:
    """Return whether the storage has a study of that name; a missing file is not created."""
    if not is_url(where) and not Path(where).expanduser().is_file():
        return False
    studies = open_storage(where).optuna.get_all_studies()
    return definition.name in {study.study_name for study in studies}


def _sum_up(
    definition: Definition,
    runs: Mapping[str, PlannedRun],
    rows: Mapping[str, Row],
    queue: Queue,
) -> None:
    """Print what to do next.

    Raises:
        UserError: When runs have failed.
    """
    done = [key for key, row in rows.items() if row.state == "done"]
    folder = STUDIES / definition.name
    scored = [(score, key) for key in done if (score := rows[key].score) is not None]
    if definition.search and scored:
        _, best = max(scored, key=lambda pair: pair[0])
        print(_best_settings(runs[best], rows[best], queue))
    elif done:
        print(f"side by side: emorec compare {folder}")
        elsewhere = [runs[key].folder for key in done if not is_tested(runs[key].folder)]
        if elsewhere:
            print(
                f"{len(elsewhere)} of {len(runs)} runs are not below {folder}: "
                f"they ran on another machine, or were removed; the first is {elsewhere[0]}"
            )
    failed = [(key, row) for key, row in rows.items() if row.state == "failed"]
    if failed:
        key, row = failed[0]
        first = f"{row.title}: {row.note} (see {runs[key].folder / LOG})"
        raise UserError(
            f"{len(failed)} of {len(runs)} runs failed, the same command tries them again: "
            f"{first if len(failed) == 1 else f'the first is {first}'}"
        )


def _best_settings(run: PlannedRun, row: Row, queue: Queue) -> str:
    trial = current_trial(queue.trials()[run.key])
    assert trial is not None
    root = {
        name: value for name, value in machine_settings(run.common).items() if name == "data.root"
    }
    checkpoint = run.folder / "checkpoints" / "best.ckpt"
    chosen = " ".join(f"--{name} {flag_value(value)}" for name, value in trial.params.items())
    return (
        f"best validation {row.metric} {decimal(row.score)} with {chosen} ({run.folder})\n"
        "no test actor was evaluated; test this one on them, once: "
        f"{command_line(['test', '--ckpt', str(checkpoint), *flags(root)])}"
    )
