"""Draw the pictures of docs/evaluation.md into docs/images, from drawn clips and simulated experiments alone.

    python docs/pictures.py

It takes some minutes on two cores, most of them for the clips; run it again when a picture should change.
"""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from emorec.baseline.leakage_demo import Fold, shuffle_clips
from emorec.cli import main
from emorec.data.split import ACTORS, SUBSETS, make_split
from emorec.evaluation.intervals import scores_with_intervals
from emorec.evaluation.task import Classification
from emorec.report.figures import BLUE, GREY, INK, RED

IMAGES = Path(__file__).parent / "images"
SUBSET_COLORS = ("#9ecae1", "#fdd0a2", "#e6550d")
"""Of training, validation and test."""


def splits() -> Figure:
    """Draw the clips of 24 actors, coloured by subset: divided by actor, and at random."""
    split = make_split("msaf6", fold=2)
    clips_per_actor = 30
    actor_of = np.repeat(ACTORS, clips_per_actor)
    rows = {subset: np.flatnonzero(np.isin(actor_of, getattr(split, subset))) for subset in SUBSETS}
    by_actor = Fold(**rows)
    (at_random,) = shuffle_clips([by_actor], seed=1)
    figure = Figure(figsize=(8, 3.6), dpi=120, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, fold, title in zip(
        panels, (by_actor, at_random), ("by actor", "at random"), strict=True
    ):
        subset_of = np.zeros(len(actor_of))
        for number, subset in enumerate(SUBSETS):
            subset_of[getattr(fold, subset)] = number
        axes.pcolormesh(
            subset_of.reshape(len(ACTORS), clips_per_actor),
            cmap=ListedColormap(SUBSET_COLORS),
            edgecolor="white",
            linewidth=0.4,
        )
        axes.set_title(title, size=11, color=INK)
        axes.set(xlabel="clips", xticks=(), yticks=np.arange(24) + 0.5)
        axes.set_yticklabels(ACTORS, size=7)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    panels[0].invert_yaxis()
    panels[0].set_ylabel("actor")
    names = ("training", "validation", "test")
    handles = [Patch(color=color) for color in SUBSET_COLORS]
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def coverage() -> Figure:
    """Draw intervals of simulated experiments with a known truth, over clips and over actors."""
    truth, num_clips, experiments = 0.6, 60, 50
    task = Classification(("right", "wrong"))
    draw = np.random.default_rng(0)
    tables = []
    for _ in range(experiments):
        # accuracies that differ between actors, with the truth as their mean
        ability = np.clip(draw.normal(truth, 0.15, size=len(ACTORS)), 0, 1)
        right = draw.random((len(ACTORS), num_clips)) < ability[:, None]
        tables.append(
            pd.DataFrame(
                {
                    "path": [f"{number}.mp4" for number in range(right.size)],
                    "actor": np.repeat(ACTORS, num_clips),
                    "emotion": "right",
                    "predicted": np.where(right.ravel(), "right", "wrong"),
                    "confidence": 1.0,
                    "right": right.ravel().astype(float),
                    "wrong": 1 - right.ravel(),
                }
            )
        )
    figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, by in zip(panels, ("clip", "actor"), strict=True):
        missed = 0
        for row, table in enumerate(tables):
            estimate = scores_with_intervals(task, [table], by=by, resamples=2000)["accuracy"]
            assert estimate.interval is not None
            low, high = estimate.interval.low, estimate.interval.high
            covers = low <= truth <= high
            missed += not covers
            color = BLUE if covers else RED
            axes.plot([100 * low, 100 * high], [row, row], color=color, lw=1.3)
            axes.plot([100 * estimate.value], [row], "o", color=color, ms=2.5)
        axes.axvline(100 * truth, color=INK, lw=1)
        axes.set_title(f"over {by}s: {missed} of {experiments} miss the truth", size=11, color=INK)
        axes.set(xlabel="accuracy, per cent", yticks=())
        axes.spines[["top", "right", "left"]].set_visible(False)
    panels[0].set_ylabel("simulated experiments", color=GREY)
    return figure


def draw_runs() -> Path:
    """Compare four classifiers of drawn clips; return the folder of the report's figures."""
    size = ("--width", "128", "--height", "128", "--num_frames", "12")
    main(["synth", "clips", "--takes", "1", *size])
    frames = ("--data.image_size", "64", "--data.num_frames", "4", "--data.root", "clips")
    main(["baseline", "--features", "hog", "--data.split", "msaf6", "--folds", "all", *frames])
    main(["compare", "lightning_logs"])
    return Path("report/figures")


def save(name: str, picture: Figure | Path) -> None:
    """Write a picture, with few colours, so that it is small."""
    path = IMAGES / f"{name}.png"
    if isinstance(picture, Figure):
        picture.savefig(path)
        picture = path
    image = Image.open(picture).convert("RGB")
    image.thumbnail((960, 600))
    image.quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    save("splits", splits())
    save("coverage", coverage())
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        figures = draw_runs()
        save("comparison", figures / "uar_intervals.png")
        (confusion,) = figures.glob("*logistic*confusion_shares.png")
        save("confusion", confusion)
