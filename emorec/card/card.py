"""The model card of a checkpoint, in Markdown, from its run alone.

Source: Mitchell et al. 2019, Model Cards for Model Reporting, section 4 (what a card tells, in which order).
"""

import re
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from emorec.callbacks.description import remarks
from emorec.card import uses
from emorec.card.figures import (
    MOST_ROWS,
    class_tables,
    headline,
    measured_groupings,
    number_rows,
    video_rows,
    worst_rows,
)
from emorec.card.missing import caveats, missing, other_clips
from emorec.card.network import NetworkFacts, settings_of
from emorec.card.tested import Tested, read_test
from emorec.checkpoint import Checkpoint
from emorec.comparison.markdown import escaped, table_line
from emorec.comparison.wording import UNKNOWN, amount, duration, memory, points
from emorec.comparison.words import actors_in_words, leak_line
from emorec.data.datasheets import datasheet
from emorec.data.split import SIDES
from emorec.evaluation.intervals import RESAMPLES
from emorec.evaluation.predictions_file import PredictedClips

TESTED = {"train": "training", "val": "validation (chose the epoch)", "test": "test"}


def card_of(said: Checkpoint) -> str:
    """The card of a checkpoint; the same bytes for the same run.

    Raises:
        UserError: When its network can't be imported, or its test is broken.
    """
    network = NetworkFacts.of(said)
    test = read_test(said)
    tested = None if isinstance(test, str) else test
    sheet = datasheet(said.data["class_path"])
    measured = _measured(tested)
    here = str(said.path.absolute().relative_to(said.run_folder))
    environment = Environment(  # noqa: S701 - it is Markdown, and `md` escapes what comes from outside
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {
        "duration": duration,
        "md": plain,
        "points": points,
        "row": lambda cells: table_line([plain(cell) for cell in cells]),
        "worst": worst_rows,
    }
    text = files("emorec.card").joinpath("card.md").read_text(encoding="utf-8")
    page = environment.from_string(text).render(
        name=f"{said.model['class_path'].rpartition('.')[2]}, {_subject(network)}",
        summary=_summary(said, network, tested),
        warnings=[leak_line("this network", tested.leaks)] if tested and tested.leaks else [],
        said=said,
        network=network,
        sheet=sheet,
        tested=tested,
        untested=test if isinstance(test, str) else "",
        most=MOST_ROWS,
        verb="names" if network.says_classes else "predicts",
        whose=said.split.get("whose", "people"),
        people=tested and _people(tested),
        split=tested.metrics["split"] if tested else said.split,
        says=_says(network),
        megabytes=amount(network.file_bytes / 1e6),
        speed=_speed(said),
        environment=", ".join(f"{name} {it}" for name, it in sorted(said.environment.items())),
        settings=settings_of(said),
        uses=uses,
        told_by=measured_groupings(measured["tables"].groups) if "tables" in measured else "video",
        resamples=RESAMPLES,
        sides=_sides(said),
        remarks=remarks(said.split),
        senses=_senses(tested, network),
        caveats=caveats(said, network, tested),
        missing=missing(said, network, tested, here),
        here=here,
        **{"tables": None, "numbers": None, "videos": None, **measured},
    )
    return re.sub(r"\n{3,}", "\n\n", page)


def plain(text: str) -> str:
    r"""Text from outside on one line, which Markdown takes for nothing else.

    >>> plain("a|b\n<c>")
    'a\\|b &lt;c>'
    """
    return escaped(" ".join(text.split()))


def _measured(tested: Tested | None) -> dict[str, Any]:
    if tested is None:
        return {}
    if isinstance(tested.predicted, PredictedClips):
        return {"tables": class_tables(tested.predicted, tested.metrics)}
    return {"numbers": number_rows(tested.predicted), "videos": video_rows(tested.metrics)}


def _summary(said: Checkpoint, network: NetworkFacts, tested: Tested | None) -> str:
    sheet = datasheet(said.data["class_path"])
    verb = "names" if network.says_classes else "predicts"
    trained = (
        f"A network trained on {sheet.name}{other_clips(said)}. What it {verb} is {sheet.meaning}."
    )
    if tested is None:
        return f"{trained} How well it does was not measured."
    whose = tested.metrics["split"].get("whose", "people").capitalize()
    unseen = "" if tested.leaks else f"{whose} it was not trained on: "
    return f"{trained} {unseen}{headline(tested)}."


def _subject(network: NetworkFacts) -> str:
    return f"{len(network.names)} emotions" if network.says_classes else " and ".join(network.names)


def _says(network: NetworkFacts) -> str:
    names = ", ".join(network.names)
    return f"one of {names}, each with a probability" if network.says_classes else names


def _speed(said: Checkpoint) -> str:
    parts = []
    if said.train_clips_per_second:
        parts.append(f"{amount(said.train_clips_per_second)} clips a second")
    if said.peak_memory_bytes:
        parts.append(f"{memory(said.peak_memory_bytes)} of memory at most")
    return "".join(f", {part}" for part in parts)


def _people(tested: Tested) -> str:
    return f"{tested.whom} ({actors_in_words(tested.actors)})"


def _sides(said: Checkpoint) -> list[tuple[str, str, str, str]]:
    counts = said.split.get("num_clips", {})
    return [
        (
            TESTED[side],
            str(len(said.split[side])),
            actors_in_words(said.split[side]) or UNKNOWN,
            str(counts.get(side, UNKNOWN)),
        )
        for side in SIDES
    ]


def _senses(tested: Tested | None, network: NetworkFacts) -> list[tuple[str, str]]:
    """What is left without a sense, in the score of the network."""
    if tested is None:
        return []
    return [
        (sense, points(it.get("uar")) if network.says_classes else f"{it.get('ccc') or 0:.3f}")
        for sense, it in tested.without.items()
    ]
