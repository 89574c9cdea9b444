"""The command line: arguments become a function call, and a user's mistake ends in one line."""

from emorec.cli.entry_point import main

__all__ = ["main"]
