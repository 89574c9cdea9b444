"""What a run says last: how it went and what to do next."""

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint


def closing_words(trainer: Trainer) -> str:
    """What a finished training has to say."""
    saved = trainer.checkpoint_callback
    if not isinstance(saved, ModelCheckpoint) or saved.best_model_score is None:
        return f"finished after {epochs(trainer.current_epoch)}; nothing was saved"
    best = f"best {saved.monitor} {float(saved.best_model_score):.3f}"
    logs = Path(saved.best_model_path).parents[3] if trainer.logger else None
    split = getattr(getattr(trainer, "datamodule", None), "split", None)
    whom = "" if split and split.shares_people else " on unseen actors"
    return "\n".join(
        [
            f"finished after {epochs(trainer.current_epoch)}, {best}",
            f"measure it{whom}: emorec test --ckpt {shown(saved.best_model_path)}",
            *([f"curves and pictures: tensorboard --logdir {shown(logs)}"] if logs else []),
        ]
    )


def nothing_to_do(after: int) -> str:
    """What a run that had ended before has to say, after so many epochs."""
    return (
        f"nothing to do: this run ended after {epochs(after)}; "
        "a higher --trainer.max_epochs or --early_stopping.patience lets it go on"
    )


def farewell(trainer: Trainer) -> str:
    """What a stopped run has to say."""
    saved = trainer.checkpoint_callback
    last = getattr(saved, "last_model_path", "")
    if last and Path(last).is_file():
        return f"stopped; go on with: emorec fit --ckpt {shown(last)}"
    return "stopped before the end of the first epoch" if saved else "stopped"


def epochs(number: int) -> str:
    """So many.

    >>> epochs(1), epochs(2)
    ('1 epoch', '2 epochs')
    """
    return f"{number} epoch{'s' * (number != 1)}"


def shown(path: str | Path) -> str:
    """A path as people would type it: relative where that is shorter.

    >>> shown(Path.cwd() / "lightning_logs")
    'lightning_logs'
    """
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
