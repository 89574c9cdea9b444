"""A clip's file name becomes a label, its video becomes frames, frames become a batch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emorec.data.datamodule import ClipDataModule
    from emorec.data.iemocap_datamodule import IemocapDataModule
    from emorec.data.ravdess_datamodule import RavdessDataModule

__all__ = ["ClipDataModule", "IemocapDataModule", "RavdessDataModule"]


def __getattr__(name: str) -> Any:
    # late, so that the plain commands start without torch
    if name == "ClipDataModule":
        from emorec.data.datamodule import ClipDataModule

        return ClipDataModule
    if name == "IemocapDataModule":
        from emorec.data.iemocap_datamodule import IemocapDataModule

        return IemocapDataModule
    if name == "RavdessDataModule":
        from emorec.data.ravdess_datamodule import RavdessDataModule

        return RavdessDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
