"""`emorec card`: the model card of a checkpoint."""

from pathlib import Path

from emorec.pretrained import DEFAULT, card_file

CARD = "MODEL_CARD.md"


def card(*, ckpt: str | None = None, to: str | None = None, tests: tuple[str, ...] = ()) -> None:
    """Write a network's model card: data, figures, limits, refused uses.

    It states what the checkpoint and its test record, and names the command for what was not measured.

    Args:
        ckpt: The checkpoint, a name of emorec models, or hf://USER/NAME; by default face_and_sound.
        to: The file to write, instead of MODEL_CARD.md in the run's folder.
        tests: Folders of tested runs, such as those of a study: the cross-validation of the network's settings, for
            the card of a network that trained on everybody.

    Raises:
        UserError: When the checkpoint or its test can't be read, or the file can't be written.
    """
    # late: torch takes seconds
    from emorec import checkpoint, hub
    from emorec.errors import UserError
    from emorec.io import atomic_write
    from emorec.report.card import model_card
    from emorec.report.front_matter import without_front_matter
    from emorec.report.runs import find_runs

    record = checkpoint.read(ckpt or DEFAULT)
    own = card_file(record.path.stem) if record.is_built_in else record.path.with_name(hub.CARD)
    if record.is_shared and not tests and own.is_file():
        text = without_front_matter(own.read_text(encoding="utf-8"))
    else:
        text = model_card(record, find_runs(tests)[0] if tests else ())
    path = Path(to).expanduser() if to else record.run_folder / CARD
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise UserError(f"can't write {path}: {error.strerror} (choose another --to)") from error
    print(f"written to {path}")
