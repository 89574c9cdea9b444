"""Which run is whose: the queue of a study in Optuna's storage.

Every run is one trial that waits in the storage; a worker takes one by setting it running, which the storage grants to
one worker alone. Optuna's grid sampler would hand out the same point to two workers that ask at the same time, as its
documentation says; a queue does not. A run whose worker died or was stopped is marked failed and waits once more as a
new trial, as Optuna itself does after lost heartbeats.

Several workers may put the same run into the queue at the same time. So of all trials of a run the first that is not
failed counts: who takes a later one drops it. Failed trials stay failed and numbers only grow, so all workers agree.
"""

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

from emorec.errors import UserError
from emorec.study.definition import Definition
from emorec.study.identity import first_difference
from emorec.study.space import suggest
from emorec.study.storage import Place

RUN = "run"
"""The attribute of a trial that says which run it is."""

ERROR = "error"
"""The attribute of a failed trial that says why; one without it was passed on to another."""

DROPPED = "dropped"
"""The attribute of a failed trial whose run had another one."""

FIGURE = "figure"
"""The attribute of a trial that says what its value is; one without it is of before there was a choice: a UAR."""

DEFINITION = "definition"

STARTUP_TRIALS = 5
"""Trials that a search makes at random before it gives up any."""


class Queue:
    """The runs of a study, handed out one by one.

    Args:
        place: Where the study is kept.
        definition: What its file says.
        said: All that decides its results, see `identity`.
        keys: The names of its runs, in the order of their turn.

    Raises:
        UserError: When there is another study of that name in the storage.
    """

    def __init__(
        self, place: Place, definition: Definition, said: Mapping[str, Any], keys: Sequence[str]
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._place = place
        self._space = definition.space
        self._seed = definition.seeds[0]
        self._keys = keys
        self.study = optuna.create_study(
            storage=place.storage,
            study_name=definition.name,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=STARTUP_TRIALS, n_warmup_steps=definition.prune_after
            ),
            load_if_exists=True,
        )
        there = self.study.user_attrs.get(DEFINITION)
        if there is None:
            self.study.set_user_attr(DEFINITION, said)
        elif differs := first_difference(there, said):
            raise UserError(
                f"{place.shown} holds another study {definition.name!r}: {differs}; "
                "give the study file another name, choose another --storage, or remove that one"
            )

    def trials(self) -> dict[str, list[FrozenTrial]]:
        """The trials of each run, the first one first."""
        by_run: dict[str, list[FrozenTrial]] = {key: [] for key in self._keys}
        for trial in self.study.get_trials(deepcopy=False):
            by_run.setdefault(trial.user_attrs.get(RUN, ""), []).append(trial)
        return {key: by_run[key] for key in self._keys}

    def fill(self, *, failed_too: bool) -> None:
        """Puts every run into the queue that is not there: new ones, and those that were passed on.

        Args:
            failed_too: Also those that failed.
        """
        for key, trials in self.trials().items():
            if counting(trials) is None and (failed_too or last_error(trials) is None):
                before = trials[-1].params if trials else {}
                self.study.enqueue_trial(before, user_attrs={RUN: key})

    def waiting(self) -> Iterator[tuple[str, FrozenTrial]]:
        """The runs that wait and their trials."""
        for key, trials in self.trials().items():
            trial = counting(trials)
            if trial is not None and trial.state is TrialState.WAITING:
                yield key, trial

    def take(self, key: str, waiting: FrozenTrial) -> Trial | None:
        """Takes a waiting trial; `None` when another worker has it or the run is somebody's already."""
        with self._place.alone:
            try:
                mine = self._place.storage.set_trial_state_values(
                    waiting._trial_id, TrialState.RUNNING
                )
            except UpdateFinishedTrialError:
                return None
        if not mine:
            return None
        first = counting(self.trials()[key])
        # as each trial has a seed of its own, a search that was stopped draws what an undisturbed one would
        self.study.sampler = _sampler(self._seed + 1000 * self._keys.index(key))
        trial = Trial(self.study, waiting._trial_id)
        if first is None or first.number != waiting.number:
            trial.set_user_attr(DROPPED, True)
            self._fail(waiting.number)
            return None
        return trial

    def parameters(self, trial: Trial) -> dict[str, Any]:
        """What the search has chosen for a trial; nothing in a grid."""
        return {name: suggest(trial, name, each) for name, each in self._space.items()}

    def name_figure(self, trial: Trial, figure: str) -> None:
        """Records what a run is measured by, UAR or CCC."""
        with contextlib.suppress(UpdateFinishedTrialError):  # another worker has it
            trial.set_user_attr(FIGURE, figure)

    def finish(self, trial: Trial, value: float) -> None:
        """Records a run that went to its end, with its best validation figure."""
        self._tell(trial.number, TrialState.COMPLETE, value)

    def prune(self, trial: Trial) -> None:
        """Records a run that the search gave up."""
        self._tell(trial.number, TrialState.PRUNED)

    def fail(self, trial: Trial, error: str) -> None:
        """Records why a run failed."""
        try:
            trial.set_user_attr(ERROR, error)
        except UpdateFinishedTrialError:
            return
        self._fail(trial.number)

    def pass_on(self, number: int) -> None:
        """Gives a running trial back; its run waits for another worker."""
        self._fail(number)
        self.fill(failed_too=False)

    def _fail(self, number: int) -> None:
        self._tell(number, TrialState.FAIL)

    def _tell(self, number: int, state: TrialState, value: float | None = None) -> None:
        with self._place.alone:
            try:
                self.study.tell(number, value, state)
            except (ValueError, UpdateFinishedTrialError):
                # another worker took us for dead and has passed the run on
                if self.study.get_trials(deepcopy=False)[number].state is TrialState.RUNNING:
                    raise


def counting(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """Of the trials of one run the one that counts."""
    return next((trial for trial in trials if trial.state is not TrialState.FAIL), None)


def last_error(trials: Sequence[FrozenTrial]) -> str | None:
    """Why a run failed when it was last tried; `None` when it did not."""
    tried = [trial for trial in trials if DROPPED not in trial.user_attrs]
    error: str | None = tried[-1].user_attrs.get(ERROR) if tried else None
    return error


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        # settings that others are trying just now count as bad ones, so that workers don't all try the same
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=STARTUP_TRIALS, constant_liar=True
        )
