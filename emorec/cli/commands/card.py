"""`emorec card`: what a trained network is, how well it does on whom, and what it is not for."""

from pathlib import Path

CARD = "MODEL_CARD.md"


def card(*, ckpt: str, to: str | None = None) -> None:
    """Write a model card: data, figures with intervals, limits, and uses that are refused.

    It tells what the run itself tells, by its checkpoint and its test, and names the command for what was not measured.

    Args:
        ckpt: The checkpoint.
        to: The file to write, instead of MODEL_CARD.md in the run's folder.

    Raises:
        UserError: When the checkpoint or its test can't be read, or the file can't be written.
    """
    # late: torch takes seconds
    from emorec import checkpoint
    from emorec.card.card import card_of
    from emorec.errors import UserError
    from emorec.files import whole_file

    said = checkpoint.read(ckpt)
    text = card_of(said)
    path = Path(to).expanduser() if to else said.run_folder / CARD
    try:
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise UserError(f"can't write {path}: {error.strerror} (choose another --to)") from error
    print(f"written to {path}")
