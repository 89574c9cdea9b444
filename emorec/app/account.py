"""What the page says of its network: what it was trained on, how well it did, and what it must not be used for."""

from dataclasses import dataclass
from pathlib import Path

from emorec.data.data_sheets import sheet_of
from emorec.data.split import whom
from emorec.errors import UserError
from emorec.inference.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A network in a few sentences, without full stops at the end.

    Attributes:
        network: The name of its class, and what it says.
        takes: What a video has to show.
        trained: On whom.
        tested: How well it did; `None` where that is not known.
        meaning: What its words mean.
        licence: What the makers of the data ask.
    """

    network: str
    takes: str
    trained: str
    tested: str | None
    meaning: str
    licence: str


def account_of(facts: Facts, tested: str | None = None) -> Account:
    """What there is to say of a network.

    Args:
        facts: Of the network.
        tested: How well it did in its run's test, if somebody knows.
    """
    sheet = sheet_of(facts.data)
    split = facts.split
    people = whom(len(split.get("train", ())), split)
    clips = split.get("num_clips", {}).get("train")
    trained_on = f"{clips:,} clips of {people}" if clips else f"clips of {people}"
    about = f": {sheet.people[0].lower()}{sheet.people[1:]}" if sheet.citation else ""
    says = "one of " if facts.says == "classes" else ""
    kind = "names" if facts.says == "classes" else "predicts"
    return Account(
        network=f"{facts.network.rpartition('.')[2]}, which {kind} {says}{', '.join(facts.names)}",
        takes="somebody who speaks" if facts.hears else "a face",
        trained=f"{trained_on}, from {sheet.name}{about}",
        tested=tested,
        meaning=f"What the network {kind} is {sheet.meaning}",
        licence=sheet.licence,
    )


def tested_of(path: Path) -> str | None:
    """How well the network of a checkpoint did in its run's test; `None` of other files, and where nobody tested it."""
    if path.suffix.lower() in (".onnx", ".pt2"):
        return None
    from emorec import checkpoint
    from emorec.report.card_facts import headline, read_test

    try:
        tested = read_test(checkpoint.read(path))
    except UserError:
        return None
    return None if isinstance(tested, str) else headline(tested)
