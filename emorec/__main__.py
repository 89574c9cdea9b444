"""`python -m emorec` is the command `emorec`."""

from emorec.cli import main

main()
