"""The command `emorec`."""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any

from typing_extensions import override

from emorec import __version__
from emorec.errors import UserError
from emorec.text import did_you_mean

EXPERIMENTS = {
    "fit": "Train a network, or go on with a stopped run.",
    "validate": "Measure a trained network on its validation actors.",
    "test": "Measure a trained network on its test actors.",
    "predict": "Predict the emotions in videos, or in every clip of a data set.",
}
"""Command that LightningCLI parses -> what it does."""

COMMANDS = {
    "prepare": "Download RAVDESS, check it, and make it ready for training.",
    "synth": "Draw a small RAVDESS-shaped data set.",
    "cache": "List the decoded frames that are kept, or remove them.",
    "features": "Compute the features of Aff-Wild2's frames, once for all runs.",
    "app": "Open a page on this machine to try a network on videos.",
    "card": "Write a network's model card: data, figures, limits, refused uses.",
    "push": "Upload a network to the Hugging Face Hub, for hf://USER/NAME.",
    "export": "Write a trained network as ONNX or for torch.export.",
    "doctor": "Show versions, GPUs, disk and data; warn of known trouble.",
    "completion": "Print the completion script of bash, zsh or fish.",
    "models": "List the networks that come with emorec, and those trained here.",
    "configs": "List the experiments and studies that come with emorec.",
    "baseline": "Measure simple classifiers on frozen features.",
    "study": "Run a grid of experiments, or a search among settings.",
    "ensemble": "Average what several tested runs predict.",
    "compare": "Compare tested runs: intervals, pairs, and a report.",
    "explain": "Show where and when a trained network looked.",
    "bench": "Measure where the time of a training goes.",
}
"""Function `emorec.cli.commands.NAME.NAME` -> what it does."""

HELP = {"-h", "--help"}

USER_ERROR = 2
INTERRUPTED = 130

DATA_SET_FLAGS = {
    *("--ckpt", "-c", "--config", "--model", "--data", "--trainer", "--views", "--drop"),
    *(
        "--enrol",
        "--enrol_classes",
        "--seed_everything",
        "--calibrate",
        "--print_config",
        "--help-all",
    ),
}
"""Flags of `emorec predict` with the clips of a data set, beside those with a dot (`--data.root`)."""

EXPORTED = (".onnx", ".pt2")
"""File names of exported networks, lower case."""

WITHOUT_VALUE = {"--calibrate", "--print_config", "--help-all"}

IGNORED_WARNINGS = (
    ".*LeafSpec.*is deprecated",
    ".*does not have many workers",
    "Total length of `list` across ranks is zero",  # split "all" has no validation data
    "The number of training batches .* is smaller than",
    "Checkpoint directory .* exists and is not empty",  # a resumed run continues in its own folder
    "Experiment logs directory .* exists and is not empty",  # the CSVLogger of a run, whose folder it is
    "Found .* module.* in eval mode at the start of training",  # a frozen backbone is, on purpose
    "Be aware that when using `ckpt_path`, callbacks",  # of the training, which a test does not need
    "Using `DistributedSampler` with the dataloaders",  # metrics count every clip once regardless
)
"""Lightning's advice that does not apply."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; end the process with a non-zero code when something went wrong."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command, *rest = arguments or ["--help"]
    try:
        configure_output()
        run(command, rest)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        from emorec.cli.errors import user_message

        message = user_message(error)
        if message is None:
            raise
        print(f"emorec {command}: error: {message}", file=sys.stderr)
        sys.exit(USER_ERROR)


def run(command: str, arguments: Sequence[str]) -> None:
    """Run one command.

    Raises:
        UserError: When there is no such command, and for any other mistake of the user.
    """
    arguments = name_dashed_files(arguments)
    if command in ("-h", "--help", "help"):
        print(overview())
    elif command == "--version":
        from emorec.commit import source_commit

        commit = source_commit()
        print(f"emorec {__version__}{f' ({commit})' if commit else ''}")
    elif command == "predict" and not predicts_data(arguments):
        refuse_data_set_flags(arguments)
        call(command, arguments)
    elif command in EXPERIMENTS and HELP & set(arguments):
        from emorec.cli.help import experiment_help

        print(experiment_help(command, EXPERIMENTS[command]))
    elif command in EXPERIMENTS:
        from emorec.cli.experiment import run_experiment  # late: it imports torch and Lightning

        run_experiment(command, arguments)
    elif command in COMMANDS:
        call(command, arguments)
    else:
        near = did_you_mean(command, [*EXPERIMENTS, *COMMANDS])
        raise UserError(f"no command {command!r}{near}; emorec --help lists them")


def name_dashed_files(arguments: Sequence[str]) -> list[str]:
    """Put `./` before files that begin with a dash, as in the `*` of a shell, and before all that follow `--`.

    >>> name_dashed_files(["--ckpt", "a.ckpt", "--", "-b.mp4", "c.mp4"])
    ['--ckpt', 'a.ckpt', './-b.mp4', 'c.mp4']
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    flags, rest = arguments[:end], arguments[end + 1 :]
    own = ("-h", "-c")
    named = [each.startswith("-") and each not in own and os.path.lexists(each) for each in flags]
    named += [each.startswith("-") for each in rest]
    return [
        f"./{each}" if dashed else each for each, dashed in zip([*flags, *rest], named, strict=True)
    ]


def call(command: str, arguments: Sequence[str]) -> None:
    """Call the function of a command.

    Raises:
        UserError: For any mistake of the user.
    """
    from emorec.cli.functions import FunctionParser

    function: Callable[..., Any] = getattr(import_module(f"emorec.cli.commands.{command}"), command)
    more_help = ""
    if command == "predict" and HELP & set(arguments):
        from emorec.cli.help import PREDICT_DATA_HELP

        more_help = PREDICT_DATA_HELP
    FunctionParser(command, function, more_help).call(arguments)


def predicts_data(arguments: Sequence[str]) -> bool:
    """Whether `emorec predict` is to predict the clips of a data set; else videos or a camera.

    >>> predicts_data(["--ckpt", "a.ckpt", "talk.mp4"]), predicts_data(["--ckpt", "a.ckpt", "--data.root", "d"])
    (False, True)
    >>> predicts_data(["--ckpt=a.ckpt", "--enrol", "8"]), predicts_data(["a.mp4", "--ckpt=a.ckpt", "--enrol", "b.mp4"])
    (True, False)
    >>> predicts_data(["--model", "a.onnx"]), predicts_data(["--model", "emorec.models.CNN3D", "--ckpt", "a.ckpt"])
    (False, True)
    """
    if not arguments or any(each.lower().endswith(EXPORTED) for each in arguments):
        return False  # an exported network knows no data set
    flags = [each.partition("=") for each in arguments if each.startswith("-")]
    if any(name not in DATA_SET_FLAGS and "." not in name for name, _, _ in flags):
        return False
    with_value = [name for name, equals, _ in flags if not equals and name not in WITHOUT_VALUE]
    return len(arguments) - len(flags) <= len(with_value)


def refuse_data_set_flags(arguments: Sequence[str]) -> None:
    """Refuse flags of a data set beside videos.

    Raises:
        UserError: For the first of them.
    """
    for argument in arguments:
        flag = argument.partition("=")[0]
        if flag.startswith(("--data.", "--trainer.", "--config")) or flag == "-c":
            raise UserError(
                f"{flag} is about the clips of a data set: name either videos or --data.root"
            )


def overview() -> str:
    """Return what `emorec --help` prints.

    >>> overview().splitlines()[0]
    'usage: emorec COMMAND ...'
    """
    lines = [f"  {name:<10} {summary}" for name, summary in (EXPERIMENTS | COMMANDS).items()]
    return "\n".join(
        [
            "usage: emorec COMMAND ...",
            "",
            "Recognise emotions in video; train, test and compare networks that do.",
            "",
            *lines,
            "",
            "emorec COMMAND --help tells more; emorec --version tells the version.",
        ]
    )


def configure_output() -> None:
    """Print what emorec logs, warnings to stderr; leave out advice of Lightning that does not apply.

    Characters that the encoding of a stream lacks, as cp1252 of a Windows file, are printed as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    stderr = logging.StreamHandler()
    stderr.setLevel(logging.WARNING)
    logging.basicConfig(format="%(message)s", handlers=[stderr])
    own = logging.getLogger("emorec")
    own.setLevel(logging.INFO)
    if not own.handlers:
        own.addHandler(_PrintNews())
    for message in IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


class _PrintNews(logging.Handler):
    """Prints records below the level of a warning to stdout."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING:
            print(self.format(record))
