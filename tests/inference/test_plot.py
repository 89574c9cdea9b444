"""The plot timeline.png."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox

from emorec.data.landmarks import CONTOUR_STARTS
from emorec.evaluation.figures import figure_to_image
from emorec.inference.plot import (
    FACE_SHARE,
    MAX_PANELS,
    MAX_STEPS,
    plot_timeline,
    timeline_figure,
)
from emorec.inference.timeline import Gap, Timeline
from tests.inference.fakes import timeline

PICTURES: dict[str, Timeline] = {
    "one window": timeline(1),
    "a thousand windows": timeline(1000),
    "five people, a hole, nobody for a while": timeline(
        40, people=5, without_face=range(10, 14), gaps=(Gap(50.0, 60.0),)
    ),
    "numbers": timeline(60, names=("valence", "arousal"), numbers=True),
    "nobody": timeline(4, without_face=range(4)),
    "classes of other names": timeline(9, names=tuple(f"${n}^ клас {n}" for n in range(15))),
}


@pytest.mark.parametrize("name", PICTURES)
def test_plotting_is_deterministic(name: str, tmp_path: Path) -> None:
    for file_name in ("one.png", "two.png"):
        plot_timeline(tmp_path / file_name, PICTURES[name])
    content = (tmp_path / "one.png").read_bytes()
    assert content == (tmp_path / "two.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"Software" not in content


@pytest.mark.parametrize(("windows", "shown"), [(3, 3), (200, 1 / FACE_SHARE)])
def test_as_many_faces_as_fit_stand_above_their_windows(windows: int, shown: float) -> None:
    contour = np.random.default_rng(0).integers(0, 90, (int(CONTOUR_STARTS[-1]), 2), np.int16)
    predictions = timeline(windows)
    with_faces = tuple(replace(w, contours=((w.start, contour),)) for w in predictions.windows)
    figure = timeline_figure(replace(predictions, windows=with_faces))
    (axes,) = figure.axes
    faces = [each for each in axes.get_children() if isinstance(each, AnnotationBbox)]
    assert 0.8 * shown < len(faces) <= shown
    figure.draw_without_rendering()
    edges = [face.get_window_extent() for face in faces]
    assert all(one.x1 <= other.x0 + 4 for one, other in itertools.pairwise(edges))
    assert all(edge.y1 < figure.bbox.height for edge in edges)


@pytest.mark.parametrize("name", PICTURES)
def test_texts_are_inside_the_figure_and_do_not_overlap(name: str) -> None:
    figure = timeline_figure(PICTURES[name])
    image = figure_to_image(figure)
    height, width = image.shape[:2]
    boxes = [text.get_window_extent() for text in texts_of(figure)]
    for position, box in enumerate(boxes):
        assert box.x0 >= -1
        assert box.x1 <= width + 1
        assert box.y0 >= -1
        assert box.y1 <= height + 1
        for previous in boxes[:position]:
            across = min(box.x1, previous.x1) - max(box.x0, previous.x0)
            down = min(box.y1, previous.y1) - max(box.y0, previous.y0)
            assert min(across, down) < 1.5, (box, previous)


def texts_of(figure: Figure) -> list[Any]:
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        texts += [*axes.texts, *ticks_of(axes.yaxis, axes.get_ylim())]
    texts += ticks_of(figure.axes[-1].xaxis, figure.axes[-1].get_xlim())
    return [text for text in texts if text.get_visible() and text.get_text()]


def ticks_of(axis: Any, limits: tuple[float, float]) -> list[Any]:
    """The visible tick labels: those within the limits."""
    ticks = zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
    return [label for label, position in ticks if limits[0] <= position <= limits[1]]


def test_the_persons_with_the_most_windows_have_panels() -> None:
    figure = timeline_figure(timeline(2, people=MAX_PANELS + 3))
    assert len(figure.axes) == MAX_PANELS
    assert "3 more persons" in figure.get_suptitle()


def test_probabilities_are_stacked() -> None:
    predictions = timeline(1)
    figure = timeline_figure(predictions)
    image = figure_to_image(figure)
    panel = figure.axes[0].get_window_extent()
    rows = slice(round(len(image) - panel.y1), round(len(image) - panel.y0))
    column = image[rows, image.shape[1] // 2].astype(int)
    blue = np.abs(column - [0x3D, 0x6F, 0xB6]).max(axis=1) <= 2  # sad
    red = np.abs(column - [0xC8, 0x37, 0x2D]).max(axis=1) <= 2  # angry
    shares = predictions.windows[0].probabilities
    assert [blue.sum(), red.sum()] == pytest.approx(
        [len(column) * shares["sad"], len(column) * shares["angry"]], abs=3
    )


def test_neighbours_in_a_long_timeline_are_drawn_as_their_mean() -> None:
    predictions = timeline(2 * MAX_STEPS)
    lowest = timeline_figure(predictions).axes[0].collections[0].get_paths()[0].vertices
    steps = np.unique(lowest[:, 1][lowest[:, 1] > 0])
    means = np.array([each.values[0] for each in predictions.windows]).reshape(-1, 2).mean(axis=1)
    np.testing.assert_allclose(steps, np.unique(means), atol=1e-9)


def test_the_title_warns_of_unfamiliar_windows_and_a_line_shows_which() -> None:
    whole = timeline(2, people=1)
    first, *others = whole.windows
    marked = replace(whole, windows=(replace(first, unfamiliar=("sound",)), *others))
    figure = timeline_figure(marked)
    assert "unlike the training clips (sound 1)" in figure.get_suptitle()
    image = figure_to_image(figure)
    panel = figure.axes[0].get_window_extent()
    above = image[round(len(image) - panel.y0 - 1.015 * panel.height)]
    one_quarter, three_quarters = (round(panel.x0 + share * panel.width) for share in (0.25, 0.75))
    assert above[one_quarter].max() < 60
    assert above[three_quarters].min() > 240
    assert "unlike" not in timeline_figure(whole).get_suptitle()
