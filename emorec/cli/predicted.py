"""Whether `emorec predict` is asked about videos or about the clips of a data set."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from emorec.cli.help import VIDEO_OPTIONS
from emorec.errors import UserError

SWITCHES = frozenset({"--annotate", "--calibrate", "--print_config", "--print-config"})
"""Options of either way that need no value."""

OF_VIDEOS = tuple(option.split()[0] for option, _ in VIDEO_OPTIONS[1:])
"""Options that a data set's clips do not have."""

EXPORTED = (".onnx", ".pt2")
"""What `emorec export` writes, which knows of no data set."""


def is_about_videos(words: Sequence[str]) -> bool:
    """Whether videos are named, a network that knows no data set, or (nearly) an option that only videos have.

    >>> is_about_videos(["--ckpt", "a.ckpt", "talk.mp4"]), is_about_videos(["--ckpt", "a.ckpt", "--data.root", "d"])
    (True, False)
    >>> is_about_videos(["--ckpt=best.ckpt", "--annotate", "0"]), is_about_videos(["--model", "x.onnx"])
    (True, True)
    >>> is_about_videos(["--anotate", "talk.mp4"]), is_about_videos(["--data.batch_size", "2"])
    (True, False)
    """
    named, options = words_apart(words, SWITCHES)
    if named:
        return True
    plain = [name for name, _ in options if "." not in name]
    if any(get_close_matches(name, OF_VIDEOS, cutoff=0.8) for name in plain):
        return True
    files = [value for name, value in options if name in ("--ckpt", "--model")]
    return any(Path(file).suffix.lower() in EXPORTED for file in files) or any(
        name == "--model" and value.lower().endswith(".ckpt") for name, value in options
    )


def words_apart(
    words: Sequence[str], switches: frozenset[str] = frozenset()
) -> tuple[list[str], list[tuple[str, str]]]:
    """What is given by position, and options with their values ("" for a switch without one).

    >>> words_apart(["a.mp4", "--out", "d", "b.mp4", "--annotate", "c.mp4"], frozenset({"--annotate"}))
    (['a.mp4', 'b.mp4', 'c.mp4'], [('--out', 'd'), ('--annotate', '')])
    """
    named: list[str] = []
    options: list[tuple[str, str]] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("--"):
            named.append(word)
            continue
        switch = name in switches and (not left or left[0].lower() not in ("true", "false"))
        if not equals and not switch and left and not left[0].startswith("--"):
            value = left.pop(0)
        options.append((name, value))
    return named, options


def predict_videos(words: Sequence[str]) -> None:
    """Predicts the videos that the words after `emorec predict` name.

    Raises:
        UserError: For a mistake of the user.
    """
    for word in words:
        if word.startswith(("--data.", "--trainer.", "--config")) or word == "-c":
            raise UserError(
                f"{word.partition('=')[0]} is about the clips of a data set: name either videos or --data.root"
            )
    from emorec.cli.commands.predict import predict
    from emorec.cli.function_parser import FunctionParser
    from emorec.cli.help import EXPERIMENTS

    FunctionParser("predict", EXPERIMENTS["predict"], predict).call(words)
