"""`emorec completion`: completion of commands, options and names in a shell."""

import argparse
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Literal

Shell = Literal["bash", "zsh", "fish"]


def completion(shell: Shell, /) -> None:
    """Print a script that completes commands, options and names of emorec in a shell.

    The script starts no Python; write it again after an upgrade. docs/command_line.md says where it belongs.

    Args:
        shell: bash, zsh or fish.
    """
    import shtab

    script = shtab.complete(make_parser(), shell)
    # of several files shtab's script for zsh completes the first alone
    print(script.replace('"(*)::', '"*:') if shell == "zsh" else script)


def make_parser() -> argparse.ArgumentParser:
    """Return a plain parser of all commands with their options, from which shtab makes the script."""
    import shtab

    from emorec.cli import COMMANDS, EXPERIMENTS
    from emorec.cli.functions import FunctionParser
    from emorec.cli.help import CHECKPOINT_OPTIONS, FIT_HELP
    from emorec.pretrained import BUILT_IN
    from emorec.shipped import list_configs, list_studies

    parser = argparse.ArgumentParser("emorec", allow_abbrev=False)
    parser.add_argument("--version", action="store_true", help="print the version and the commit")
    commands = parser.add_subparsers()
    for name, summary in (EXPERIMENTS | COMMANDS).items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name in COMMANDS or name == "predict":
            function = getattr(import_module(f"emorec.cli.commands.{name}"), name)
            FunctionParser(name, function).copy_arguments(command, shtab.FILE)
        if name in EXPERIMENTS:
            add_options(command, FIT_HELP if name == "fit" else CHECKPOINT_OPTIONS, shtab.FILE)
        for action in command._actions:
            if "--config" in action.option_strings:
                complete_names(action, "config", [each.name for each in list_configs()])
            if "--ckpt" in action.option_strings and name not in ("fit", "push"):
                complete_names(action, "network", BUILT_IN)
            if name == "study" and action.dest == "file":
                complete_names(action, "study", [each.name for each in list_studies()])
    return parser


def add_options(parser: argparse.ArgumentParser, text: str, files: Any) -> None:
    """Add the options that a help names and the parser lacks."""
    options = re.findall(r"^  (-\w, )?(--[\w.]+)( \S+)?\s+(.+)", text, re.MULTILINE)
    for short, long, value, summary in options:
        if long in parser._option_string_actions:
            continue
        names = [*([short[:2]] if short else []), long]
        if not value:
            parser.add_argument(*names, action="store_true", help=summary)
            continue
        added: Any = parser.add_argument(*names, help=summary.replace("%", "%%"))
        if value.strip() in ("FILE", "DIR", "WHERE", "WHICH"):
            added.complete = files


def complete_names(action: Any, kind: str, names: Sequence[str]) -> None:
    """Complete an argument by names and by files."""
    # shtab quotes what a function called _file completes, such as blanks
    function, words = f"_emorec_{kind}_file", " ".join(names)
    action.complete = {
        "bash": function,
        "zsh": function,
        "fish": f"{words} (__fish_complete_path (commandline -ct))",
        "preamble": {
            "bash": f'{function}() {{ compgen -W \'{words}\' -- "$1"; compgen -f -- "$1"; }}',
            "zsh": f"{function}() {{ _alternative '{kind}:{kind}:({words})' 'files:file:_files' }}",
        },
    }
