"""Models can only be compared on the same test clips: these are found, or the comparison is refused."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any, TypeAlias

from emorec.callbacks.description import spans
from emorec.comparison.model import Model
from emorec.comparison.run import Run
from emorec.errors import UserError
from emorec.evaluation.numbers_file import PredictedNumbers
from emorec.evaluation.predicted import Predicted, Truth

Clip: TypeAlias = tuple[str, str, Any, int]
"""File name, actor, truth, and which of several that are alike in these."""


@dataclass(frozen=True, eq=False)
class ComparedModel:
    """A model and what it said of the clips that all were tested on.

    Attributes:
        model: The model.
        pooled: For each seed the N clips of all folds, in an order that is the same for all models.
        by_fold: Fold -> for each seed its clips; empty for a split without folds.
    """

    model: Model
    pooled: tuple[Predicted, ...]
    by_fold: dict[int, tuple[Predicted, ...]]


def on_the_same_clips(
    models: Sequence[Model], *, intersect: bool = False
) -> tuple[list[ComparedModel], int]:
    """What the models said of the clips that every seed of each was tested on, and how many clips were left out.

    Args:
        models: At least one.
        intersect: Leave out the clips that not all share, instead of refusing.

    Raises:
        UserError: When the classes differ, a clip is tested in two folds, the clips differ (unless `intersect`), or
            no clip is shared.
    """
    refuse_other_classes([run for model in models for run in model.runs])
    clips = [
        (model, number, _clips(model, seed)) for model in models for number, seed in _seeds(model)
    ]
    shared = reduce(and_, (set(each) for _, _, each in clips))
    everything = {clip for _, _, each in clips for clip in each}
    if shared != everything and not intersect:
        raise UserError(_differ([(m, number, set(each)) for m, number, each in clips], shared))
    if not shared:
        raise UserError(
            f"the {len(clips)} tests share no clip: {_who_has_what([(m, n, set(c)) for m, n, c in clips])}"
        )
    return [_restricted(model, shared) for model in models], len(everything) - len(shared)


def refuse_other_classes(runs: Sequence[Run]) -> None:
    """Stops when the runs don't tell the same classes apart.

    Raises:
        UserError: When they don't.
    """
    first = runs[0]
    for run in runs[1:]:
        if type(run.predicted) is not type(first.predicted):
            raise UserError(f"{_kinds(runs)}: compare classes and numbers by themselves")
        what = "numbers" if isinstance(run.predicted, PredictedNumbers) else "classes"
        if run.predicted.names != first.predicted.names:
            raise UserError(
                f"{run.folder} {run.predicted.says} and {first.folder} {first.predicted.says}: "
                f"runs of other {what} can't be compared"
            )


def _kinds(runs: Sequence[Run]) -> str:
    """Which runs name classes and which predict numbers."""
    kinds: dict[str, list[str]] = {"name classes": [], "predict numbers": []}
    for run in runs:
        numbers = isinstance(run.predicted, PredictedNumbers)
        kinds["predict numbers" if numbers else "name classes"].append(str(run.folder))
    return "; ".join(
        f"{', '.join(each[:3])}{f' and {len(each) - 3} more' if len(each) > 3 else ''} "
        f"{what if len(each) > 1 else what.replace(' ', 's ', 1)}"
        for what, each in kinds.items()
    )


def _seeds(model: Model) -> list[tuple[int, tuple[Run, ...]]]:
    return list(enumerate(model.seeds, start=1))


def _clips(model: Model, runs: Sequence[Run]) -> dict[Clip, tuple[Run, int]]:
    """Each clip with the run that tested it and its row there."""
    clips: dict[Clip, tuple[Run, int]] = {}
    for run in runs:
        for row, clip in enumerate(clips_of(run.predicted)):
            if clip in clips:
                raise UserError(
                    f"{model.name}: {clip[0]} of actor {clip[1]} is tested in {clips[clip][0].folder} and in "
                    f"{run.folder}: a clip may be in one fold only"
                )
            clips[clip] = run, row
    return clips


def clips_of(predicted: Predicted) -> list[Clip]:
    """What makes each clip the same as another run's: folders differ between machines and don't count."""
    seen = Counter[tuple[str, str, Truth]]()
    clips: dict[int, Clip] = {}
    names, targets = predicted.clip_names, predicted.truths
    for row in sorted(range(len(targets)), key=predicted.paths.__getitem__):
        alike = names[row], predicted.actors[row], targets[row]
        clips[row] = (*alike, seen[alike])
        seen[alike] += 1
    return [clips[row] for row in range(len(targets))]


def _restricted(model: Model, shared: set[Clip]) -> ComparedModel:
    folds = {
        fold: tuple(
            _only(run.predicted, shared) for seed in model.seeds for run in seed if run.fold == fold
        )
        for fold in model.folds
    }
    pooled = tuple(
        _together([_only(run.predicted, shared) for run in seed]) for seed in model.seeds
    )
    return ComparedModel(
        model,
        pooled,
        {
            fold: tuple(each for each in seeds if each.paths)
            for fold, seeds in folds.items()
            if any(each.paths for each in seeds)
        },
    )


def _only(predicted: Predicted, shared: set[Clip]) -> Predicted:
    clips = clips_of(predicted)
    rows = [row for row, clip in enumerate(clips) if clip in shared]
    return predicted.at(sorted(rows, key=clips.__getitem__))


def _together(parts: Sequence[Predicted]) -> Predicted:
    """The clips of all folds in the order of their names."""
    together = type(parts[0]).together(parts)
    clips = clips_of(together)
    return together.at(sorted(range(len(clips)), key=clips.__getitem__))


def _differ(clips: Sequence[tuple[Model, int, set[Clip]]], shared: set[Clip]) -> str:
    odd = {clip for _, _, each in clips for clip in each} - shared
    name, actor = min(odd)[:2]
    return (
        f"the test clips differ: {_who_has_what(clips)}; {len(shared)} are shared and {len(odd)} are not, "
        f"{name} of actor {actor} the first; --intersect compares what they share"
    )


def _who_has_what(clips: Sequence[tuple[Model, int, set[Clip]]]) -> str:
    """The models by the clips they were tested on.

    A model whose seeds were tested on different clips is named with the number of the seed.
    """
    groups: dict[frozenset[Clip], list[str]] = {}
    several = {
        id(model)
        for model, _, each in clips
        if any(model is other and each != others for other, _, others in clips)
    }
    for model, number, each in clips:
        name = f"{model.name}, {_seed(model, number)}" if id(model) in several else model.name
        names = groups.setdefault(frozenset(each), [])
        if name not in names:
            names.append(name)
    parts = [
        f"{' / '.join(names[:3])}{' / ...' if len(names) > 3 else ''}: {len(each)} clips of actors {_actors(each)}"
        for each, names in groups.items()
    ]
    return "; ".join(parts[:4]) + ("; ..." if len(parts) > 4 else "")


def _seed(model: Model, number: int) -> str:
    seeds = {run.seed for run in model.seeds[number - 1]}
    return f"seed {seeds.pop()}" if len(seeds) == 1 and None not in seeds else f"run {number}"


def _actors(clips: frozenset[Clip]) -> str:
    names = {actor for _, actor, _, _ in clips}
    if all(name.isdecimal() for name in names):
        return spans(sorted(map(int, names)))
    return f"{', '.join(sorted(names)[:6])}{', ...' if len(names) > 6 else ''}"
