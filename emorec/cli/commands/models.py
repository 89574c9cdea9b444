"""`emorec models`: the networks that come with emorec, and those trained here."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from emorec.errors import UserError

if TYPE_CHECKING:
    from emorec.checkpoint import Checkpoint

MAX_TRAINED = 10
"""The newest ones are listed."""

MIN_NAME_WIDTH = 20
WIDTH_BESIDE_NAME = 47
"""Width of the other columns in characters; the column of names gets the rest, and folds longer ones."""


class ListedModel(NamedTuple):
    """A row of the table.

    Attributes:
        name: What `--ckpt` takes.
        takes: Its streams.
        predicts: What it predicts.
        measured: Its score with interval.
        protocol: How that was measured; empty for networks trained here.
        megabytes: Of its file.
        licence: Of the weights.
    """

    name: str
    takes: str
    predicts: str
    measured: str
    protocol: str
    megabytes: float
    licence: str


def models(*, logs: str = "lightning_logs") -> None:
    """List networks for --ckpt: those that come with emorec, and the newest ones trained here.

    Args:
        logs: Where the runs are.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from emorec.console import make_console

    console = make_console()
    for title, listed in (
        ("built in", built_in()),
        (f"trained, in {logs}", trained(Path(logs).expanduser())),
    ):
        if not listed:
            continue
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        longest = max(len(title), *(len(model.name) for model in listed))
        room = max(MIN_NAME_WIDTH, console.width - WIDTH_BESIDE_NAME)
        table.add_column(title, overflow="fold", width=min(longest, room))
        for column in ("takes", "predicts", "measured, 95 % interval"):
            table.add_column(column)
        table.add_column("MB", justify="right", no_wrap=True)
        for model in listed:
            size = f"{model.megabytes:.1f}"
            row = (model.name, model.takes, model.predicts, model.measured, size)
            table.add_row(*map(Text, row))
        console.print(table)
        for line in dict.fromkeys(
            line for model in listed for line in (model.protocol, model.licence) if line
        ):
            console.print(line, soft_wrap=True)


def built_in() -> list[ListedModel]:
    """Return the networks that come with emorec."""
    from emorec import checkpoint
    from emorec.pretrained import BUILT_IN, card_headline, card_result

    return [
        _listed(
            name, checkpoint.read(name), card_headline(name), card_result(name).partition(": ")[0]
        )
        for name in BUILT_IN
    ]


def trained(logs: Path) -> list[ListedModel]:
    """Return the networks of the newest runs that can be read."""
    paths = sorted(
        logs.glob("**/checkpoints/best.ckpt"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    if not paths:
        return []
    # late: pandas, SciPy and torch take seconds
    from emorec import checkpoint
    from emorec.report.card_facts import headline, read_test

    listed = []
    for path in paths[:MAX_TRAINED]:
        try:
            record = checkpoint.read(path)
            tested = read_test(record)
        except UserError as error:
            listed.append(ListedModel(str(path), "", "", str(error), "", 0.0, ""))
            continue
        measured = "not tested" if isinstance(tested, str) else headline(tested)
        listed.append(_listed(str(path.parents[1]), record, measured))  # shorter, and no less
    return listed


def _listed(name: str, record: "Checkpoint", measured: str, protocol: str = "") -> ListedModel:
    from emorec.data.datasheets import datasheet

    names = record.class_names or record.model["init_args"].get("target_names", ())
    return ListedModel(
        name=name,
        takes=", ".join(record.network.get("modalities", ())),
        predicts=f"{len(names)} emotions" if record.class_names else ", ".join(names),
        # the interval is named in the heading, the protocol below the table
        measured=measured.replace("95 % interval ", "").partition(" (another protocol")[0],
        protocol=protocol,
        megabytes=record.path.stat().st_size / 1e6,
        licence=datasheet(record.data["class_path"], record.split).licence,
    )
