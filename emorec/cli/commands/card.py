"""`emorec card`: the model card of a checkpoint."""

from pathlib import Path

CARD = "MODEL_CARD.md"


def card(*, ckpt: str, to: str | None = None, tests: tuple[str, ...] = ()) -> None:
    """Write a network's model card: data, figures, limits, refused uses.

    It states what the checkpoint and its test record, and names the command for what was not measured.

    Args:
        ckpt: The checkpoint.
        to: The file to write, instead of MODEL_CARD.md in the run's folder.
        tests: Folders of tested runs, such as those of a study: the cross-validation of the network's settings, for
            the card of a network that trained on everybody.

    Raises:
        UserError: When the checkpoint or its test can't be read, or the file can't be written.
    """
    # late: torch takes seconds
    from emorec import checkpoint
    from emorec.errors import UserError
    from emorec.io import atomic_write
    from emorec.report.card import model_card
    from emorec.report.runs import find_runs

    record = checkpoint.read(ckpt)
    runs, _ = find_runs(tests) if tests else ([], None)
    text = model_card(record, runs)
    path = Path(to).expanduser() if to else record.run_folder / CARD
    try:
        with atomic_write(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise UserError(f"can't write {path}: {error.strerror} (choose another --to)") from error
    print(f"written to {path}")
