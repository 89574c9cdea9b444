"""The command `emorec`: the first word chooses what starts, and a user's mistake ends in one line."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from emorec import __version__
from emorec.cli.help import EXPERIMENTS, FUNCTIONS, PROGRAMS, overview, short_help
from emorec.cli.places import function_at
from emorec.cli.predicted import is_about_videos, predict_videos
from emorec.errors import UserError

USER_MISTAKE = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; ends the process with a code that is not 0 when something went wrong."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command, rest = (words[0], words[1:]) if words else ("--help", [])
    try:
        if command in ("-h", "--help", "help"):
            print(overview())
        elif command == "--version":
            print(f"emorec {__version__}")
        elif command in EXPERIMENTS and set(rest) & {"-h", "--help"}:
            print(short_help(command))
        elif command in EXPERIMENTS:
            run_experiment(command, rest)
        elif command in FUNCTIONS:
            from emorec.cli.function_parser import FunctionParser

            description, place = FUNCTIONS[command]
            FunctionParser(command, description, function_at(place)).call(rest)
        elif command in PROGRAMS:
            function_at(PROGRAMS[command][1])(rest)
        else:
            raise UserError(f"no command {command!r}{_near(command)}; emorec --help lists them")
    except UserError as error:
        fail(command, error)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_experiment(command: str, words: Sequence[str]) -> None:
    """Runs one of Lightning's commands, or predicts videos, which needs no Lightning.

    Raises:
        UserError: For a mistake of the user.
    """
    if command == "predict" and is_about_videos(words):
        predict_videos(words)
        return
    from emorec.cli.experiment import run  # late: it imports torch and Lightning

    run(command, words)


def fail(command: str, error: BaseException) -> NoReturn:
    """Says in one line what went wrong and ends the process."""
    print(f"emorec {command}: error: {one_line(error)}", file=sys.stderr)
    sys.exit(USER_MISTAKE)


def one_line(error: BaseException) -> str:
    r"""The message of an error, also when a loader process raised it and torch wrapped its traceback around.

    >>> one_line(UserError("no such folder: x"))
    'no such folder: x'
    >>> one_line(UserError("Caught E in DataLoader worker process 0.\nOriginal Traceback...\na.E: broken: x"))
    'broken: x'
    """
    message = str(error).strip()
    if "Original Traceback" in message:
        return message.splitlines()[-1].partition(": ")[2]
    return " ".join(message.split())


def _near(command: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(command, [*EXPERIMENTS, *FUNCTIONS, *PROGRAMS], n=1)
    return f", did you mean {near[0]!r}?" if near else ""
