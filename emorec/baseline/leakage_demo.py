"""Identity leakage shown: what a split over clips instead of actors would seem to reach.

Each clip takes the place of another, drawn at random. The subsets keep their sizes and hyper-parameters are selected as
before: the only change is that an actor's clips are in more than one subset.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table

from emorec.baseline import Classifier
from emorec.baseline.evaluate import labelled_features
from emorec.baseline.feature_cache import FeatureCache
from emorec.baseline.model_selection import LabelledFeatures, select_model
from emorec.data.datamodule import ClipDataModule
from emorec.data.split import Subset
from emorec.evaluation.task import Classification

EXPLANATION = (
    "With a random split, clips of the test actors are also in the training set, often the same sentence spoken once "
    "more: a classifier that recognises the actor, and how this actor plays an emotion, is rewarded for it. "
    "In use it meets people it was not trained on, so the figure of the split by actor is the one to expect "
    "and to quote."
)

STAGE_SUBSETS: dict[str, tuple[Subset, ...]] = {"fit": ("train", "val"), "test": ("test",)}
"""Stage of a data module -> the subsets that it sets up."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows of the clips of each subset, in the features of all clips."""

    train: Rows
    val: Rows
    test: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakageResult:
    """Accuracies of a classifier, all folds pooled.

    Attributes:
        classifier: Which one.
        num_clips: Test clips.
        by_actor: With a split by actor.
        at_random: With random splits, one for each draw.
    """

    classifier: Classifier
    num_clips: int
    by_actor: float
    at_random: Sequence[float]


def compare_splits(
    clips: LabelledFeatures,
    folds: Sequence[Fold],
    classifiers: Sequence[Classifier],
    *,
    class_names: Sequence[str],
    seed: int,
    draws: int,
    balanced: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> list[LeakageResult]:
    """Evaluate classifiers on the split by actor and on random splits; nothing is written.

    Args:
        clips: All clips.
        folds: Of the split by actor.
        classifiers: Which ones.
        class_names: K names in label order.
        seed: Of the random forest and the first draw.
        draws: How many random splits.
        balanced: Weigh clips so that all classes weigh the same.
        progress: Gets the name of each step.

    Raises:
        UserError: When a class has no training clip.
    """
    task = Classification(tuple(class_names))
    results = []
    for classifier in classifiers:
        accuracies = []
        for draw in range(draws + 1):
            title = f"random split {draw} of {draws}" if draw else "split by actor"
            progress(f"{classifier}, {title}")
            logits, labels = [], []
            for fold in shuffle_clips(folds, seed + draw) if draw else folds:
                train, val, test = (
                    LabelledFeatures(clips.features[rows], clips.labels[rows])
                    for rows in (fold.train, fold.val, fold.test)
                )
                model = select_model(
                    classifier, train, val, class_names=class_names, seed=seed, balanced=balanced
                )
                logits.append(model.predict(test.features))
                labels.append(test.labels)
            scores = task.evaluate(np.concatenate(labels), np.concatenate(logits))
            accuracies.append(scores["accuracy"])
        results.append(
            LeakageResult(
                classifier=classifier,
                num_clips=sum(len(fold.test) for fold in folds),
                by_actor=accuracies[0],
                at_random=accuracies[1:],
            )
        )
    return results


def features_of_folds(
    folds: Sequence[ClipDataModule], cache: FeatureCache
) -> tuple[LabelledFeatures, list[Fold]]:
    """Return the features of all clips of any fold, and the rows of each fold's subsets in them."""
    rows: dict[str, int] = {}
    features, labels, folds_rows = [], [], []
    for data in folds:
        subsets = []
        for stage, stage_subsets in STAGE_SUBSETS.items():
            data.setup(stage)
            for subset in stage_subsets:
                clips = data.subsets[subset]
                found = labelled_features(data, cache, clips)
                for clip, row, label in zip(clips, found.features, found.labels, strict=True):
                    if clip.address not in rows:
                        rows[clip.address] = len(rows)
                        features.append(row)
                        labels.append(label)
                subsets.append(np.array([rows[clip.address] for clip in clips]))
        folds_rows.append(Fold(*subsets))
    return LabelledFeatures(np.stack(features), np.array(labels, np.int64)), folds_rows


def shuffle_clips(folds: Sequence[Fold], seed: int) -> list[Fold]:
    """Return the folds after each clip took the place of another, the same one in all folds.

    So the test subsets of a cross-validation still hold every clip once.

    >>> folds = [Fold(*map(np.array, subsets)) for subsets in ([[0, 1], [2], [3]], [[3, 2], [0], [1]])]
    >>> [np.sort(np.r_[fold.train, fold.val, fold.test]).tolist() for fold in shuffle_clips(folds, seed=1)]
    [[0, 1, 2, 3], [0, 1, 2, 3]]
    """
    used = np.unique(
        np.concatenate([subset for fold in folds for subset in (fold.train, fold.val, fold.test)])
    )
    shuffled = np.arange(used.max() + 1)
    shuffled[used] = np.random.default_rng(seed).permutation(used)
    return [Fold(shuffled[fold.train], shuffled[fold.val], shuffled[fold.test]) for fold in folds]


def print_leakage(results: Sequence[LeakageResult], features: str, console: Console) -> None:
    """Print the accuracies of both ways to split side by side, and which one to quote."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.title = f"accuracy on {results[0].num_clips} test clips"
    table.title_justify, table.title_style = "left", ""
    table.add_column(f"on {features}")
    table.add_column("split by actor", justify="right")
    table.add_column("random split", justify="right")
    table.add_column(f"in {len(results[0].at_random)} draws", justify="right")
    for result in results:
        table.add_row(
            result.classifier,
            f"{result.by_actor:.1%}",
            f"{mean(result.at_random):.1%}",
            f"{min(result.at_random):.1%} to {max(result.at_random):.1%}",
        )
    console.print(table)
    console.print(EXPLANATION)
    console.print("No run folder is written: such figures do not belong in a comparison.")
