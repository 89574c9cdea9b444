"""A network that sees and hears does without one of both: what the other one is worth."""

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from emorec.errors import UserError
from emorec.models.audio_visual import MODALITIES, AudioVisual, Modality


class Without(Callback):
    """Takes a sense from an `AudioVisual`.

    Args:
        sense: "video" or "audio".

    Raises:
        UserError: When there is no such sense.
    """

    def __init__(self, sense: Modality) -> None:
        if sense not in MODALITIES:
            raise UserError(f"--drop is {sense}: choose {' or '.join(MODALITIES)}")
        self.sense: Modality = sense

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if not isinstance(pl_module, AudioVisual):
            raise UserError(
                f"--drop takes a sense from a network that has two, {type(pl_module).__name__} has one"
            )
        pl_module.without = self.sense
