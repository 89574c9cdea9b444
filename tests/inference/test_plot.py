"""timeline.png."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from emorec.evaluation.figures import figure_to_image
from emorec.inference.plot import MAX_PANELS, plot_timeline, timeline_figure
from emorec.inference.timeline import Gap, Timeline
from tests.inference.fakes import timeline

PICTURES: dict[str, Timeline] = {
    "one window": timeline(1),
    "a thousand windows": timeline(1000),
    "five people, a hole, nobody for a while": timeline(
        40, people=5, nobody=range(10, 14), gaps=(Gap(50.0, 60.0),)
    ),
    "numbers": timeline(60, names=("valence", "arousal"), numbers=True),
    "nobody": timeline(4, nobody=range(4)),
    "classes of other names": timeline(9, names=tuple(f"${n}^ клас {n}" for n in range(15))),
}


@pytest.mark.parametrize("what", PICTURES)
def test_the_same_timeline_is_the_same_picture_to_the_byte(what: str, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        plot_timeline(tmp_path / name, PICTURES[what])
    content = (tmp_path / "one.png").read_bytes()
    assert content == (tmp_path / "two.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"Software" not in content


@pytest.mark.parametrize("what", PICTURES)
def test_all_words_of_a_picture_are_inside_it_and_do_not_overlap(what: str) -> None:
    figure = timeline_figure(PICTURES[what])
    image = figure_to_image(figure)
    height, width = image.shape[:2]
    boxes = [text.get_window_extent() for text in words_of(figure)]
    for place, box in enumerate(boxes):
        assert box.x0 >= -1
        assert box.x1 <= width + 1
        assert box.y0 >= -1
        assert box.y1 <= height + 1
        for other in boxes[:place]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            down = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(across, down) < 1.5, (box, other)


def words_of(figure: Figure) -> list[Any]:
    words = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        words += [*axes.texts, *ticks_of(axes.yaxis, axes.get_ylim())]
    words += ticks_of(figure.axes[-1].xaxis, figure.axes[-1].get_xlim())
    return [text for text in words if text.get_visible() and text.get_text()]


def ticks_of(axis: Any, limits: tuple[float, float]) -> list[Any]:
    """The labels that are drawn: those within the limits."""
    both = zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
    return [label for label, place in both if limits[0] <= place <= limits[1]]


def test_of_many_persons_those_with_the_most_windows_have_panels() -> None:
    figure = timeline_figure(timeline(2, people=MAX_PANELS + 3))
    assert len(figure.axes) == MAX_PANELS
    assert "3 more persons" in figure.get_suptitle()


def test_a_picture_shows_the_probabilities_stacked() -> None:
    said = timeline(1)
    figure = timeline_figure(said)
    image = figure_to_image(figure)
    panel = figure.axes[0].get_window_extent()
    rows = slice(round(len(image) - panel.y1), round(len(image) - panel.y0))
    column = image[rows, image.shape[1] // 2].astype(int)
    blue = np.abs(column - [0x3D, 0x6F, 0xB6]).max(axis=1) <= 2  # sad
    red = np.abs(column - [0xC8, 0x37, 0x2D]).max(axis=1) <= 2  # angry
    shares = said.windows[0].probabilities
    assert [blue.sum(), red.sum()] == pytest.approx(
        [len(column) * shares["sad"], len(column) * shares["angry"]], abs=3
    )
