"""emorec: train, test and compare networks that recognise emotions in video."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("emorec")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
