"""The model card of a checkpoint in Markdown, from its run alone.

Source: Mitchell et al. 2019, Model Cards for Model Reporting, section 4 (the sections of a card and their order).
"""

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

from emorec.checkpoint import Checkpoint
from emorec.data.datasheets import Datasheet, datasheet
from emorec.data.split import SIDES
from emorec.evaluation.breakdown import (
    accuracy_by_group,
    confusion_matrix,
    most_confused,
    reliability,
    scores_per_name,
)
from emorec.evaluation.intervals import RESAMPLES, Estimate, Interval, scores_with_intervals
from emorec.evaluation.task import Classification
from emorec.io import sha256
from emorec.report import uses
from emorec.report.breakdown import ravdess_groups
from emorec.report.card_facts import (
    TestResults,
    caveats,
    describe_other_clips,
    headline,
    network_info,
    not_measured,
    read_test,
    settings_yaml,
    split_remarks,
)
from emorec.report.runs import format_actors
from emorec.report.sentences import leak_warning
from emorec.report.tables import escape_markdown, markdown_row
from emorec.text import UNKNOWN, byte_count, decimal, duration, percent, significant

SIDE_TITLES = {"train": "training", "val": "validation (selected the epoch)", "test": "test"}

MAX_ROWS = 24
"""Of a table of people or videos; RAVDESS has as many actors."""

Row = tuple[str, ...]


def model_card(checkpoint: Checkpoint) -> str:
    """Return the model card of a checkpoint; the same bytes for the same run.

    Raises:
        UserError: When its network can't be imported, or its test is malformed.
    """
    network = network_info(checkpoint)
    result = read_test(checkpoint)
    test = result if isinstance(result, TestResults) else None
    sheet = datasheet(checkpoint.data["class_path"])
    local_path = str(checkpoint.path.absolute().relative_to(checkpoint.run_folder))
    split = test.metrics["split"] if test else checkpoint.split
    network_name = checkpoint.model["class_path"].rpartition(".")[2]
    subject = f"{len(network.names)} emotions" if network.classes else " and ".join(network.names)
    context: dict[str, Any] = {
        "title": f"{network_name}, {subject}",
        "summary": _summary(checkpoint, sheet, test),
        "warnings": [leak_warning("this network", test.leaks)] if test and test.leaks else [],
        "checkpoint": checkpoint,
        "network": network,
        "sha256": sha256(checkpoint.path),
        "megabytes": significant(checkpoint.path.stat().st_size / 1e6),
        "sheet": sheet,
        "test": test,
        "reason": "" if test else result,
        "split": split,
        "whose": checkpoint.split.get("whose", "people"),
        "people": f"{test.people} ({format_actors(test.actors)})" if test else "",
        "training": _training(checkpoint),
        "environment": ", ".join(
            f"{name} {version}" for name, version in sorted(checkpoint.environment.items())
        ),
        "settings": settings_yaml(checkpoint),
        "uses": uses,
        "resamples": RESAMPLES,
        "sides": _sides(checkpoint),
        "remarks": split_remarks(checkpoint.split),
        "caveats": caveats(checkpoint, network, test),
        "not_measured": not_measured(checkpoint, network, test, local_path),
        "local_path": local_path,
        "max_rows": MAX_ROWS,
        "scores": _score_rows(test) if test else [],
        "ablations": _ablation_rows(test) if test else [],
        "tables": _class_tables(test) if test and network.classes else None,
        "videos": _video_rows(test) if test and not network.classes else [],
    }
    environment = Environment(  # noqa: S701 - Markdown; `md` escapes what comes from outside
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {
        "md": single_line,
        "percent": percent,
        "row": lambda cells: markdown_row([single_line(cell) for cell in cells]),
        "lowest": _lowest_accuracy,
    }
    template = files("emorec.report").joinpath("card.md").read_text(encoding="utf-8")
    return re.sub(r"\n{3,}", "\n\n", environment.from_string(template).render(context))


def single_line(text: str) -> str:
    r"""Return text from outside on one line, escaped for Markdown.

    >>> single_line("a|b\n<c>")
    'a\\|b &lt;c>'
    """
    return escape_markdown(" ".join(text.split()))


def _summary(checkpoint: Checkpoint, sheet: Datasheet, test: TestResults | None) -> str:
    data = f"{sheet.name}{describe_other_clips(checkpoint)}"
    trained = f"A network trained on {data}. Its prediction is {sheet.meaning}."
    if test is None:
        return f"{trained} Its performance was not measured."
    whose = test.metrics["split"].get("whose", "people").capitalize()
    unseen = "" if test.leaks else f"{whose} it was not trained on: "
    return f"{trained} {unseen}{headline(test)}."


def _training(checkpoint: Checkpoint) -> str:
    parts = [f"{checkpoint.epochs} epochs in {duration(checkpoint.train_seconds)}"]
    if checkpoint.train_clips_per_second:
        parts.append(f"{significant(checkpoint.train_clips_per_second)} clips a second")
    if checkpoint.peak_memory_bytes:
        parts.append(f"peak memory {byte_count(checkpoint.peak_memory_bytes)}")
    return ", ".join(parts)


def _sides(checkpoint: Checkpoint) -> list[Row]:
    counts = checkpoint.split.get("num_clips", {})
    return [
        (
            SIDE_TITLES[side],
            str(len(checkpoint.split[side])),
            format_actors(checkpoint.split[side]) or UNKNOWN,
            str(counts.get(side, UNKNOWN)),
        )
        for side in SIDES
    ]


def _score_rows(test: TestResults) -> list[Row]:
    """Metric, value, interval."""
    task = test.task
    scores = scores_with_intervals(task, [test.predictions])
    titles = dict(task.headings)
    if test.calibrated is not None:
        scores["calibrated"] = scores_with_intervals(task, [test.calibrated])["ece"]
        titles["calibrated"] = f"ECE, calibrated at temperature {test.metrics['temperature']:.2f}"
    return [
        (title, task.format(scores[name].value), _span(test, scores[name]))
        for name, title in titles.items()
    ]


def _span(test: TestResults, estimate: Estimate) -> str:
    return test.task.format_interval(estimate.interval) or UNKNOWN


def _ablation_rows(test: TestResults) -> list[Row]:
    """Modality, score without it."""
    score = "uar" if test.task.kind == "classes" else "ccc"
    return [
        (modality, test.task.format(metrics.get(score) or 0.0))
        for modality, metrics in test.ablations.items()
    ]


def _class_tables(test: TestResults) -> dict[str, Any]:
    """The tables of a classifier's test.

    Returns:
        `classes`: class, clips, recall, interval, precision, F1. `confusion`: class, clips predicted as each class.
        `confused`: the most frequent confusions. `groups`: grouping -> group, clips, actors, accuracy, interval.
        `reliability`: confidence, mean confidence, accuracy, clips; `calibrated`: whether that is of calibrated
        probabilities. `groupings`: the names of the groupings.
    """
    task, table = test.task, test.predictions
    assert isinstance(task, Classification)
    groups = accuracy_by_group(task, [table], _groups(table))
    by_class = groups.pop("class")
    details = scores_per_name(task, [table])
    calibrated = test.calibrated
    bins = reliability(task, [table if calibrated is None else calibrated])
    return {
        "classes": [
            (
                name,
                f"{each.support:.0f}",
                percent(each.recall),
                _interval_of(test, by_class.loc[name]) if name in by_class.index else UNKNOWN,
                percent(each.precision),
                percent(each.f1),
            )
            for name, each in details.iterrows()
        ],
        "confusion": [
            (name, *map(str, row))
            for name, row in zip(task.names, confusion_matrix(task, [table]).tolist(), strict=True)
        ],
        "confused": most_confused(task, [table]).to_dict("records"),
        "groups": {
            grouping: [
                (
                    str(name),
                    str(int(each.clips)),
                    str(int(each.actors)),
                    percent(each.accuracy),
                    _interval_of(test, each),
                )
                for name, each in members.iterrows()
            ]
            for grouping, members in groups.items()
        },
        "groupings": ", ".join(name for name in groups if name != "actor") or "actor alone",
        "reliability": [
            (
                f"{percent(each.low)} to {percent(each.high)}",
                percent(each.confidence),
                percent(each.accuracy),
                f"{each.clips:.0f}",
            )
            for each in bins.itertuples()
        ],
        "calibrated": calibrated is not None,
    }


def _interval_of(test: TestResults, group: pd.Series) -> str:
    interval = None if pd.isna(group.low) else Interval(group.low, group.high)
    return test.task.format_interval(interval) or UNKNOWN


def _groups(table: pd.DataFrame) -> dict[str, dict[str, str | int]]:
    """Groups of each clip: its class, those from its file name, and sex and intensity together."""
    groups = ravdess_groups(table["path"])
    result: dict[str, dict[str, str | int]] = {}
    for path, emotion in zip(table["path"], table["emotion"], strict=True):
        known = dict(groups.get(path, {}))
        if {"sex", "intensity"} <= known.keys():  # one of them alone may hide what both show
            known["sex and intensity"] = f"{known['sex']}, {known['intensity']}"
        result[path] = {**known, "class": emotion}
    return result


def _lowest_accuracy(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows of groups; of too many, those of the lowest accuracy."""
    if len(rows) <= MAX_ROWS:
        return rows
    return sorted(rows, key=lambda row: float(row[3]))[:MAX_ROWS]


def _video_rows(test: TestResults) -> list[Row]:
    """Video, clips, CCC, the lowest first; a video whose labels never vary has no CCC."""
    videos = sorted(
        test.metrics.get("per_video", {}).items(), key=lambda each: (each[1]["ccc"] or 0, each[0])
    )
    return [
        (name, str(scores["num_clips"]), decimal(scores["ccc"]))
        for name, scores in videos[:MAX_ROWS]
    ]
