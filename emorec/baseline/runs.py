"""The run folder of a baseline: the same files as those of a tested network."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from emorec.baseline.choice import Chosen
from emorec.baseline.classifiers import Classifier, num_numbers
from emorec.baseline.extractor import Extractor
from emorec.data.clip import Clip
from emorec.errors import UserError
from emorec.evaluation.metrics import ClassificationSummary
from emorec.evaluation.predictions import Predictions
from emorec.evaluation.report import write_report
from emorec.evaluation.run_facts import RunFacts
from emorec.files import whole_file

RECORD = "baseline.json"
"""What a baseline says of itself beside `config.yaml`: the setting that was chosen, and among which."""


def model_name(classifier: Classifier, extractor: Extractor) -> str:
    """What reports call it.

    >>> from emorec.baseline.hog import HogFeatures
    >>> model_name("rbf_svm", HogFeatures())
    'rbf_svm on hog'
    """
    return f"{classifier} on {extractor.name}"


def refuse_unwritable(out: Path) -> None:
    """Finds out before the work whether run folders can be made.

    Raises:
        UserError: When they can't.
    """
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        trial = out / ".emorec"
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise UserError(
            f"can't write into {out}: {error.strerror}; choose another folder with --out"
        ) from error
    for folder in missing:  # they are made again when there is something to put in
        folder.rmdir()


def new_run_folder(out: Path, classifier: Classifier, extractor: Extractor) -> Path:
    """A folder of its own for a run, with the next number.

    Raises:
        OSError: When it can't be made.
    """
    above = out / f"Baseline-{classifier}-{extractor.name}"
    above.mkdir(parents=True, exist_ok=True)
    taken = [re.fullmatch(r"version_(\d+)", path.name) for path in above.iterdir()]
    number = max((int(match[1]) for match in taken if match), default=-1) + 1
    while True:
        folder = above / f"version_{number}"
        try:
            folder.mkdir()
        except FileExistsError:  # another process took it a moment ago
            number += 1
        else:
            return folder


def write_run(
    out: Path,
    *,
    classifier: Classifier,
    chosen: Chosen,
    extractor: Extractor,
    predictions: Predictions,
    summary: ClassificationSummary,
    clips: Sequence[Clip],
    class_names: Sequence[str],
    split: Mapping[str, Any],
    config: Mapping[str, Any],
) -> Path:
    """Writes what was measured into a run folder of its own.

    Args:
        out: Where the run folders are.
        classifier: What learnt.
        chosen: With which setting.
        extractor: From what.
        predictions: What it says of N test clips.
        summary: Its figures.
        clips: The N test clips.
        class_names: K names in label order.
        split: Who trained, validated and was tested.
        config: What repeats the run.

    Returns:
        The folder.

    Raises:
        UserError: When it can't be written.
    """
    facts = RunFacts(
        split=split,
        model=model_name(classifier, extractor),
        num_parameters=extractor.num_parameters + num_numbers(chosen.pipeline),
        gflops_per_clip=extractor.gflops_per_clip,
        checkpoint="",
        train_seconds=chosen.seconds,
        epochs=0,
    )
    record = {
        "setting": chosen.setting,
        "tried": [asdict(tried) for tried in chosen.tried],
        "temperature": chosen.temperature,
        "features": extractor.version,
        "train_seconds": chosen.seconds,
    }
    try:
        folder = new_run_folder(out, classifier, extractor)
        with whole_file(folder / "config.yaml") as file:
            file.write(
                yaml.safe_dump({**config, "classifier": classifier}, sort_keys=False).encode()
            )
        with whole_file(folder / RECORD) as file:
            file.write(f"{json.dumps(record, indent=2)}\n".encode())
        write_report(
            folder / "test",
            summary,
            facts,
            predictions,
            paths=[clip.address for clip in clips],
            actors=[str(clip.actor) for clip in clips],
            class_names=class_names,
        )
    except OSError as error:
        raise UserError(
            f"can't write into {out}: {error.strerror or error}; make room or choose another folder with --out"
        ) from error
    return folder
