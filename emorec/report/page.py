"""The files of a comparison: report.html with its figures inside, tables, and the commands that repeat the runs."""

import math
import platform
import shlex
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from emorec.errors import UserError
from emorec.io import atomic_write, disk_errors
from emorec.report.breakdown import break_down
from emorec.report.comparison import Comparison, PairResult
from emorec.report.figures import report_figures
from emorec.report.models import PER_RUN, Model
from emorec.report.runs import CONFIG, Run
from emorec.report.sentences import COST_NOTE
from emorec.report.tables import Content, latex, markdown, spreadsheet
from emorec.report.templating import render

REPORT = "report.html"

MAX_MODEL_COLUMNS = 5
"""Of a table; further models go to a table of their own below."""

BASELINE_KEY = "classifier"
"""The setting that only the configurations of `emorec baseline` have."""

PACKAGES = (
    *("emorec", "torch", "torchvision", "lightning", "torchmetrics", "decord", "decord2"),
    *("albumentations", "numpy", "scipy", "pandas", "matplotlib", "tensorboard"),
)


def write_report(
    content: Content,
    out: Path,
    *,
    command: str,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Write table.md, table.tex, table.csv, figures/ and, when these are complete, report.html.

    Args:
        content: What to show.
        out: The folder; files of an earlier report in it are replaced.
        command: The command line, shown on the page.
        progress: Gets the name of each step.

    Raises:
        UserError: When the folder can't be written or the disk is full.
    """
    comparison, results = content.comparison, content.comparison.results
    try:
        _write(out / "table.md", markdown(content))
        _write(out / "table.tex", latex(content))
        _write(out / "table.csv", spreadsheet(comparison))
        progress("breakdowns")
        breakdowns = [
            break_down(comparison.task, result, comparison.resamples) for result in results
        ]
        figures = []
        for figure in report_figures(comparison, breakdowns):
            progress(f"figure {figure.name}")
            _write(out / "figures" / f"{figure.name}.svg", figure.svg)
            _write(out / "figures" / f"{figure.name}.png", figure.png)
            figures.append(figure)
        text = render(
            "page.html",
            content=content,
            comparison=comparison,
            task=comparison.task,
            breakdowns=breakdowns,
            figures=figures,
            clip_scores={result.name: result.clip_scores for result in results},
            matrix=difference_matrix(comparison),
            leaking={result.name for result in results if result.leaks},
            model_groups=np.array_split(
                range(len(results)), math.ceil(len(results) / MAX_MODEL_COLUMNS)
            ),
            cost_note=COST_NOTE,
            run_commands=run_commands,
            shared_settings=shared_settings,
            repeat_command=repeat_command,
            command=command,
            created=datetime.now().astimezone(),
            versions=package_versions(),
        )
        _write(out / REPORT, text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"can't write the report into {out}: {reason} (choose another folder with --out)"
        ) from error


def remove_report(out: Path) -> None:
    """Remove report.html of an earlier call from a folder, and the tables beside it; figures stay.

    Raises:
        UserError: When a file can't be removed.
    """
    if (out / REPORT).is_file():
        with disk_errors(out):
            for name in ("table.md", "table.tex", "table.csv", REPORT):
                (out / name).unlink(missing_ok=True)


def _write(path: Path, content: str | bytes) -> None:
    if isinstance(content, str):
        content = content.encode("utf-8", errors="surrogateescape")
    with atomic_write(path) as file:
        file.write(content)


def difference_matrix(comparison: Comparison) -> list[list[tuple[PairResult, float] | None]]:
    """(M, M): the pair, and the score of the row's model minus that of the column's; `None` on the diagonal."""
    names = [result.name for result in comparison.results]
    cells: dict[tuple[str, str], tuple[PairResult, float]] = {}
    for pair in comparison.pairs:
        cells[pair.better, pair.other] = pair, pair.pair.difference
        cells[pair.other, pair.better] = pair, -pair.pair.difference
    return [[cells.get((row, column)) for column in names] for row in names]


def run_commands(run: Run) -> list[str]:
    """Return the commands that train and test a run again; none for a run from Python.

    A study writes the run folder into the configuration; the repetition gets a new one.
    """
    if not run.config:
        return []
    config = str(run.folder / CONFIG)
    if BASELINE_KEY in run.config:
        return [shlex.join(["emorec", "baseline", "--config", config])]
    trainer = run.config.get("trainer")
    logger = trainer.get("logger") if isinstance(trainer, dict) else None
    fit = ["emorec", "fit", "--config", config]
    described = logger if isinstance(logger, list) else [logger]
    if any(isinstance(each, dict) and "version" in each.get("init_args", {}) for each in described):
        fit += ["--trainer.logger", "true"]
    test = ["emorec", "test", "--ckpt", run.checkpoint or "best.ckpt"]
    views = run.metrics.get("views")
    if isinstance(views, int) and views > 1:
        test += ["--views", str(views)]
    return [shlex.join(fit), shlex.join(test)]


def repeat_command(run: Run) -> str:
    """Return the command that repeats a run from its model's shared settings, saved as `config.yaml`."""
    command = "baseline" if BASELINE_KEY in run.config else "fit"
    fold = [] if run.fold is None else ["--data.fold", str(run.fold)]
    seed = [] if run.seed is None else ["--seed_everything", str(run.seed)]
    return shlex.join(["emorec", command, "--config", "config.yaml", *fold, *seed])


def shared_settings(model: Model) -> str:
    """Return the configuration that the runs of a model share, as YAML; empty when none is known.

    Fold, seed and run folder are left out, as each run has its own.
    """
    config = deepcopy(dict(model.runs[0].config))
    for *sections, key in (*PER_RUN, ("trainer", "logger")):
        section: Any = config
        for name in sections:
            section = section.get(name) if isinstance(section, dict) else None
        if isinstance(section, dict):
            section.pop(key, None)
    settings = {key: value for key, value in config.items() if value not in (None, {})}
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True) if settings else ""


def package_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python, of the installed ones among the packages, and of the system."""
    versions = {"Python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions | {"system": f"{platform.system()} {platform.machine()}"}
