"""The front matter of a model card: what the Hugging Face Hub reads of it, as YAML above the text.

Source: https://github.com/huggingface/hub-docs/blob/main/modelcard.md (the fields, and the `model-index` of results).
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from emorec.checkpoint import Checkpoint
from emorec.data.datasheets import datasheet
from emorec.evaluation.intervals import CONFIDENCE
from emorec.evaluation.scores import Estimate
from emorec.report.runs import Run

METRIC_IDS = {"uar": "recall", "macro_f1": "f1", "pcc": "pearsonr"}
"""Score -> the Hub's name of it, where that is another one."""

AVERAGED = ("uar", "macro_f1")
"""Scores that are means over the classes."""


def front_matter(
    checkpoint: Checkpoint,
    name: str,
    modalities: Sequence[str],
    test: Run | None,
    scores: Mapping[str, Estimate],
    *,
    num_validated: int = 0,
) -> str:
    """Return the front matter of a network's card, with the lines around it.

    Args:
        checkpoint: The network.
        name: Its name on the Hub.
        modalities: Its streams: "frames", "landmarks", "sound".
        test: Its test; `None` where it was not tested, and there are no results.
        scores: Of the test.
        num_validated: Number of networks whose test this is, in a cross-validation; else 0.
    """
    sheet = datasheet(checkpoint.data["class_path"], checkpoint.split)
    task = "audio-classification" if set(modalities) == {"sound"} else "video-classification"
    fields: dict[str, Any] = {"license": sheet.licence_id}
    if sheet.licence_link:
        fields = {
            "license": "other",
            "license_name": sheet.licence_id,
            "license_link": sheet.licence_link,
        }
    fields["library_name"] = "emorec"
    if checkpoint.class_names:
        fields["pipeline_tag"] = task
    fields["tags"] = ["emotion-recognition", *modalities]
    if sheet.dataset_id:
        fields["datasets"] = [sheet.dataset_id]
    if test and not test.leaks:
        metrics = _metrics(test, scores)
        fields["metrics"] = list(dict.fromkeys(each["type"] for each in metrics))
        result = {
            "task": {
                "type": task if checkpoint.class_names else "other",
                "name": "Emotion recognition",
            },
            "dataset": {
                "type": sheet.dataset_id or "private",
                "name": sheet.name,
                "split": "test",
                "args": _protocol(test, num_validated),
            },
            "metrics": metrics,
        }
        fields["model-index"] = [{"name": name, "results": [result]}]
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{text}---\n"


def without_front_matter(text: str) -> str:
    r"""Return a card without its front matter.

    >>> without_front_matter("---\nlicense: mit\n---\n\n# A card\n---\n")
    '# A card\n---\n'
    """
    return re.sub(r"\A---\n.*?^---\n\s*", "", text, flags=re.DOTALL | re.MULTILINE)


def _metrics(test: Run, scores: Mapping[str, Estimate]) -> list[dict[str, Any]]:
    """Return the scores as the Hub has them: shares, with the 95 % interval in the name and as arguments."""
    metrics = []
    for score, title in test.task.headings.items():
        name, value, interval = title, scores[score].value, scores[score].interval
        if not math.isfinite(value):
            continue
        arguments: dict[str, Any] = {"average": "macro"} if score in AVERAGED else {}
        if interval:
            low, high = round(float(interval.low), 4), round(float(interval.high), 4)
            name = f"{title}, {100 * CONFIDENCE:.0f} % interval {low:.3f} to {high:.3f}"
            arguments |= {"confidence": CONFIDENCE, "low": low, "high": high}
        kind = "ccc" if score.startswith("ccc") else METRIC_IDS.get(score, score)
        metric = {"type": kind, "name": name, "value": round(float(value), 4)}
        metrics.append(metric | ({"args": arguments} if arguments else {}))
    return metrics


def _protocol(test: Run, num_validated: int) -> dict[str, Any]:
    """Return by which split, and on how many people and clips, a network was tested."""
    whose = test.split.get("whose", "people")
    protocol: dict[str, Any] = {
        "split": test.split["name"],
        "fold": test.split["fold"],
        whose: len(test.actors),
        "clips": len(test.predictions),
        "protocol": f"not trained on these {whose}",
    }
    if num_validated:
        protocol["protocol"] = (
            f"cross-validated: {num_validated} networks, none trained on the {whose} it is tested on"
        )
    if test.adapted:
        protocol["adapted_by"] = test.adapted
    return {name: value for name, value in protocol.items() if value is not None}
