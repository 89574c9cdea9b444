"""Classifiers evaluated on held-out actors, fold by fold, each in a run folder like that of a tested network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import stdev
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from emorec.baseline import Classifier
from emorec.baseline.feature_cache import FeatureCache
from emorec.baseline.features import FeatureExtractor, Floats
from emorec.baseline.model_selection import (
    LabelledFeatures,
    Logits,
    SelectedModel,
    count_parameters,
    format_params,
    select_model,
)
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.errors import UserError
from emorec.evaluation.report import RunInfo, new_run_folder, write_report
from emorec.evaluation.task import Classification
from emorec.io import atomic_write, disk_errors, write_json
from emorec.models.adaptation import clip_statistics, describe, same_person

RECORD = "baseline.json"
"""Beside `config.yaml`: the selected hyper-parameters, and the candidates."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FoldResult:
    """A classifier's test in one fold.

    Attributes:
        classifier: Which one.
        model: Fitted to the training clips.
        labels: (N,) classes of the fold's test clips.
        logits: (N, K) predictions of them.
        run_folder: Where they were written.
    """

    classifier: Classifier
    model: SelectedModel
    labels: npt.NDArray[np.int64]
    logits: Logits
    run_folder: Path


def check_data(data: ClipDataModule) -> None:
    """Refuse data on which no classifier can be trained, selected and tested.

    Raises:
        UserError: When the labels are numbers, the split has no validation actors, or clips of a subset are missing.
    """
    if data.target_names:
        raise UserError(
            f"the labels are numbers ({', '.join(data.target_names)}), and emorec baseline predicts classes: choose "
            "expressions with --data.task expr, or train a network (configs/affwild2_va.yaml)"
        )
    index = data.find()
    if not index.split.val:
        raise UserError(
            f"split {index.split.name} has no validation actors to select hyper-parameters on: "
            "choose another --data.split"
        )
    for stage in ("fit", "test"):
        index.needed(stage, allow_missing_actors=data.allow_missing_actors)


def labelled_features(
    data: ClipDataModule, cache: FeatureCache, clips: Sequence[Clip]
) -> LabelledFeatures:
    """Return features and labels of clips, with `data.adapt person` adapted to each person.

    Args:
        data: Set up for a stage that includes the clips.
        cache: Gives the features.
        clips: Of one subset.
    """
    labels = np.array([clip.label for clip in clips], np.int64)
    features = cache.features(data, clips)
    if data.adapt == "person":
        features = adapt_to_person(features, [clip.actor for clip in clips])
    return LabelledFeatures(features, labels)


def adapt_to_person(features: Floats, people: Sequence[int | str]) -> Floats:
    """Return features (N, D), centred and scaled by those of all clips of the same person; rows of NaN stay.

    Args:
        features: (N, D).
        people: (N,) the person of each clip.

    >>> adapt_to_person(np.array([[1], [3], [50]], np.float32), ["a", "a", "b"]).ravel()
    array([-1.,  1.,  0.], dtype=float32)
    """
    rows = torch.from_numpy(features).unsqueeze(1)  # (N, 1, D)
    known = ~rows.isnan().any(dim=2).squeeze(1)  # (N,)
    statistics = clip_statistics(lambda _: (rows, known), [{}], same_person(people))
    adapted: Floats = statistics.adapt(rows, torch.arange(len(rows))).squeeze(1).numpy()
    return adapted


def describe_features(data: ClipDataModule, extractor: FeatureExtractor) -> str:
    """Return the name of the features, marked like the models of `emorec compare` when they are adapted."""
    return extractor.name + (" [adapted]" if data.adapt == "person" else "")


def evaluate(
    data: ClipDataModule,
    config: Mapping[str, Any],
    classifiers: Sequence[Classifier],
    cache: FeatureCache,
    *,
    seed: int,
    out: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> list[FoldResult]:
    """Train, select and test classifiers in one fold and write a run folder for each.

    Args:
        data: Of the fold.
        config: The settings that repeat the run, without the classifier.
        classifiers: Which ones.
        cache: Gives the features.
        seed: Of the random forest.
        out: The run folders' parent.
        progress: Gets the name of each step; empty while a progress bar is shown.

    Raises:
        UserError: When a class has no training clip, or a folder can't be written.
    """
    data.setup("fit")
    progress("")
    train, val = (
        labelled_features(data, cache, data.subsets[subset]) for subset in ("train", "val")
    )
    fold = f", fold {data.split.fold}" if data.split.fold is not None else ""
    models = {}
    for classifier in classifiers:
        progress(f"fitting {classifier} to {len(train.labels)} clips{fold}")
        models[classifier] = select_model(
            classifier,
            train,
            val,
            class_names=data.class_names,
            seed=seed,
            balanced=data.balance != "none",
        )
    progress("")
    data.setup("test")  # test clips are not opened before every model is selected
    test = labelled_features(data, cache, data.subsets["test"])
    adapted = "-adapted" if data.adapt == "person" else ""
    results = []
    for classifier, model in models.items():
        logits = model.predict(test.features)
        result = FoldResult(
            classifier=classifier,
            model=model,
            labels=test.labels,
            logits=logits,
            run_folder=new_run_folder(
                out, f"Baseline-{classifier}-{cache.extractor.name}{adapted}"
            ),
        )
        write_run(result, data, cache.extractor, config)
        results.append(result)
    return results


def write_run(
    result: FoldResult,
    data: ClipDataModule,
    extractor: FeatureExtractor,
    config: Mapping[str, Any],
) -> None:
    """Write predictions, metrics and settings into the run folder of a result.

    Args:
        result: Of one classifier.
        data: Of the fold, set up for the test.
        extractor: Of the features.
        config: The settings that repeat the run, without the classifier.

    Raises:
        UserError: When it can't be written.
    """
    model, folder = result.model, result.run_folder
    record = {
        "setting": model.params,
        "tried": [{"setting": each.params, "uar": each.uar} for each in model.candidates],
        "temperature": model.temperature,
        "features": extractor.version,
        "train_seconds": model.fit_seconds,
    }
    clips = data.subsets["test"]
    with disk_errors(folder):
        with atomic_write(folder / "config.yaml") as file:
            settings = {**config, "classifier": result.classifier}
            file.write(yaml.safe_dump(settings, sort_keys=False).encode())
        write_json(record, folder / RECORD)
        write_report(
            folder / "test",
            Classification(tuple(data.class_names)),
            result.labels,
            result.logits,
            RunInfo(
                split=data.split_record(),
                model=f"{result.classifier} on {extractor.name}",
                num_parameters=extractor.num_parameters + count_parameters(model.pipeline),
                gflops_per_clip=extractor.gflops_per_clip,
                checkpoint="",
                train_seconds=model.fit_seconds,
                epochs=0,
                adapted=describe(None) if data.adapt == "person" else None,
            ),
            paths=[clip.address for clip in clips],
            actors=[str(clip.actor) for clip in clips],
        )


def print_results(
    results: Sequence[FoldResult], class_names: Sequence[str], features: str, console: Console
) -> None:
    """Print a row for each classifier, all folds pooled, and the run folders."""
    task = Classification(tuple(class_names))
    by_classifier: dict[Classifier, list[FoldResult]] = {}
    for result in results:
        by_classifier.setdefault(result.classifier, []).append(result)
    folded = len(results) > len(by_classifier)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(f"on {features}")
    for column in ("UAR", *(["s.d. of folds"] if folded else []), "accuracy", "macro-F1", "clips"):
        table.add_column(column, justify="right")
    table.add_column("s", justify="right")
    table.add_column("folds" if folded else "selected", justify="right" if folded else "left")
    for classifier, folds in by_classifier.items():
        labels = np.concatenate([fold.labels for fold in folds])
        scores = task.evaluate(labels, np.concatenate([fold.logits for fold in folds]))
        uars = [task.evaluate(fold.labels, fold.logits)["uar"] for fold in folds]
        table.add_row(
            classifier,
            f"{scores['uar']:.1%}",
            *([f"{stdev(uars):.1%}"] if folded else []),
            f"{scores['accuracy']:.1%}",
            f"{scores['macro_f1']:.1%}",
            str(len(labels)),
            f"{sum(fold.model.fit_seconds for fold in folds):.0f}",
            str(len(folds)) if folded else format_params(folds[0].model.params),
        )
    console.print(table)
    for folds in by_classifier.values():
        last = f" to {folds[-1].run_folder.name}" if folded else ""
        console.print(f"written to {folds[0].run_folder}{last}", soft_wrap=True)
