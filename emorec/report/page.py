"""The files of a comparison: report.html with its figures inside, tables, and the commands that repeat the runs."""

import base64
import io
import platform
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FunctionLoader, StrictUndefined

from emorec.errors import UserError
from emorec.io import atomic_write
from emorec.report.breakdown import break_down, breakdown_tables
from emorec.report.comparison import COST, Comparison, PairResult
from emorec.report.figures import ReportFigure, report_figures, reproducible_svg
from emorec.report.models import Model
from emorec.report.runs import CONFIG, Run, format_actors
from emorec.report.sentences import COST_NOTE
from emorec.report.tables import Content, latex, markdown, spreadsheet
from emorec.text import p_value, percent

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
    comparison = content.comparison
    try:
        _write_text(out / "table.md", markdown(content))
        _write_text(out / "table.tex", latex(content))
        _write_text(out / "table.csv", spreadsheet(comparison))
        progress("breakdowns")
        breakdowns = [
            break_down(comparison.task, result, comparison.resamples)
            for result in comparison.results
        ]
        drawn = []
        for figure in report_figures(comparison, breakdowns):
            progress(f"figure {figure.name}")
            drawn.append((figure, _write_figure(figure, out / "figures")))
        context = page_context(content)
        context |= {
            "breakdowns": breakdowns,
            "breakdown_tables": breakdown_tables(comparison.task, breakdowns),
            "figures": drawn,
            "command": command,
            "created": datetime.now().astimezone(),
        }
        _write_text(out / REPORT, _environment().get_template("page.html").render(context))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"can't write the report into {out}: {reason} (choose another folder with --out)"
        ) from error


def _write_figure(figure: ReportFigure, folder: Path) -> bytes:
    """Write a figure as PNG and SVG; return the latter."""
    drawn = figure.draw()
    svg = io.BytesIO()
    with reproducible_svg():
        drawn.savefig(svg, format="svg", metadata={"Date": None})
    with atomic_write(folder / f"{figure.name}.svg") as file:
        file.write(svg.getvalue())
    with atomic_write(folder / f"{figure.name}.png") as file:
        drawn.savefig(file, format="png")
    return svg.getvalue()


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text.encode("utf-8", errors="surrogateescape"))


def page_context(content: Content) -> dict[str, Any]:
    """Return the variables of the page's template that need no figures."""
    comparison = content.comparison
    columns = content.columns
    leaking = {result.name for result in comparison.results if result.leaks}
    return {
        "content": content,
        "comparison": comparison,
        "task": comparison.task,
        "score_columns": {name: columns[name] for name in (*content.scores, *content.spreads)},
        "cost_columns": {name: columns[name] for name in columns if name in COST},
        "cost_note": COST_NOTE,
        "clip_scores": {result.name: result.clip_scores for result in comparison.results},
        "matrix": difference_matrix(comparison),
        "leaking": leaking,
        "model_groups": split_evenly(range(len(comparison.results)), MAX_MODEL_COLUMNS),
        "run_commands": run_commands,
        "shared_settings": shared_settings,
        "repeat_command": repeat_command,
        "versions": package_versions(),
    }


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(
            lambda name: files("emorec.report").joinpath(name).read_text(encoding="utf-8")
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "actors": format_actors,
        "embedded": data_url,
        "p_value": p_value,
        "percent": percent,
    }
    return environment


def data_url(svg: bytes) -> str:
    """Return an SVG image as a data URL."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def difference_matrix(comparison: Comparison) -> list[list[tuple[PairResult, float] | None]]:
    """(M, M): the pair, and the score of the row's model minus that of the column's; `None` on the diagonal."""
    names = [result.name for result in comparison.results]
    cells: dict[tuple[str, str], tuple[PairResult, float]] = {}
    for pair in comparison.pairs:
        cells[pair.better, pair.other] = pair, pair.pair.difference
        cells[pair.other, pair.better] = pair, -pair.pair.difference
    return [[cells.get((row, column)) for column in names] for row in names]


def split_evenly(values: Sequence[int], limit: int) -> list[list[int]]:
    """Split values into lists of nearly equal length.

    >>> split_evenly(range(6), 5), split_evenly([1], 5)
    ([[0, 1, 2], [3, 4, 5]], [[1]])
    """
    number = -(-len(values) // limit)
    size = -(-len(values) // number)
    return [list(values[start : start + size]) for start in range(0, len(values), size)]


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
    if isinstance(logger, dict | list):
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
    config = model.runs[0].config
    if not config:
        return ""
    shared = {key: value for key, value in config.items() if key != "seed_everything"}
    shared["data"] = _drop_keys(shared.get("data"), "fold", "seed")
    shared["trainer"] = _drop_keys(shared.get("trainer"), "logger")
    settings = {key: value for key, value in shared.items() if value not in (None, {})}
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def _drop_keys(section: Any, *keys: str) -> Any:
    if not isinstance(section, Mapping):
        return section
    kept = {key: value for key, value in section.items() if key not in keys}
    if isinstance(kept.get("init_args"), Mapping):
        kept["init_args"] = {k: v for k, v in kept["init_args"].items() if k not in keys}
    return kept


def package_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python, of the installed ones among the packages, and of the system."""
    versions = {"Python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions | {"system": f"{platform.system()} {platform.machine()}"}
