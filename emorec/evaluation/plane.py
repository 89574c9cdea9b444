"""The plane of two numbers, such as valence and arousal: where clips lie, and where a network puts them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from emorec.evaluation.figures import DPI

BINS = 40
"""A side. Source: Rangulov & Fahim 2020, section 3 (a histogram of 40 x 40)."""


def plane_figure(points: Mapping[str, ArrayLike], names: Sequence[str], title: str) -> Figure:
    """Histograms of points in the same plane beside each other, in one scale of colours.

    Args:
        points: What it is -> (N, R) numbers of -1 to 1, of which the first two are shown; what lies outside is shown at
            the border. With R = 1 the histogram has one axis.
        names: R names.
        title: What is above all.
    """
    figure = Figure(figsize=(4.2 * len(points) + 0.8, 4.4), dpi=DPI, layout="constrained")
    figure.suptitle(title, size=11, parse_math=False)
    panels = figure.subplots(1, len(points), squeeze=False)[0]
    each = {what: np.clip(np.asarray(numbers), -1, 1) for what, numbers in points.items()}
    edges = np.linspace(-1, 1, BINS + 1)
    if len(names) == 1:
        for axes, (what, numbers) in zip(panels, each.items(), strict=True):
            axes.hist(numbers[:, 0], bins=edges, color="#4c72b0")
            axes.set(title=f"{what} ({len(numbers):,})", xlabel=names[0], ylabel="clips")
        return figure
    counts = [np.histogram2d(own[:, 0], own[:, 1], bins=(edges, edges))[0] for own in each.values()]
    most = max(float(count.max(initial=0)) for count in counts)
    scale = LogNorm(1, max(most, 2.0))
    for axes, (what, numbers), count in zip(panels, each.items(), counts, strict=True):
        shown = np.ma.masked_equal(count.T, 0)
        image = axes.pcolormesh(edges, edges, shown, norm=scale, cmap="viridis")
        axes.axhline(0, color="#b5bcc4", linewidth=0.8, zorder=0)
        axes.axvline(0, color="#b5bcc4", linewidth=0.8, zorder=0)
        axes.set(title=f"{what} ({len(numbers):,})", xlabel=names[0], ylabel=names[1])
        axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    figure.colorbar(image, ax=list(panels), label="clips", shrink=0.9, format="{x:,.0f}")
    return figure


def counts_figure(
    labels: Mapping[str, ArrayLike], class_names: Sequence[str], title: str
) -> Figure:
    """Clips of each class, before and after something was done to them.

    Args:
        labels: What it is -> (N,) classes.
        class_names: K names in label order.
        title: What is above it.
    """
    figure = Figure(figsize=(7.5, 4.2), dpi=DPI, layout="constrained")
    figure.suptitle(title, size=11, parse_math=False)
    axes = figure.subplots()
    width = 0.8 / len(labels)
    for turn, (what, own) in enumerate(labels.items()):
        count = np.bincount(np.asarray(own, dtype=int), minlength=len(class_names))
        places = np.arange(len(class_names)) + (turn - (len(labels) - 1) / 2) * width
        axes.bar(places, count, width, label=f"{what} ({count.sum():,})")
    axes.set_xticks(range(len(class_names)), class_names, rotation=30, ha="right", parse_math=False)
    axes.set(ylabel="clips")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure
