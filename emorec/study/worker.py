"""Takes runs from a study's queue, as many at a time as there are places, until the study is done."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from emorec.errors import UserError
from emorec.study import log
from emorec.study.alive import BEAT_SECONDS, FolderLock, Watch, this_machine
from emorec.study.board import Board
from emorec.study.plan import PlannedRun
from emorec.study.process import RunProcess
from emorec.study.queue import Queue, counting
from emorec.study.rows import progress, rows_of
from emorec.study.stop import Stop

LOOK_SECONDS = 0.1

SYNC_SECONDS = 2.0
"""How often the storage is asked what others did."""

OUTAGE_SECONDS = 600.0
"""How long a database may be out of reach while runs go on."""


@dataclass
class AtWork:
    """A run that this process has started.

    Attributes:
        trial: Its trial.
        process: Its commands.
        pruned: Whether the search has given it up.
        ended: Whether its last command has ended, so that its outcome is to be recorded.
        beat: When it last gave a sign of life.
        num_beats: How many it gave.
        reported: The last epoch that the search knows of.
    """

    trial: Trial
    process: RunProcess
    pruned: bool = False
    ended: bool = False
    beat: float = float("-inf")
    num_beats: int = 0
    reported: int = 0


class Worker:
    """The runs of this process.

    Args:
        queue: Where runs come from.
        runs: All runs of the study by their keys.
        board: Where they are shown.
        environments: One for each run at a time: what its processes find in their environment.
    """

    def __init__(
        self,
        queue: Queue,
        runs: Mapping[str, PlannedRun],
        board: Board,
        environments: Sequence[Mapping[str, str]],
    ) -> None:
        self._queue = queue
        self._runs = runs
        self._board = board
        self._free = list(enumerate(environments))[::-1]
        self._at_work: dict[str, tuple[AtWork, tuple[int, Mapping[str, str]]]] = {}
        self._watch = Watch()

    def work(self, stop: Stop) -> None:
        """Returns when all runs of the study have ended, also those of other workers, or when it is asked to stop.

        Raises:
            UserError: When the storage or a folder can't be written any more.
        """
        reached = time.monotonic()
        due = 0.0
        try:
            self._queue.fill(failed_too=True)
            while not stop.asked:
                changed = self._look()
                if changed or time.monotonic() >= due:
                    try:
                        if self._sync():
                            return
                        reached = time.monotonic()
                    except StorageInternalError as error:
                        if time.monotonic() - reached > OUTAGE_SECONDS:
                            raise UserError(f"the storage can't be reached: {error}") from error
                    due = time.monotonic() + SYNC_SECONDS
                time.sleep(LOOK_SECONDS)
        finally:
            self._leave(stop)

    def _epochs(self, key: str) -> list[log.Epoch] | None:
        return self._at_work[key][0].process.epochs() if key in self._at_work else None

    def _look(self) -> bool:
        """Starts next commands; says whether a run has ended."""
        ended = False
        for one, _ in self._at_work.values():
            if not one.ended and not one.process.go_on():
                one.ended = ended = True
        return ended

    def _sync(self) -> bool:
        """Tells the storage what was done here and takes what is free; says whether the study is done."""
        for key, (one, place) in list(self._at_work.items()):
            if one.ended:
                self._record(one)
                one.process.release()
                del self._at_work[key]
                self._free.append(place)
            else:
                self._report(one)
        for key, trials in self._queue.trials().items():
            trial = counting(trials)
            if (
                trial is not None
                and trial.state is TrialState.RUNNING
                and key not in self._at_work
                and self._watch.is_dead(trial.number, trial.user_attrs)
            ):
                self._queue.pass_on(trial.number)
        self._queue.fill(failed_too=False)
        self._take()
        rows = rows_of(self._runs, self._queue, self._epochs)
        self._board.show(rows)
        return all(row.state not in ("running", "waiting") for row in rows.values())

    def _take(self) -> None:
        for key, waiting in self._queue.waiting():
            if not self._free:
                return
            run = self._runs[key]
            # first the folder: a training may have outlived its study
            lock = FolderLock(run.folder)
            if not lock.acquire():
                continue
            trial = self._queue.take(key, waiting)
            if trial is None:
                lock.release()
                continue
            parameters = self._queue.parameters(trial)
            run = run.with_parameters(parameters) if parameters else run
            trial.set_user_attr("folder", str(run.folder.absolute()))
            trial.set_user_attr("machine", this_machine())
            try:
                place = self._free.pop()
                process = RunProcess(run, lock, place[1])
            except UserError as error:
                self._queue.fail(trial, str(error))
                self._free.append(place)
                lock.release()
                continue
            self._at_work[key] = (AtWork(trial, process), place)

    def _record(self, one: AtWork) -> None:
        if epochs := one.process.epochs():
            self._queue.name_figure(one.trial, epochs[-1].figure)
        if one.pruned:
            self._queue.prune(one.trial)
        elif one.process.error is not None:
            self._queue.fail(one.trial, one.process.error)
        else:
            self._report(one)
            self._queue.finish(one.trial, log.best_score(one.process.epochs()))

    def _report(self, one: AtWork) -> None:
        """Gives a sign of life, and lets a search decide whether to go on."""
        epochs = one.process.epochs()
        try:
            if time.monotonic() - one.beat > BEAT_SECONDS:
                one.num_beats += 1
                one.trial.set_user_attr("beat", {"number": one.num_beats, **progress(epochs)})
                one.beat = time.monotonic()
            if one.process.run.tested or one.pruned:
                return
            for epoch in epochs:
                if epoch.number > one.reported:
                    one.trial.report(epoch.score, epoch.number)
                    one.reported = epoch.number
                    if one.trial.should_prune() and not one.ended:
                        one.pruned = True
                        one.process.stop()
                        return
        except (
            UpdateFinishedTrialError
        ):  # another machine took this one for dead and goes on with the run
            one.process.stop()

    def _leave(self, stop: Stop) -> None:
        """Stops what still runs and gives it back."""
        if not self._at_work:
            return
        self._board.say(
            f"stopping {len(self._at_work)} run{'s' * (len(self._at_work) > 1)} between two batches; "
            "Ctrl-C once more ends them at once"
        )
        asked = stop.asked
        for one, _ in self._at_work.values():
            one.process.stop()
        while any(one.process.runs for one, _ in self._at_work.values()):
            if stop.asked > asked:
                for one, _ in self._at_work.values():
                    one.process.kill()
            time.sleep(LOOK_SECONDS)
        for one, _ in self._at_work.values():
            one.process.release()
        # what a full disk or a lost database keeps from being written is found by the next start
        with suppress(OSError, StorageInternalError):
            for one, _ in self._at_work.values():
                if one.ended:
                    self._record(one)
                else:
                    self._queue.pass_on(one.trial.number)
            self._at_work.clear()
            self._board.show(rows_of(self._runs, self._queue))
