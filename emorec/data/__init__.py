"""A clip's file name becomes a label, its video becomes frames, frames become a batch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emorec.data.datamodule import ClipDataModule
    from emorec.data.sets.affwild2.datamodule import AffWild2DataModule
    from emorec.data.sets.csv.datamodule import CSVDataModule
    from emorec.data.sets.hacer import HACERDataModule
    from emorec.data.sets.iemocap.datamodule import IemocapDataModule
    from emorec.data.sets.ravdess.datamodule import RavdessDataModule

_MODULES = {
    "AffWild2DataModule": "sets.affwild2.datamodule",
    "CSVDataModule": "sets.csv.datamodule",
    "ClipDataModule": "datamodule",
    "HACERDataModule": "sets.hacer",
    "IemocapDataModule": "sets.iemocap.datamodule",
    "RavdessDataModule": "sets.ravdess.datamodule",
}

__all__ = [
    "AffWild2DataModule",
    "CSVDataModule",
    "ClipDataModule",
    "HACERDataModule",
    "IemocapDataModule",
    "RavdessDataModule",
]


def __getattr__(name: str) -> Any:
    # late, so that the plain commands start without torch
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"emorec.data.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
