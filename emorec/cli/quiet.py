"""What a user need not read."""

import logging
import os
import warnings

from typing_extensions import override


def quiet() -> None:
    """Leaves out what Lightning says to developers: advertisement, devices, the seed."""
    warned = logging.StreamHandler()
    warned.setLevel(logging.WARNING)
    logging.basicConfig(format="%(message)s", handlers=[warned])
    ours = logging.getLogger("emorec")
    ours.setLevel(logging.INFO)
    if not ours.handlers:
        ours.addHandler(_News())
    for chatty in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # its version 5 is not for Lightning 2.6, which calls what that drops
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated")
    warnings.filterwarnings("ignore", message=".*does not have many workers")
    warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than")
    # a resumed run goes on in its own folder
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    # a frozen backbone is in eval mode on purpose
    warnings.filterwarnings(
        "ignore", message="Found .* module.* in eval mode at the start of training"
    )
    # of the training's callbacks only their checkpoint is left when its network is tested
    warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`, callbacks")
    # metrics count every clip once, whatever the sampler repeats
    warnings.filterwarnings("ignore", message="Using `DistributedSampler` with the dataloaders")


class _News(logging.Handler):
    """Prints what is no warning; warnings go where errors go."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING:
            print(self.format(record))
