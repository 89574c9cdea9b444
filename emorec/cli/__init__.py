"""The command line: words become a call, a checkpoint speaks for itself, and a mistake ends in one line."""

from emorec.cli.command import main

__all__ = ["main"]
