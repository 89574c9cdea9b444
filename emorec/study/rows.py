"""What the storage and the runs' logs say of a study, as rows to show."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from emorec.study import log
from emorec.study.alive import this_machine
from emorec.study.board import Row
from emorec.study.plan import PlannedRun
from emorec.study.queue import FIGURE, Queue, counting, last_error


def rows_of(
    runs: Mapping[str, PlannedRun],
    queue: Queue,
    mine: Callable[[str], Sequence[log.Epoch] | None] = lambda _: None,
) -> dict[str, Row]:
    """All runs of a study as they are now.

    Args:
        runs: What was planned, by the runs' keys.
        queue: Where their trials are.
        mine: The epochs so far of a run that runs here; `None` for another.
    """
    return {key: row_of(runs[key], trials, mine(key)) for key, trials in queue.trials().items()}


def row_of(run: PlannedRun, trials: Sequence[FrozenTrial], mine: Sequence[log.Epoch] | None) -> Row:
    """A run as it is now.

    Args:
        run: What was planned.
        trials: Its trials, the first one first.
        mine: Its epochs so far when it runs here.
    """
    trial = counting(trials)
    if trial is not None and trial.params:
        run = run.with_parameters(trial.params)
    if trial is None or trial.state is TrialState.WAITING:
        error = last_error(trials) if trial is None else None
        if error is None:
            return Row(title=run.title, state="waiting")
        return Row(title=run.title, state="failed", note=error)
    if trial.state is TrialState.RUNNING:
        return _running(run, trial, mine)
    seconds = trial.duration.total_seconds() if trial.duration else None
    figure = trial.user_attrs.get(FIGURE, "UAR")
    if trial.state is TrialState.PRUNED:
        return Row(
            title=run.title, state="given up", score=trial.value, figure=figure, seconds=seconds
        )
    return Row(title=run.title, state="done", score=trial.value, figure=figure, seconds=seconds)


def _running(run: PlannedRun, trial: FrozenTrial, mine: Sequence[log.Epoch] | None) -> Row:
    if mine is not None:
        return Row(title=run.title, state="running", **progress(mine))
    machine = trial.user_attrs.get("machine", "")
    where = "in another process" if machine == this_machine() else f"on {machine.split(' ')[0]}"
    beat = trial.user_attrs.get("beat", {})
    return Row(
        title=run.title,
        state="running",
        epoch=beat.get("epoch", ""),
        score=beat.get("score"),
        figure=beat.get("figure", "UAR"),
        note=where if machine else "",
    )


def progress(epochs: Sequence[log.Epoch]) -> Mapping[str, Any]:
    """How far a run is and how good, for people and for other machines.

    >>> progress([log.Epoch(1, 20, 0.25)])
    {'epoch': '1/20', 'score': 0.25, 'figure': 'UAR'}
    """
    if not epochs:
        return {}
    last = epochs[-1]
    of = "" if last.of is None else f"/{last.of}"
    return {
        "epoch": f"{last.number}{of}",
        "score": log.best_score(epochs),
        "figure": last.figure,
    }
