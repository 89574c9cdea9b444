"""`emorec baseline`: simple classifiers on frozen features of an experiment's clips."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from emorec.baseline import Classifier, ClassifierChoice, FeatureKind
from emorec.console import make_console
from emorec.errors import UserError

if TYPE_CHECKING:
    from emorec.experiment import Experiment

DEFAULT_DATA = "emorec.data.RavdessDataModule"

TRAINING_SECTIONS = ("model", "trainer", "ckpt", "checkpoint", "early_stopping")
"""Sections of an experiment that a baseline ignores."""

DEFAULTS = {
    "features": "backbone",
    "classifier": "all",
    "backbone": "resnet18",
    "weights": "DEFAULT",
}
"""Options that the `config.yaml` of a run records -> their defaults."""

STREAMS: dict[FeatureKind, str] = {
    "backbone": "frames",
    "hog": "frames",
    "landmarks": "landmarks",
    "blendshapes": "landmarks",
    "sound": "sound_embedding",
    "compare": "sound_embedding",
    "egemaps": "sound_embedding",
}
"""Features -> the setting of the data that loads what they are computed from."""

FUNCTIONALS: tuple[FeatureKind, ...] = ("compare", "egemaps")
"""Features of openSMILE."""

LINKED_FLAGS = ("model.num_classes", "model.num_frames", "model.image_size")
"""Flags of the model that the experiment's parser refuses with a better message."""


def baseline(
    *experiment_flags: str,
    features: FeatureKind | None = None,
    classifier: ClassifierChoice | None = None,
    backbone: str | None = None,
    weights: str | None = None,
    folds: Literal["one", "all"] = "one",
    random_split: bool = False,
    draws: int = 5,
    out: str = "lightning_logs",
) -> None:
    """Measure simple classifiers on frozen features of frames, faces or sound.

    The validation actors select each classifier's hyper-parameters, the test actors are predicted once, and emorec
    compare reads the run folders. Options of an earlier run's config.yaml are defaults.

    Args:
        *experiment_flags: The data of an experiment, as for emorec fit: --config FILE, --data.root DIR,
            --data.split NAME, --seed_everything N.
        features: backbone (a frozen image network; the default) by mean, standard deviation and change over the frames;
            hog, by the first two; landmarks (with blendshapes), blendshapes or sound (embeddings, see
            --data.sound_embedding), by mean, standard deviation and maximum; compare or egemaps, openSMILE's
            functionals of the whole sound (pip install 'emorec[opensmile]'; its licence allows research and private
            use only).
        classifier: One classifier, or all (the default).
        backbone: The image network's torchvision name (resnet18).
        weights: Its weights: DEFAULT, none, or the path of a state dict or checkpoint, in which {fold} stands for the
            number of the fold: a checkpoint may not have seen the fold's other people.
        folds: The fold of --data.fold, or all folds of the split.
        random_split: Show the accuracy that a split over clips instead of actors would seem to reach, and why that
            is wrong; writes no run.
        draws: How many random splits are drawn.
        out: Where the run folders are made.

    Raises:
        UserError: When an option is wrong, a subset of the split has no clips, or a run can't be written.
    """
    _refuse_training_flags(experiment_flags)
    if draws < 1:
        raise UserError(f"--draws is {draws}: choose 1 or more")
    # late: torch and Lightning take seconds
    from emorec.baseline.evaluate import check_data
    from emorec.callbacks.held_out import check_weights
    from emorec.experiment import parse_experiment
    from emorec.io import check_writable
    from emorec.layers.pretrained import check_weights_exist

    experiment = parse_experiment(
        _with_default_data(experiment_flags), ignored=(*TRAINING_SECTIONS, *DEFAULTS)
    )
    flags = {
        "features": features,
        "classifier": classifier,
        "backbone": backbone,
        "weights": weights,
    }
    options: dict[str, Any] = {
        name: flags[name] or experiment.config.get(name) or default
        for name, default in DEFAULTS.items()
    }
    _check_choice("features", options["features"], get_args(FeatureKind))
    _check_choice("classifier", options["classifier"], get_args(ClassifierChoice))
    modules, configs = _make_folds(experiment, folds, options)
    for data, config in zip(modules, configs, strict=True):
        check_data(data)
        if options["features"] == "backbone":
            check_weights_exist(_weights(config))
            check_weights(_weights(config), data)
    folder = Path(out).expanduser()
    if not random_split:
        check_writable(folder / "run", "--out")
    try:
        _measure(modules, configs, random_splits=draws if random_split else 0, out=folder)
    except KeyboardInterrupt:
        print(
            "stopped; frames and features computed so far are kept: the same command continues",
            file=sys.stderr,
        )
        raise


def _measure(
    modules: Sequence[Any], configs: Sequence[dict[str, Any]], *, random_splits: int, out: Path
) -> None:
    """Evaluate the classifiers on each fold, or on the split by actor and random splits, and print the scores."""
    from emorec.baseline.evaluate import describe_features, evaluate, print_results
    from emorec.baseline.feature_cache import FeatureCache
    from emorec.baseline.features import make_extractor
    from emorec.baseline.leakage_demo import compare_splits, features_of_folds, print_leakage
    from emorec.data.functionals import LICENCE

    first, options = modules[0], configs[0]
    seed, choice = options["seed_everything"], options["classifier"]
    classifiers = get_args(Classifier) if choice == "all" else (choice,)
    if random_splits and len({_weights(config) for config in configs}) > 1:
        raise UserError("--random_split takes one network: leave {fold} out of --weights")

    def new_cache(weights: str) -> FeatureCache:
        extractor = make_extractor(
            options["features"], first, backbone=options["backbone"], weights=weights, seed=seed
        )
        return FeatureCache(extractor)

    weights = _weights(options)
    cache = new_cache(weights)
    described = describe_features(first, cache.extractor)
    if options["features"] in FUNCTIONALS:
        print(LICENCE, file=sys.stderr)
    first.prepare_data()
    first.find().warn_missing_actors("test")  # once, not for every fold
    console = make_console()
    status = make_console(stderr=True).status("", spinner="line")

    def show(step: str) -> None:
        status.update(step)
        # hidden while features are computed, which shows a progress bar
        status.start() if step else status.stop()

    try:
        if random_splits:
            leakage = compare_splits(
                *features_of_folds(modules, cache),
                classifiers,
                class_names=first.class_names,
                seed=seed,
                draws=random_splits,
                balanced=first.balance != "none",
                progress=show,
            )
            show("")
            print_leakage(leakage, described, console)
            return
        results = []
        for data, config in zip(modules, configs, strict=True):
            if _weights(config) != weights:
                weights = _weights(config)
                # one network in memory at a time; Lightning's modules refer to themselves
                del cache
                gc.collect()
                cache = new_cache(weights)
            results += evaluate(data, config, classifiers, cache, seed=seed, out=out, progress=show)
        print_results(results, first.class_names, described, console)
    finally:
        show("")


def _weights(config: dict[str, Any]) -> str:
    """The weights of a fold; {fold} stands for its number."""
    weights: str = config["weights"]
    fold = config["data"]["init_args"].get("fold")
    if "{fold}" in weights and fold is None:
        raise UserError(f"--weights is {weights}, and the split has no folds: name one file")
    return weights.replace("{fold}", str(fold))


def _refuse_training_flags(arguments: Sequence[str]) -> None:
    """Refuse a flag that a training would obey and a baseline would ignore."""
    for argument in arguments:
        flag = argument.partition("=")[0]
        section = flag.removeprefix("--").partition(".")[0]
        if (
            flag.startswith("--")
            and section in TRAINING_SECTIONS
            and flag.removeprefix("--") not in LINKED_FLAGS
        ):
            instead = (
                "choose the features with --features, --backbone and --weights"
                if section == "model"
                else "leave it out"
            )
            raise UserError(
                f"{flag} is for a training, and a baseline trains no network: {instead}"
            )


def _with_default_data(arguments: Sequence[str]) -> list[str]:
    """Add a data set where the flags name none.

    >>> _with_default_data(["--data.root", "clips"])
    ['--data', 'emorec.data.RavdessDataModule', '--data.root', 'clips']
    """
    flags = {argument.partition("=")[0] for argument in arguments}
    default = [] if flags & {"--config", "-c", "--data"} else ["--data", DEFAULT_DATA]
    return [*default, *arguments]


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UserError(f"{name} is {value}: choose among {', '.join(choices)}")


def _make_folds(
    experiment: "Experiment", folds: str, options: dict[str, Any]
) -> tuple[list[Any], list[dict[str, Any]]]:
    """The data module of each fold, and the settings that repeat it, without the classifier."""
    from emorec.data.sets.iemocap.split import FOLDS
    from emorec.data.split import TEST_FOLDS

    settings = experiment.config.data.init_args
    _load_stream(settings, options["features"])
    numbers = [settings.get("fold")]
    if folds == "all":
        num_folds = {name: len(each) for name, each in TEST_FOLDS.items()} | FOLDS
        number = settings.get("num_folds") or num_folds.get(settings.get("split"))
        if not number:
            raise UserError(
                f"split {settings.get('split')} has no folds: choose one of {', '.join(num_folds)} with --data.split, "
                "or leave out --folds all"
            )
        if numbers != [None]:
            raise UserError(f"--folds all contradicts data.fold {numbers[0]}: give one of them")
        numbers = list(range(1, number + 1))
    modules, configs = [], []
    for fold in numbers:
        if "fold" in settings:
            settings.fold = fold
        modules.append(experiment.instantiate_data())
        configs.append(
            {
                **options,
                "seed_everything": experiment.config.seed_everything,
                "data": experiment.to_dict()["data"],
            }
        )
    return modules, configs


def _load_stream(settings: Any, features: FeatureKind) -> None:
    """Set the data to load the stream of the features alone, so that no other one is decoded."""
    for name in ("frames", "landmarks", "sound"):
        settings[name] = name == STREAMS[features]
    if features in FUNCTIONALS:
        settings.sound_embedding, settings.embedding_layer = features, None
    elif features != "sound":
        settings.sound_embedding, settings.embedding_layer = "none", None
    elif settings.sound_embedding in ("none", *FUNCTIONALS):
        settings.sound_embedding = "both"
