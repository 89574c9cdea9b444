"""A study from its beginning to its end: checked, run, and summed up."""

import os
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from emorec.errors import UserError
from emorec.study.board import Board, Row, runs_table, summary
from emorec.study.definition import Definition, Settings
from emorec.study.identity import identity
from emorec.study.places import environments, visible_gpus
from emorec.study.plan import STUDIES, PlannedRun, machine_settings, shown, typed
from emorec.study.process import LOG, is_tested
from emorec.study.queue import Queue, counting
from emorec.study.rows import row_of, rows_of
from emorec.study.space import ends
from emorec.study.stop import Stop
from emorec.study.storage import FILE, explained_storage, is_url, open_storage, study_names
from emorec.study.worker import Worker


def list_runs(
    definition: Definition,
    runs: Mapping[str, PlannedRun],
    everywhere: Settings,
    storage: str | None,
) -> None:
    """Checks all runs and lists them, as far as they are, without writing anything.

    Args:
        definition: What the study file says.
        runs: Its runs by their keys.
        everywhere: The settings from the command line.
        storage: Where it is kept, if not in its own file.

    Raises:
        UserError: When a run could not start, or the storage holds another study of that name.
    """
    where = storage or str(STUDIES / definition.name / FILE)
    rows = {key: row_of(run, [], None) for key, run in runs.items()}
    with explained_storage(where):
        if _is_known(definition, where):
            queue = _queue(definition, runs, everywhere, where)
            rows = rows_of(runs, queue)
    _check(definition, runs)
    console = Console(highlight=False)
    console.print(runs_table(definition.name, list(rows.values()), len(rows)))
    first = next((key for key, row in rows.items() if row.state == "waiting"), next(iter(runs)))
    console.print(f"each as in {typed(runs[first].by_hand)}", soft_wrap=True, markup=False)


def conduct(
    definition: Definition,
    runs: Mapping[str, PlannedRun],
    everywhere: Settings,
    storage: str | None,
    jobs: int,
) -> int | None:
    """Runs what is left of a study.

    Args:
        definition: What the study file says.
        runs: Its runs by their keys.
        everywhere: The settings from the command line.
        storage: Where it is kept, if not in its own file.
        jobs: Runs at a time.

    Returns:
        The signal that stopped it; `None` when it is done.

    Raises:
        UserError: When a run could not start, the storage can't be used, or, at the end, when runs have failed.
    """
    where = storage or str(STUDIES / definition.name / FILE)
    with explained_storage(where):
        if not _is_known(definition, where):
            _check(definition, runs)  # before anything is written: what is mended is no other study
        queue = _queue(definition, runs, everywhere, where)
        rows = rows_of(runs, queue)
        if any(row.state in ("waiting", "running", "failed") for row in rows.values()):
            _check(definition, runs)
            settings = {**definition.settings, **everywhere}
            places = environments(jobs, visible_gpus(), os.cpu_count() or 1, settings, os.environ)
            with Stop() as stop, Board(definition.name, Console(highlight=False)) as board:
                Worker(queue, runs, board, places).work(stop)
            if stop.number is not None:
                return stop.number
            rows = rows_of(runs, queue)
        else:
            print(f"study {definition.name}: {summary(list(rows.values()))}")
    _sum_up(definition, runs, rows, queue)
    return None


def _check(definition: Definition, runs: Mapping[str, PlannedRun]) -> None:
    from emorec.study.check import check  # late: it imports torch and Lightning

    if definition.space:
        first = next(iter(runs.values()))
        check([first.with_parameters(chosen) for chosen in ends(definition.space)])
    else:
        check(runs.values())


def _queue(
    definition: Definition, runs: Mapping[str, PlannedRun], everywhere: Settings, where: str
) -> Queue:
    return Queue(open_storage(where), definition, identity(definition, everywhere), list(runs))


def _is_known(definition: Definition, where: str) -> bool:
    """Whether the storage has a study of that name; a file that is not there is not made."""
    if not is_url(where) and not Path(where).expanduser().is_file():
        return False
    return definition.name in study_names(open_storage(where))


def _sum_up(
    definition: Definition,
    runs: Mapping[str, PlannedRun],
    rows: Mapping[str, Row],
    queue: Queue,
) -> None:
    """Says what to do next.

    Raises:
        UserError: When runs have failed.
    """
    done = [key for key, row in rows.items() if row.state == "done"]
    if definition.space and done:
        print(_chosen(runs, rows, queue, max(done, key=lambda key: rows[key].score or 0.0)))
    elif done:
        print(f"side by side: emorec compare {STUDIES / definition.name}")
        away = [key for key in done if not is_tested(runs[key].folder)]
        if away:
            print(
                f"{len(away)} of {len(runs)} runs are not below {STUDIES / definition.name}: "
                f"they were done elsewhere, or removed; the first is {runs[away[0]].folder}"
            )
    failed = {key: row for key, row in rows.items() if row.state == "failed"}
    if failed:
        key, row = next(iter(failed.items()))
        first = f"{row.title}: {row.note} (see {runs[key].folder / LOG})"
        which = first if len(failed) == 1 else f"the first is {first}"
        raise UserError(
            f"{len(failed)} of {len(runs)} runs failed, the same command tries them again: {which}"
        )


def _chosen(
    runs: Mapping[str, PlannedRun], rows: Mapping[str, Row], queue: Queue, best: str
) -> str:
    trial = counting(queue.trials()[best])
    assert trial is not None
    chosen = " ".join(f"--{name} {shown(value)}" for name, value in trial.params.items())
    checkpoint = runs[best].folder / "checkpoints" / "best.ckpt"
    here = "".join(
        f" --{name} {shown(value)}"
        for name, value in machine_settings(runs[best].everywhere).items()
        if name == "data.root"
    )
    return (
        f"best validation {rows[best].figure} {rows[best].score or 0.0:.3f} with {chosen} ({runs[best].folder})\n"
        f"no test actor was looked at; measure this one on them, once: emorec test --ckpt {checkpoint}{here}"
    )
