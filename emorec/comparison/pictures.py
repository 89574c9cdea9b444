"""All pictures of a report, drawn one after the other."""

from collections.abc import Iterator, Sequence

from emorec.comparison.breakdown import Breakdown
from emorec.comparison.comparison import Comparison, Result
from emorec.comparison.figures import (
    cost_figure,
    curves_figure,
    intervals_figure,
    reliability_figure,
    shares_figure,
)
from emorec.comparison.number_breakdown import NumberBreakdown
from emorec.comparison.number_pictures import number_pictures
from emorec.comparison.picture import Picture, slugs_of
from emorec.comparison.wording import points
from emorec.evaluation.figures import confusion_figure
from emorec.evaluation.sums import classes


def pictures_of(
    comparison: Comparison, breakdowns: Sequence[Breakdown] | Sequence[NumberBreakdown]
) -> Iterator[Picture]:
    """The pictures, in the order of the report.

    Args:
        comparison: M models.
        breakdowns: Of the same M models.
    """
    results, score = comparison.results, comparison.score
    yield Picture(
        f"{score.figure}_intervals",
        None,
        f"{score.title} of every model with its intervals",
        lambda: intervals_figure(results, comparison.majority[score.figure], score),
    )
    drawn = score.against_cost
    people = {
        each.name: each.figures[drawn]
        for each in comparison.published
        if each.kind == "people" and drawn in each.figures
    }
    if any(result.cost.gflops_per_clip for result in results):
        yield Picture(
            f"{drawn}_against_cost",
            None,
            f"{score.merit[drawn]} of every model against its GFLOPs a clip",
            lambda: cost_figure(results, people, score),
        )
    of_numbers = [each for each in breakdowns if isinstance(each, NumberBreakdown)]
    if of_numbers:
        yield from number_pictures(comparison, of_numbers)
        return
    of_classes = [each for each in breakdowns if isinstance(each, Breakdown)]
    slugs = slugs_of([result.name for result in results])
    for place, (result, breakdown) in enumerate(zip(results, of_classes, strict=True)):
        yield from _of_model(place, slugs[place], result, breakdown)


def _of_model(place: int, slug: str, result: Result, breakdown: Breakdown) -> Iterator[Picture]:
    names, name = classes(result.pooled)[0].class_names, result.name
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
            lambda: curves_figure(curves, name, "accuracy"),
        )
