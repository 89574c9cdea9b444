"""The model card of a checkpoint in Markdown, from its run alone.

Source: Mitchell et al. 2019, Model Cards for Model Reporting, section 4 (the sections of a card and their order).
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from emorec.checkpoint import Checkpoint
from emorec.data.datasheets import datasheet
from emorec.data.split import format_people
from emorec.errors import UserError
from emorec.evaluation.breakdown import (
    abstention,
    accuracy_by_group,
    confusion_matrix,
    most_confused,
    reliability,
    scores_per_name,
)
from emorec.evaluation.intervals import RESAMPLES, scores_with_intervals
from emorec.evaluation.report import split_remarks
from emorec.evaluation.scores import Estimate
from emorec.evaluation.task import Classification, Task
from emorec.hub import Address
from emorec.io import sha256
from emorec.pretrained import ABSTAIN_BELOW, card_file
from emorec.report import uses
from emorec.report.breakdown import ravdess_groups
from emorec.report.card_facts import (
    describe_other_clips,
    headline,
    input_sentences,
    network_record,
    read_ablations,
    read_test,
    settings_yaml,
)
from emorec.report.front_matter import front_matter
from emorec.report.models import align_models, group_runs
from emorec.report.runs import METRICS, TEST, Run, read_run
from emorec.report.sentences import leak_warning
from emorec.report.templating import render
from emorec.text import UNKNOWN, decimal, first_few, significant

SUBSET_TITLES = {"train": "training", "val": "validation (selected the epoch)", "test": "test"}

MAX_ROWS = 24
"""Of a table of people or videos; RAVDESS has as many actors."""

FEW_ACTORS = 20
"""With fewer, an interval is rough, see `emorec.evaluation.intervals`."""

CROSS_VALIDATION = {
    "emorec.data.RavdessDataModule": "msaf6",
    "emorec.data.IemocapDataModule": "loso5",
}
"""Data module -> the split that tests everyone once."""

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """How a network goes to the Hub, for its card there.

    Attributes:
        address: Where it will be.
        checkpoint: In the form in which it is uploaded.
        people: Person -> the number that the card has instead; empty where names are those of a published data set.
    """

    address: Address
    checkpoint: Checkpoint
    people: Mapping[str, int]


def model_card(
    checkpoint: Checkpoint, cross_validation: Sequence[Run] = (), upload: Upload | None = None
) -> str:
    """Return the model card of a checkpoint; the same bytes for the same run.

    Args:
        checkpoint: The checkpoint, in the folder of its run.
        cross_validation: Tested runs with the settings of the checkpoint, whose figures stand for those of a network
            that trained on everybody; by default the figures are of the checkpoint's own test.
        upload: Write the card for the Hub, with front matter.

    Raises:
        UserError: When its network can't be imported, its test is malformed, or the runs have other settings.
    """
    tested: Run | str
    tables: list[pd.DataFrame] = []
    if cross_validation:
        tested, tables = pool_runs(checkpoint, cross_validation)
    else:
        tested = read_test(checkpoint)
    test = tested if isinstance(tested, Run) else None
    if test and not tables:
        tables = [test.predictions]
    ablations: dict[str, Row] = {}
    if cross_validation:
        ablations = _pooled_ablations(checkpoint, cross_validation)
    elif test:
        ablations = {
            modality: (modality, test.task.format(metrics.get(test.task.score)), UNKNOWN)
            for modality, metrics in read_ablations(checkpoint).items()
        }
    if upload:
        checkpoint = upload.checkpoint
        if test and upload.people:
            test, tables = number_tested_people(test, tables, upload.people)
    network = network_record(checkpoint)
    class_names = checkpoint.class_names
    scores = scores_with_intervals(test.task, tables) if test else {}
    if upload:
        local_path = str(upload.address)
    elif checkpoint.is_shared:
        local_path = checkpoint.name
    else:
        local_path = str(checkpoint.path.absolute().relative_to(checkpoint.run_folder))
    text = render(
        "card.md",
        checkpoint=checkpoint,
        network=network,
        classes=bool(class_names),
        names=class_names or checkpoint.model["init_args"]["target_names"],
        inputs=input_sentences(checkpoint.data, network),
        modalities=network["modalities"] if len(network["modalities"]) > 1 else (),
        sheet=datasheet(checkpoint.data["class_path"], checkpoint.split),
        other_clips=describe_other_clips(checkpoint),
        settings=settings_yaml(checkpoint),
        sha256=sha256(checkpoint.path),
        megabytes=significant(checkpoint.path.stat().st_size / 1e6),
        local_path=local_path,
        address=upload.address if upload else None,
        ckpt=shlex.quote(local_path),
        test=test,
        reason="" if test else tested,
        headline=headline(test, tables) if test else "",
        num_validated=len(cross_validation),
        num_seeds=len(tables),
        warnings=[leak_warning("this network", test.leaks)] if test and test.leaks else [],
        people=format_people(len(test.actors), test.split) if test else "",
        whose=checkpoint.split.get("whose", "people"),
        subset_titles=SUBSET_TITLES,
        remarks=split_remarks(checkpoint.split),
        cross_validation=CROSS_VALIDATION.get(checkpoint.data["class_path"]),
        few_actors=FEW_ACTORS,
        calibrated=test is not None and bool(_calibrated(test.task, tables)),
        scores=_score_rows(test, tables, scores, cross_validated=bool(cross_validation))
        if test
        else [],
        ablations=ablations,
        breakdown=_breakdown(test.task, tables) if test and class_names else None,
        videos=_video_rows(test) if test and not class_names else [],
        max_rows=MAX_ROWS,
        lowest=_lowest_accuracy,
        resamples=RESAMPLES,
        uses=uses,
        unfamiliar=card_file("familiarity").read_text("utf-8") if checkpoint.is_built_in else "",
    )
    text = re.sub(r"\n{3,}", "\n\n", text)
    if upload is None:
        return text
    validated = len(cross_validation)
    above = front_matter(
        checkpoint,
        upload.address.name,
        network["modalities"],
        test,
        scores,
        num_validated=validated,
    )
    return f"{above}\n{text}"


def number_tested_people(
    test: Run, tables: Sequence[pd.DataFrame], people: Mapping[str, int]
) -> tuple[Run, list[pd.DataFrame]]:
    """Return a tested run and its predictions with numbers in place of names, and without the names of videos."""
    numbers = {person: str(number) for person, number in people.items()}
    tested = [*(it for side in SUBSET_TITLES for it in test.split[side]), *test.actors]
    for person in tested:  # of a test on other people too
        numbers.setdefault(str(person), str(len(numbers) + 1))

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(actor=table["actor"].map(numbers))

    split = {
        **test.split,
        **{side: [int(numbers[str(it)]) for it in test.split[side]] for side in SUBSET_TITLES},
    }
    metrics = {name: value for name, value in test.metrics.items() if name != "per_video"}
    numbered = replace(
        test, predictions=renamed(test.predictions), metrics={**metrics, "split": split}
    )
    return numbered, [renamed(table) for table in tables]


def pool_runs(checkpoint: Checkpoint, runs: Sequence[Run]) -> tuple[Run, list[pd.DataFrame]]:
    """Return the tested runs of a cross-validation as one run, and its predictions for each seed.

    Raises:
        UserError: When they are of several models or of other settings than the checkpoint, tested their training
            people, or a fold is missing for a seed.
    """
    models = group_runs(runs)
    if len(models) > 1:
        raise UserError(
            f"the tests are of {len(models)} models ({first_few([each.name for each in models], 3)}): name those of one"
        )
    for run in runs:
        if run.leaks:
            raise UserError(f"{run.folder}: {run.leaks[0]}")
        own = run.config.get("model", {}).get("init_args", {})
        for name, value in own.items():
            if checkpoint.model["init_args"].get(name, value) != value:
                raise UserError(
                    f"{run.folder} has model.{name} {value}, and {checkpoint.path} "
                    f"{checkpoint.model['init_args'][name]}: its figures are of another network"
                )
    (predictions,), _ = align_models(models)
    first = runs[0]
    split = {**first.split, "fold": None, "train": [], "val": []}
    pooled = replace(
        first, predictions=predictions.pooled[0], metrics={**first.metrics, "split": split}
    )
    return pooled, list(predictions.pooled)


def _pooled_ablations(checkpoint: Checkpoint, runs: Sequence[Run]) -> dict[str, Row]:
    """Return modality -> its name, score and interval without it, where every run was tested without it."""
    ablations: dict[str, Row] = {}
    for modality in network_record(checkpoint)["modalities"]:
        folder = f"{TEST}_without_{modality}"
        if all((run.folder / folder / METRICS.name).is_file() for run in runs):
            test, tables = pool_runs(checkpoint, [read_run(run.folder, folder) for run in runs])
            score = scores_with_intervals(test.task, tables)[test.task.score]
            ablations[modality] = (
                modality,
                test.task.format(score.value),
                test.task.format_interval(score.interval) or UNKNOWN,
            )
    return ablations


def _calibrated(task: Task, tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return the tables with calibrated probabilities; none where one of them has none."""
    calibrated = [it for table in tables if (it := task.calibrated(table)) is not None]
    return calibrated if len(calibrated) == len(tables) else []


def _score_rows(
    test: Run,
    tables: Sequence[pd.DataFrame],
    scores: Mapping[str, Estimate],
    *,
    cross_validated: bool,
) -> list[Row]:
    """Metric, value, interval."""
    task = test.task
    scores, titles = dict(scores), dict(task.headings)
    calibrated = _calibrated(task, tables)
    if calibrated:
        scores["calibrated"] = scores_with_intervals(task, calibrated)["ece"]
        titles["calibrated"] = "ECE, calibrated"
        if not cross_validated:  # each of several networks has a temperature of its own
            titles["calibrated"] += f" at temperature {test.metrics['temperature']:.2f}"
    return [
        (
            title,
            task.format(scores[name].value),
            task.format_interval(scores[name].interval) or UNKNOWN,
        )
        for name, title in titles.items()
    ]


def _breakdown(task: Task, tables: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """Return the tables of a classifier's test, see `emorec.evaluation.breakdown`."""
    assert isinstance(task, Classification)
    calibrated = _calibrated(task, tables)
    return {
        "classes": scores_per_name(task, tables),
        "confusion": confusion_matrix(task, tables),
        "confused": most_confused(task, tables),
        "groups": accuracy_by_group(task, tables, _groups(tables[0])),
        "reliability": reliability(task, calibrated or tables),
        "abstain_below": ABSTAIN_BELOW,
        "abstention": abstention(calibrated, ABSTAIN_BELOW) if calibrated else None,
    }


def _groups(table: pd.DataFrame) -> dict[str, dict[str, str | int]]:
    """Groups of each clip: its class, those from its file name, and sex and intensity together."""
    groups = ravdess_groups(table["path"])
    result: dict[str, dict[str, str | int]] = {}
    for path, emotion in zip(table["path"], table["emotion"], strict=True):
        own = dict(groups.get(path, {}))
        if {"sex", "intensity"} <= own.keys():  # one of them alone may hide what both show
            own["sex and intensity"] = f"{own['sex']}, {own['intensity']}"
        result[path] = {**own, "class": emotion}
    return result


def _lowest_accuracy(groups: pd.DataFrame) -> pd.DataFrame:
    """Return the groups; of too many, those of the lowest accuracy."""
    if len(groups) <= MAX_ROWS:
        return groups
    return groups.loc[groups["accuracy"].round(3).sort_values(kind="stable").index[:MAX_ROWS]]


def _video_rows(test: Run) -> list[Row]:
    """Video, clips, CCC, the lowest first; a video whose labels never vary has no CCC."""
    videos = sorted(
        test.metrics.get("per_video", {}).items(), key=lambda each: (each[1]["ccc"] or 0, each[0])
    )
    return [
        (name, str(scores["num_clips"]), decimal(scores["ccc"]))
        for name, scores in videos[:MAX_ROWS]
    ]
