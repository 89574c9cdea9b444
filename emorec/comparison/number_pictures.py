"""The pictures of a report on models that predict numbers, beside those that every report has."""

from collections.abc import Iterator, Sequence

from emorec.comparison.comparison import Comparison, Result
from emorec.comparison.figures import curves_figure
from emorec.comparison.number_breakdown import NumberBreakdown
from emorec.comparison.number_figures import scatter_figure, videos_figure
from emorec.comparison.picture import Picture, slugs_of
from emorec.evaluation.figures import plane_figure
from emorec.evaluation.sums import numbers

VIDEOS = "ccc_by_video"


def number_pictures(
    comparison: Comparison, breakdowns: Sequence[NumberBreakdown]
) -> Iterator[Picture]:
    """The pictures, in the order of the report.

    Args:
        comparison: M models.
        breakdowns: Of the same M models.
    """
    results = comparison.results
    names = [result.name for result in results]
    yield Picture(
        VIDEOS,
        None,
        "CCC of every model in each video",
        lambda: videos_figure(names, breakdowns, [bool(result.leaks) for result in results]),
    )
    slugs = slugs_of(names)
    for place, (result, breakdown) in enumerate(zip(results, breakdowns, strict=True)):
        yield from _of_model(place, slugs[place], result, breakdown)


def _of_model(
    place: int, slug: str, result: Result, breakdown: NumberBreakdown
) -> Iterator[Picture]:
    first, name = numbers(result.pooled)[0], result.name
    said, targets = first.predictions, first.target_names
    seed = ", first seed" if len(result.pooled) > 1 else ""
    yield Picture(
        f"{slug}_plane",
        place,
        f"{name}: where clips lie and where it puts them",
        lambda: plane_figure(
            {"truth": said.target, "prediction": said.predicted}, targets, f"{name}{seed}"
        ),
    )
    yield Picture(
        f"{slug}_scatter",
        place,
        f"{name}: what it predicts over what is true",
        lambda: scatter_figure(said, targets, f"{name}{seed}"),
    )
    curves = [run for run in breakdown.curves if run]
    if curves:
        yield Picture(
            f"{slug}_curves",
            place,
            f"{name}: loss and CCC in training and validation over epochs",
            lambda: curves_figure(curves, name, "ccc"),
        )
