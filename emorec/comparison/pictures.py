"""All pictures of a report, drawn one after the other."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from emorec.comparison.breakdown import Breakdown
from emorec.comparison.comparison import Comparison, Result
from emorec.comparison.figures import (
    cost_figure,
    curves_figure,
    intervals_figure,
    reliability_figure,
    shares_figure,
)
from emorec.comparison.wording import points
from emorec.evaluation.figures import confusion_figure


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is yet to be drawn.

    Attributes:
        name: Of its files, without ending.
        model: The place of the model it shows; `None` for all of them.
        says: What one would see, in a sentence.
        draw: Makes it.
    """

    name: str
    model: int | None
    says: str
    draw: Callable[[], Figure]


def pictures_of(comparison: Comparison, breakdowns: Sequence[Breakdown]) -> Iterator[Picture]:
    """The pictures, in the order of the report.

    Args:
        comparison: M models.
        breakdowns: Of the same M models.
    """
    results = comparison.results
    yield Picture(
        "uar_intervals",
        None,
        "UAR of every model with its intervals",
        lambda: intervals_figure(results, comparison.majority["uar"]),
    )
    people = {
        each.name: each.figures["accuracy"]
        for each in comparison.published
        if each.kind == "people" and "accuracy" in each.figures
    }
    if any(result.cost.gflops_per_clip for result in results):
        yield Picture(
            "accuracy_against_cost",
            None,
            "accuracy of every model against its GFLOPs a clip",
            lambda: cost_figure(results, people),
        )
    slugs = slugs_of([result.name for result in results])
    for place, (result, breakdown) in enumerate(zip(results, breakdowns, strict=True)):
        yield from _of_model(place, slugs[place], result, breakdown)


def _of_model(place: int, slug: str, result: Result, breakdown: Breakdown) -> Iterator[Picture]:
    names, name = result.pooled[0].class_names, result.name
    seeds = f", {breakdown.num_seeds} seeds together" if breakdown.num_seeds > 1 else ""
    ece = points(result.by_actor["ece"].value)
    yield Picture(
        f"{slug}_confusion_counts",
        place,
        f"{name}: confusion matrix, clips",
        lambda: confusion_figure(breakdown.confusion, names, f"{name}: clips{seeds}"),
    )
    yield Picture(
        f"{slug}_confusion_shares",
        place,
        f"{name}: confusion matrix, per cent of the true class",
        lambda: shares_figure(breakdown.confusion, names, f"{name}: per cent of the true class"),
    )
    yield Picture(
        f"{slug}_reliability",
        place,
        f"{name}: how often it is right at each confidence",
        lambda: reliability_figure(breakdown.reliability, f"{name}: ECE {ece} %"),
    )
    curves = [run for run in breakdown.curves if run]
    if curves:
        yield Picture(
            f"{slug}_curves",
            place,
            f"{name}: loss and accuracy in training and validation over epochs",
            lambda: curves_figure(curves, name),
        )


def slugs_of(names: Sequence[str]) -> list[str]:
    """Names as parts of file names, no two alike.

    >>> slugs_of(["CNNLSTM, 10 frames", "CNNLSTM (10 frames)", "x/../y"])
    ['CNNLSTM_10_frames', 'CNNLSTM_10_frames_2', 'x_.._y']
    """
    slugs: list[str] = []
    for name in names:
        short = re.sub(r"[^A-Za-z0-9.+-]+", "_", name).strip("_.")[:80] or "model"
        taken = {slug.casefold() for slug in slugs}
        number = 1
        slug = short
        while slug.casefold() in taken:
            number += 1
            slug = f"{short}_{number}"
        slugs.append(slug)
    return slugs
