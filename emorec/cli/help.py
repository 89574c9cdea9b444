"""The help people read: short, and written without importing torch. A test holds it against the real options."""

from collections.abc import Sequence

EXPERIMENTS = {
    "fit": "Train a network, or go on with a stopped run.",
    "validate": "Measure a trained network on its validation actors.",
    "test": "Measure a trained network on its test actors.",
    "predict": "Tell the emotions in videos, or of every clip of a data set.",
}
"""Commands of Lightning's trainer, one line each."""

FUNCTIONS = {
    "prepare": (
        "Download RAVDESS, check it, and make it ready for training.",
        "emorec.commands.prepare:prepare",
    ),
    "synth": ("Draw a small RAVDESS-shaped data set.", "emorec.commands.synth:synth"),
    "cache": (
        "List the decoded frames that are kept, or remove them.",
        "emorec.commands.cache:cache",
    ),
    "features": (
        "Compute the features of Aff-Wild2's frames, once for all runs.",
        "emorec.commands.features:features",
    ),
    "app": (
        "Open a page on this machine to try a network on videos.",
        "emorec.cli.commands.app:app",
    ),
    "card": (
        "Write a network's model card: data, figures, limits, refused uses.",
        "emorec.commands.card:card",
    ),
    "export": (
        "Write a trained network as ONNX or for torch.export.",
        "emorec.cli.commands.export:export",
    ),
    "doctor": (
        "Show versions, GPUs, disk and data; warn of known trouble.",
        "emorec.commands.doctor:doctor",
    ),
}
"""Plain commands: one line, and the function that does it, whose arguments are the options."""

PROGRAMS = {
    "baseline": (
        "Measure simple classifiers on frozen features.",
        "emorec.commands.baseline:baseline",
    ),
    "study": (
        "Run a grid of experiments, or a search among settings.",
        "emorec.commands.study:study",
    ),
    "compare": (
        "Compare tested runs: intervals, pairs, and a report.",
        "emorec.commands.compare:compare",
    ),
    "explain": (
        "Show where and when a trained network looked.",
        "emorec.commands.explain:explain",
    ),
    "bench": ("Measure where the time of a training goes.", "emorec.commands.bench:bench"),
}
"""Commands that read what stands after their name by themselves: one line, and the function that gets these words."""

USAGE = {
    "fit": (
        "emorec fit --config FILE --data.root DIR [options]",
        "emorec fit --ckpt lightning_logs/.../last.ckpt",
    ),
    "validate": ("emorec validate --ckpt FILE [options]",),
    "test": ("emorec test --ckpt FILE [options]",),
    "predict": (
        "emorec predict --ckpt FILE VIDEO|FOLDER|PATTERN|CAMERA ... [options]",
        "emorec predict --ckpt FILE --data.root DIR [options]",
    ),
}

RUN_OPTIONS = (
    (
        "--ckpt FILE",
        "a checkpoint, which knows its network, data and transforms",
    ),
    ("--data.root DIR", "where the data lies now"),
    ("--data.batch_size N", "clips a step and process"),
    ("--data.num_workers N", "loader processes"),
    ("--data.on_error skip", "leave broken clips out instead of stopping"),
    ("--trainer.accelerator KIND", "cpu, gpu or auto"),
    ("--trainer.devices N", "how many of them"),
    ("--trainer.precision KIND", "32-true, bf16-mixed or 16-mixed"),
    ("--drop SENSE", "without the video or the audio, of a network that takes both"),
    ("--views N", "average over N views of each clip, up to ten crops and mirrors"),
    ("--calibrate", "calibrated probabilities too; validate fits what is missing for it"),
)
"""What the commands take that need a checkpoint."""

VIDEO_OPTIONS = (
    ("--ckpt FILE, --model FILE", "a checkpoint, or what emorec export made of one: .onnx, .pt2"),
    ("--out DIR", "a folder for each video in it (predictions)"),
    ("--annotate", "the video with what was said drawn on it, too"),
    ("--window_seconds S", "how long a window is; as long as the clips of the training"),
    ("--hop_seconds S", "from one window to the next; half a window"),
    ("--abstain_below P", 'windows with less confidence are called "uncertain"'),
    ("--face WHAT", "as_trained; or against that crop or none"),
    ("--face_detector WHICH", "auto, yunet, haar or a file of YuNet"),
    ("--batch_size N", "windows that go through the network together (16)"),
    ("--device D", "cuda, cpu, ...; the fastest there is"),
    ("--seconds S", "how long to film with a camera, which is named by its number, 0 the first"),
)
"""What `emorec predict` takes where videos are named."""

WITHOUT_ACTORS = (
    "--data.allow_missing_actors true",
    "go on without actors that are not there",
)

MEASURING_OPTIONS = (*RUN_OPTIONS, WITHOUT_ACTORS)

FIT_OPTIONS = (
    (
        "-c, --config FILE",
        "an experiment, such as configs/cnn_lstm.yaml; flags win over it",
    ),
    ("--ckpt FILE", "go on from here, in the same run folder"),
    ("--data CLASS", "another data set, such as emorec.data.CSVDataModule"),
    ("--data.root DIR", "where RAVDESS was unzipped; of a CSVDataModule the CSV file"),
    ("--data.split NAME", "seed, msaf6, luna5, emobox6 or loso; with folds also --data.fold N"),
    WITHOUT_ACTORS,
    ("--data.modality KIND", "av, video or both"),
    ("--data.num_frames N", "frames a clip: 6, 10, 16 or any other number"),
    ("--data.image_size N", "pixels a side: 224, 112, ..., or height and width: [60, 100]"),
    ("--data.augment KIND", "false, true, per_frame or seed_affwild2"),
    ("--data.face crop", "cut out the face"),
    ("--data.sound true", "the sound of the clips too, for a network that hears"),
    ("--data.cache WHERE", "keep decoded frames: auto, none or a folder"),
    ("--data.balance KIND", "none, weights or sampler"),
    ("--data.batch_size N", "clips a step and process"),
    ("--data.num_workers N", "loader processes"),
    ("--data.on_error skip", "leave broken clips out instead of stopping"),
    ("--model CLASS", "another network, such as emorec.models.CNN3D"),
    ("--model.weights WHICH", "DEFAULT, none or a file"),
    ("--model.freeze WHAT", "none, stages or all of the backbone"),
    ("--model.lr X", "learning rate"),
    ("--model.compile true", "torch.compile the network"),
    ("--trainer.max_epochs N", "at most so many epochs"),
    ("--trainer.devices N", "GPUs on this machine; with --trainer.num_nodes over several"),
    ("--trainer.precision KIND", "32-true, bf16-mixed or 16-mixed"),
    (
        "--early_stopping.patience N",
        "stop after so many epochs without a better val/uar or val/ccc",
    ),
    ("--seed_everything N", "the run's seed"),
    ("--print_config", "print the whole configuration and stop"),
)

OPTIONS = {
    "fit": FIT_OPTIONS,
    "validate": MEASURING_OPTIONS,
    "test": MEASURING_OPTIONS,
    "predict": RUN_OPTIONS,
}


def overview() -> str:
    """What `emorec --help` prints.

    >>> overview().splitlines()[0]
    'usage: emorec COMMAND ...'
    """
    others = {name: line for name, (line, _) in (FUNCTIONS | PROGRAMS).items()}
    commands = EXPERIMENTS | others
    return "\n".join(
        [
            "usage: emorec COMMAND ...",
            "",
            "Train, test and compare networks that recognise emotions in video.",
            "",
            *(f"  {name:<10} {line}" for name, line in commands.items()),
            "",
            "emorec COMMAND --help tells more; emorec --version tells the version.",
        ]
    )


def usage(command: str) -> str:
    """How a command is called, a line a way.

    >>> usage("test")
    'emorec test --ckpt FILE [options]'
    """
    return "\n       ".join(USAGE[command])


def short_help(command: str) -> str:
    """What `emorec fit --help` prints.

    >>> short_help("test").splitlines()[0]
    'usage: emorec test --ckpt FILE [options]'
    """
    if command == "predict":
        return _predict_help()
    options = OPTIONS[command]
    return "\n".join(
        [
            f"usage: {usage(command)}",
            "",
            EXPERIMENTS[command],
            "",
            *_lines(options),
            "",
            f"emorec {command} --help-all lists every option, "
            "--model.help CLASS and --data.help CLASS those of a class.",
        ]
    )


def _predict_help() -> str:
    """That of the one command that works in two ways."""
    return "\n".join(
        [
            f"usage: {usage('predict')}",
            "",
            f"{EXPERIMENTS['predict']} Options with videos:",
            "",
            *_lines(VIDEO_OPTIONS),
            "",
            "Options with the clips of a data set:",
            "",
            *_lines(RUN_OPTIONS),
            "",
            "emorec predict --help-all lists every option of the latter.",
        ]
    )


def _lines(options: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(option) for option, _ in options) + 2
    return [f"  {option:<{width}}{meaning}" for option, meaning in options]
