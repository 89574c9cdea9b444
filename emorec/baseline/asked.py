"""The words after `emorec baseline`: whose clips, which features, which classifiers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

from emorec.baseline.extractor import FeatureKind
from emorec.cli.experiment_parser import (
    FOLLOWERS,
    Parser,
    in_order,
    refuse_unreadable_config,
    refuse_without_effect,
)
from emorec.cli.mishaps import explained_while_made
from emorec.data import ClipDataModule
from emorec.data.sets.iemocap.split import FOLDS
from emorec.data.split import TEST_FOLDS
from emorec.errors import UserError

OF_A_TRAINING = ("model", "trainer", "ckpt", "checkpoint", "early_stopping")
"""Sections of an experiment that a baseline does not look at."""

NUM_FOLDS = {name: len(folds) for name, folds in TEST_FOLDS.items()} | FOLDS
"""Of every split that has folds, whatever its data set."""

DEFAULT_DATA = "emorec.data.RavdessDataModule"

ClassifierChoice = Literal["logistic", "linear_svm", "rbf_svm", "random_forest", "all"]

OWN_OPTIONS: dict[str, tuple[Any, Any, str]] = {
    "features": (FeatureKind, "backbone", "what a frame is described by"),
    "classifier": (ClassifierChoice, "all", "what learns from that"),
    "backbone": (str, "resnet18", "image network of --features backbone, by its torchvision name"),
    "weights": (str, "DEFAULT", "its weights: DEFAULT, none or the path of a state dict"),
    "folds": (Literal["one", "all"], "one", "that of --data.fold, or all of the split"),
    "draws": (int, 5, "how often --random_split draws anew"),
    "out": (str, "lightning_logs", "where the run folders are made"),
}
"""Name -> type, default and meaning of what a baseline takes beside an experiment."""

RECORDED = ("features", "classifier", "backbone", "weights", "seed_everything")
"""What the `config.yaml` of a run says beside its data."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What a baseline is to be made of.

    Attributes:
        data: The data module of each fold.
        features: What a frame is described by.
        classifiers: What learns from that.
        backbone: The image network.
        weights: Its weights.
        seed: The run's seed.
        draws: How often a random split is drawn.
        random_split: Compare with splits at random instead of writing runs.
        out: Where the run folders are made.
        config: What repeats a run of one classifier, by fold; `classifier` is to be set.
    """

    data: Sequence[ClipDataModule]
    features: FeatureKind
    classifiers: Sequence[Any]
    backbone: str
    weights: str
    seed: int
    draws: int
    random_split: bool
    out: Path
    config: Sequence[dict[str, Any]]


def make_parser() -> Parser:
    """The parser of an experiment's clips and of what a baseline adds."""
    parser = Parser(
        prog="emorec baseline",
        usage="emorec baseline --config FILE --data.root DIR [options]",
        description="Measure simple classifiers on frozen features.",
    )
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="an experiment")
    parser.add_argument("--seed_everything", type=int, default=0, help="the run's seed")
    for name, (kind, default, meaning) in OWN_OPTIONS.items():
        parser.add_argument(f"--{name}", type=kind, default=default, help=meaning)
    parser.add_argument(
        "--random_split",
        action="store_true",
        help="show what a split over clips instead of people would seem to reach",
    )
    for section in OF_A_TRAINING:
        parser.add_argument(
            f"--{section}", type=Any, default=None, help="of a training, not looked at"
        )
    parser.add_lightning_class_args(ClipDataModule, "data", subclass_mode=True)
    parser.link_arguments("seed_everything", "data.init_args.seed")
    return parser


def parse(words: Sequence[str]) -> Asked:
    """What the words ask for.

    Raises:
        UserError: When they make no sense.
    """
    refuse_training_options(words)
    refuse_without_effect(words)
    refuse_unreadable_config(words)
    parser = make_parser()
    asked = parser.parse_args(in_order(with_default_data(words)))
    if asked.draws < 1:
        raise UserError(f"draws is {asked.draws}: choose 1 or more")
    if asked.data is None:
        raise UserError("no data set: name one with --config FILE or with --data CLASS")
    settings = asked.data.get("init_args", {})
    for section in OF_A_TRAINING:  # or the network would be made, too
        asked[section] = None
    data, config = [], []
    for fold in _folds(settings) if asked.folds == "all" else [settings.get("fold")]:
        if "fold" in settings:
            settings.fold = fold
        try:
            data.append(parser.instantiate_classes(asked).data)
        except (ValueError, TypeError) as error:
            raise explained_while_made(error) from None
        config.append(_plain(parser, asked))
    every = [choice for choice in get_args(ClassifierChoice) if choice != "all"]
    return Asked(
        data=data,
        features=asked.features,
        classifiers=every if asked.classifier == "all" else [asked.classifier],
        backbone=asked.backbone,
        weights=asked.weights,
        seed=asked.seed_everything,
        draws=asked.draws,
        random_split=asked.random_split,
        out=Path(asked.out).expanduser(),
        config=config,
    )


def with_default_data(words: Sequence[str]) -> list[str]:
    """The words, and a data set where they name none.

    >>> with_default_data(["--data.root", "clips"])
    ['--data', 'emorec.data.RavdessDataModule', '--data.root', 'clips']
    """
    given = {word.partition("=")[0] for word in words}
    return list(words) if given & {"--config", "-c", "--data"} else ["--data", DEFAULT_DATA, *words]


def refuse_training_options(words: Sequence[str]) -> None:
    """Stops at an option that a training would obey and a baseline does not.

    Raises:
        UserError: For the first of them.
    """
    for word in words:
        option = word.partition("=")[0]
        section = option.removeprefix("--").partition(".")[0]
        if option.startswith("--") and section in OF_A_TRAINING:
            if option == "--model.num_classes" or option.removeprefix("--") in FOLLOWERS:
                continue
            instead = (
                "choose what gives the features with --features, --backbone and --weights"
                if section == "model"
                else "leave it out"
            )
            raise UserError(
                f"{option} is for a training, and a baseline trains no network: {instead}"
            )


def _folds(settings: Any) -> range:
    split, fold = settings.get("split"), settings.get("fold")
    number = settings.get("num_folds") or NUM_FOLDS.get(split)
    if not number:
        raise UserError(
            f"split {split} has no folds: choose one of {', '.join(NUM_FOLDS)} with --data.split, "
            "or leave out --folds all"
        )
    if fold is not None:
        raise UserError(f"--folds all is at odds with data.fold {fold}: give one of them")
    return range(1, number + 1)


def _plain(parser: Parser, asked: Any) -> dict[str, Any]:
    whole = yaml.safe_load(parser.dump(asked, skip_link_targets=True))
    return {name: whole[name] for name in (*RECORDED, "data")}
