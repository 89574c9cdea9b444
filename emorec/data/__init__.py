"""A clip's file name becomes a label, its video becomes frames, frames become a batch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emorec.data.affwild2_datamodule import AffWild2DataModule
    from emorec.data.datamodule import ClipDataModule
    from emorec.data.ravdess_datamodule import RavdessDataModule

__all__ = ["AffWild2DataModule", "ClipDataModule", "RavdessDataModule"]


def __getattr__(name: str) -> Any:
    # late, so that the plain commands start without torch
    if name == "AffWild2DataModule":
        from emorec.data.affwild2_datamodule import AffWild2DataModule

        return AffWild2DataModule
    if name == "ClipDataModule":
        from emorec.data.datamodule import ClipDataModule

        return ClipDataModule
    if name == "RavdessDataModule":
        from emorec.data.ravdess_datamodule import RavdessDataModule

        return RavdessDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
