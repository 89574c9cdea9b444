"""The files of a network's repository on the Hugging Face Hub."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from emorec import checkpoint, hub
from emorec.checkpoint import MODEL_ARGUMENTS, RECORD, Checkpoint
from emorec.data.datasheets import SHEETS
from emorec.data.speech_model import is_hub_name, is_speech_model
from emorec.data.split import SUBSETS
from emorec.errors import UserError
from emorec.io import atomic_write, disk_errors
from emorec.pretrained import FAMILIARITY_SUFFIX
from emorec.report.card import Upload, model_card
from emorec.report.card_facts import network_record
from emorec.report.runs import Run


def write_repository(
    record: Checkpoint,
    address: hub.Address,
    folder: Path,
    cross_validation: Sequence[Run] = (),
) -> list[Path]:
    """Write the files of a network's repository into a folder, and return them; none has a path of this machine.

    The people of a user's own data get numbers in place of names, and their files are counted, not named.

    Args:
        record: The network.
        address: Where it will be.
        folder: Made if missing; files in it are replaced.
        cross_validation: See `model_card`.

    Raises:
        UserError: When the network is shared already or needs a folder of this machine, its test is malformed, or a
            file can't be written.
    """
    if record.is_shared:
        where = "is on the Hub" if record.address else "comes with emorec"
        raise UserError(f"{record.name} {where} already: push a network of your own")
    refuse_own_speech_model(record)
    content = checkpoint.load(record.path)
    section = {**content[RECORD], "network": dict(network_record(record))}
    people: Mapping[str, int] = {}
    if record.data["class_path"] not in SHEETS:
        section["split"], people = number_people(section["split"])
    plain = folder / hub.WEIGHTS
    checkpoint.save_plain({**content, RECORD: section}, plain)
    with disk_errors(folder):
        familiarity = record.path.with_suffix(FAMILIARITY_SUFFIX)
        if familiarity.is_file():
            shutil.copyfile(familiarity, folder / hub.FAMILIARITY)
    uploaded = checkpoint.read(plain)
    upload = Upload(address=address, checkpoint=uploaded, people=people)
    texts = {
        hub.CONFIG: config_yaml(uploaded),
        hub.CARD: model_card(record, cross_validation, upload),
    }
    with disk_errors(folder):
        for name, text in texts.items():
            with atomic_write(folder / name) as file:
                file.write(text.encode())
    return [folder / name for name in hub.FILES if (folder / name).is_file()]


def number_people(split: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the record of a split with numbers in place of the people's names, and the number of each name.

    >>> split, people = number_people({"train": ["Zoe", "Ann"], "val": [], "test": ["Bo"], "skipped": ["ann.mp4"]})
    >>> split["train"], split["test"], split["skipped"], people
    ([3, 1], [2], ['1 of the clips'], {'Ann': 1, 'Bo': 2, 'Zoe': 3})
    """
    names = sorted({str(person) for side in SUBSETS for person in split[side]})
    people = {name: number for number, name in enumerate(names, start=1)}
    numbered: dict[str, Any] = {
        side: [people[str(person)] for person in split[side]] for side in SUBSETS
    }
    files = {
        name: [f"{len(split[name])} of the clips"] if split.get(name) else []
        for name in ("skipped", "faceless")
    }
    return {**split, **numbered, **files, "numbered": True}, people


def config_yaml(record: Checkpoint) -> str:
    """Return the settings of a training as a config file of `emorec fit`."""
    sections = {**record.settings, "model": record.model, "data": record.data}
    text = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True)
    return f"# emorec fit --config {hub.CONFIG} --data.root DIR\n{text}"


def refuse_own_speech_model(record: Checkpoint) -> None:
    """Refuse a network of a speech model that is a folder of this machine.

    Raises:
        UserError: When it is one.
    """
    for name, value in _arguments({"model": record.model, "data": record.data}):
        text = str(value)
        if name in MODEL_ARGUMENTS and is_speech_model(text) and not is_hub_name(text):
            raise UserError(
                f"{record.name} needs the speech model in {value}, which others don't have: train it with one of the "
                "Hub, ORG/NAME"
            )


def _arguments(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of networks in networks, with their names."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _arguments(value)
        else:
            yield name, value
