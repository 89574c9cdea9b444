"""Classifiers measured on actors whom they have never seen, each fold by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emorec.baseline.asked import Asked
from emorec.baseline.choice import choose, shown
from emorec.baseline.classifiers import Classifier
from emorec.baseline.feature_store import FeatureStore
from emorec.baseline.fold import learnable, testable
from emorec.baseline.runs import write_run
from emorec.data.datamodule import ClipDataModule
from emorec.evaluation.metrics import summarize
from emorec.evaluation.predictions import Predictions


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What came of a classifier in one fold.

    Attributes:
        classifier: Which.
        setting: What was chosen, in words.
        predictions: Of the fold's test clips.
        uar: Theirs.
        seconds: Time spent on learning and choosing.
        folder: The run folder.
    """

    classifier: Classifier
    setting: str
    predictions: Predictions
    uar: float
    seconds: float
    folder: Path


def measure(asked: Asked, store: FeatureStore, say: Callable[[str], None]) -> list[Measured]:
    """Measures every classifier in every fold and writes a run folder for each.

    Args:
        asked: What to measure.
        store: Gives the features.
        say: Is told what is done now; nothing, when others speak.

    Raises:
        UserError: For a mistake of the user.
    """
    return [
        measured
        for data, config in zip(asked.data, asked.config, strict=True)
        for measured in _measure_fold(asked, store, say, data, config)
    ]


def _measure_fold(
    asked: Asked,
    store: FeatureStore,
    say: Callable[[str], None],
    data: ClipDataModule,
    config: dict[str, object],
) -> list[Measured]:
    say("")
    known = learnable(data, store)
    fold = f", fold {data.split.fold}" if data.split.fold is not None else ""
    chosen = {}
    for classifier in asked.classifiers:
        say(f"{classifier} learns from {len(known.train.labels)} clips{fold}")
        chosen[classifier] = choose(
            classifier,
            known.train,
            known.val,
            class_names=data.class_names,
            seed=asked.seed,
            balanced=data.balance != "none",
        )
    say("")
    tested, clips = testable(data, store)  # not before everything is chosen
    measured = []
    for classifier, choice in chosen.items():
        predictions = choice.predictions(tested)
        summary = summarize(predictions)
        folder = write_run(
            asked.out,
            classifier=classifier,
            chosen=choice,
            extractor=store.extractor,
            predictions=predictions,
            summary=summary,
            clips=clips,
            class_names=data.class_names,
            split=data.split_record(),
            config=config,
        )
        measured.append(
            Measured(
                classifier=classifier,
                setting=shown(choice.setting),
                predictions=predictions,
                uar=summary.uar,
                seconds=choice.seconds,
                folder=folder,
            )
        )
    return measured
