"""What is left of a finished run: a table to read, and the files `metrics.json` and others."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from emorec.evaluation.calibration import Calibration
from emorec.evaluation.figures import confusion_figure
from emorec.evaluation.metrics import ClassificationSummary
from emorec.evaluation.predictions import Predictions
from emorec.evaluation.predictions_file import write_predictions
from emorec.evaluation.run_facts import RunFacts, number
from emorec.files import whole_file


def metrics_json(
    summary: ClassificationSummary,
    facts: RunFacts,
    class_names: Sequence[str],
    calibration: Calibration | None = None,
) -> dict[str, Any]:
    """The content of `metrics.json`, plain values only; a figure that is no number or not known is `None`.

    Raises:
        ValueError: When there are not K class names.
        KeyError: When the split lacks a key.
    """
    per_class = zip(class_names, summary.per_class, strict=True)
    return {
        "accuracy": number(summary.accuracy),
        "uar": number(summary.uar),
        "macro_f1": number(summary.macro_f1),
        "ece": number(summary.ece),
        "ece_calibrated": number(calibration.ece if calibration else None),
        "temperature": number(calibration.temperature if calibration else None),
        "loss": number(summary.loss),
        "num_clips": summary.num_clips,
        "views": facts.num_views,
        "classes": list(class_names),
        "confusion_matrix": summary.confusion_matrix.tolist(),
        "per_class": {name: asdict(scores) for name, scores in per_class},
        **facts.plain(),
    }


def write_report(
    folder: Path,
    summary: ClassificationSummary,
    facts: RunFacts,
    predictions: Predictions,
    *,
    paths: Sequence[str],
    actors: Sequence[int | str],
    class_names: Sequence[str],
    calibration: Calibration | None = None,
) -> None:
    """Writes `metrics.json`, `predictions.csv` and `confusion_matrix.png`, each whole or not at all.

    Args:
        folder: Where to; made if missing.
        summary: The figures of the predictions.
        facts: What else there is to say of the run.
        predictions: N predictions.
        paths: N clip files in the order of the predictions.
        actors: N people in the same order.
        class_names: K names in label order.
        calibration: What becomes of the predictions at a temperature, where there is one.

    Raises:
        ValueError: When there are not N paths, N actors and K class names.
        OSError: When a file can't be written.
    """
    figures = metrics_json(summary, facts, class_names, calibration)
    content = json.dumps(figures, indent=2, allow_nan=False)
    write_predictions(
        folder / "predictions.csv",
        predictions,
        paths=paths,
        actors=actors,
        class_names=class_names,
        calibrated=calibration.predictions if calibration else None,
    )
    name = facts.model.rpartition(".")[2]
    title = f"{name}: UAR {summary.uar:.1%} on {summary.num_clips} clips"
    with whole_file(folder / "confusion_matrix.png") as file:
        confusion_figure(summary.confusion_matrix, class_names, title).savefig(file, format="png")
    with whole_file(folder / "metrics.json") as file:
        file.write(f"{content}\n".encode())


def metrics_table(
    summary: ClassificationSummary,
    class_names: Sequence[str],
    title: str,
    *,
    calibration: Calibration | None = None,
    num_views: int = 1,
) -> Table:
    """A line per class, their mean and what else there is to say; 50 columns, plain without colour.

    The recall of a class that never occurs and the precision of one never predicted are a dash.
    """
    caption = _caption(summary, calibration, num_views)
    table = Table(caption=caption, box=box.SIMPLE_HEAD, show_footer=True)
    table.title, table.title_style, table.caption_style = escape(title), "bold", ""
    table.title_justify = table.caption_justify = "left"
    means = {"recall": f"{summary.uar:.1%}", "precision": "", "F1": f"{summary.macro_f1:.1%}"}
    table.add_column("emotion", "mean", overflow="fold")
    for figure, mean in (means | {"clips": str(summary.num_clips)}).items():
        table.add_column(figure, mean, justify="right", overflow="fold")
    said = summary.confusion_matrix.sum(dim=0).tolist()
    for name, scores, times in zip(class_names, summary.per_class, said, strict=True):
        recall = f"{scores.recall:.1%}" if scores.support else "-"
        precision = f"{scores.precision:.1%}" if times else "-"
        f1 = f"{scores.f1:.1%}" if scores.support or times else "-"
        table.add_row(escape(name), recall, precision, f1, str(scores.support))
    return table


def _caption(
    summary: ClassificationSummary, calibration: Calibration | None, num_views: int
) -> str:
    at_temperature = (
        f"calibration error {calibration.ece:.1%} at temperature {calibration.temperature:.2f}\n"
        if calibration
        else ""
    )
    each = f", {num_views} views of each" if num_views > 1 else ""
    return (
        f"UAR {summary.uar:.1%} (chance {1 / len(summary.per_class):.1%}), "
        f"accuracy {summary.accuracy:.1%}\n"
        f"macro-F1 {summary.macro_f1:.1%}, calibration error {summary.ece:.1%}\n"
        f"{at_temperature}"
        f"loss {summary.loss:.3f}, {summary.num_clips} clips{each}"
    )
