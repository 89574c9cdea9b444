"""The table with all digits, for whoever computes on: shares are 0 to 1; with the intervals."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from emorec.comparison.comparison import Comparison, Result
from emorec.comparison.score import CLASSES
from emorec.evaluation.intervals import Estimate


def spreadsheet(comparison: Comparison) -> str:
    """CSV: a line a model, then the majority class and the figures from elsewhere; what is not known is empty."""
    lines: list[dict[str, object]] = [_of_model(comparison, each) for each in comparison.results]
    lines.append({"name": _guess(comparison), "kind": "majority", **comparison.majority})
    lines += (
        {"name": one.name, "kind": one.kind, **one.figures, "source": one.source, "note": one.note}
        for one in comparison.published
    )
    text = io.StringIO()
    header = list(dict.fromkeys(column for line in lines for column in line))
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _of_model(comparison: Comparison, result: Result) -> dict[str, object]:
    figures: dict[str, object] = {}
    for name, figure in result.by_actor.items():
        figures[name] = figure.value
        figures |= _ends(f"{name}_actors", figure)
        if name in result.by_clip:
            figures |= _ends(f"{name}_clips", result.by_clip[name])
    for name in comparison.score.merit:
        for over, means in (("folds", result.folds), ("seeds", result.seeds)):
            figures[f"{name}_mean_of_{over}"] = means[name].mean if means else ""
            figures[f"{name}_sd_of_{over}"] = means[name].deviation if means else ""
    cost: Mapping[str, object] = asdict(result.cost)
    model = result.tested.model
    return {
        "name": result.name,
        "kind": "model",
        "leak": "; ".join(result.leaks),
        "num_clips": len(comparison.test.paths),
        "num_actors": len(comparison.actors),
        "num_folds": len(model.folds) or 1,
        "num_seeds": len(model.seeds),
        **figures,
        **{name: "" if value is None else value for name, value in cost.items()},
    }


def _guess(comparison: Comparison) -> str:
    return "majority class" if comparison.score is CLASSES else comparison.score.guess


def _ends(name: str, estimate: Estimate) -> dict[str, object]:
    interval = estimate.interval
    pairs: Iterator[tuple[str, object]] = (
        (f"{name}_{end}", getattr(interval, end) if interval else "") for end in ("low", "high")
    )
    return dict(pairs)
