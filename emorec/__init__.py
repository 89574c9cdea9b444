"""emorec: train, test and compare networks that recognise emotions in video."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emorec.inference.predictor import Predictor, load
    from emorec.inference.timeline import Prediction, Timeline, Window

_PLACES = {
    "load": "predictor",
    "Prediction": "timeline",
    "Predictor": "predictor",
    "Timeline": "timeline",
    "Window": "timeline",
}

__all__ = ["Prediction", "Predictor", "Timeline", "Window", "load"]

try:
    __version__ = version("emorec")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    # late, so that `import emorec` takes no time
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(f"emorec.inference.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
