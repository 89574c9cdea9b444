"""A confusion matrix can be read at any number of classes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from emorec.data.clip import EMOTIONS
from emorec.evaluation.figures import confusion_figure, figure_to_image

NAMES = {
    2: ("calm", "anything but calm"),
    8: EMOTIONS,
    12: (*EMOTIONS, "surprise_negative", "embarrassment", "$pride$", "[shame]"),
}


def matrix_of(num_classes: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 40, (num_classes, num_classes))


def boxes(figure: Figure, texts: list[Text]) -> list[Bbox]:
    """Where the texts are, in pixels."""
    figure_to_image(figure)
    return [text.get_window_extent() for text in texts]


@pytest.mark.parametrize("num_classes", NAMES)
def test_every_cell_shows_its_count_in_the_row_of_the_truth(num_classes: int) -> None:
    matrix = matrix_of(num_classes)
    axes = confusion_figure(matrix, NAMES[num_classes], "title").axes[0]
    shown = {text.get_position(): text.get_text() for text in axes.texts}
    for row, column in np.ndindex(matrix.shape):
        assert shown[column, row] == str(matrix[row, column])
    rows = [label.get_text() for label in axes.get_yticklabels()]
    expected = zip(NAMES[num_classes], matrix.sum(axis=1), strict=True)
    assert rows == [f"{name} ({clips})" for name, clips in expected]
    assert [label.get_text() for label in axes.get_xticklabels()] == list(NAMES[num_classes])


@pytest.mark.parametrize("num_classes", NAMES)
@pytest.mark.parametrize("times", [1, 1000])
def test_no_text_is_cut_off_or_covers_another(num_classes: int, times: int) -> None:
    title = "EarlyFusionResNet on the unseen actors 23, 24: UAR 61.3%"
    figure = confusion_figure(times * matrix_of(num_classes), NAMES[num_classes], title)
    axes, bar = figure.axes[0], figure.axes[0].child_axes[0]
    upright = [*axes.texts, *axes.get_yticklabels(), axes.yaxis.label, axes.xaxis.label]
    upright += [*bar.get_yticklabels(), bar.yaxis.label, figure._suptitle]
    everything = [*upright, *axes.get_xticklabels()]
    for box, text in zip(boxes(figure, everything), everything, strict=True):
        assert figure.bbox.contains(box.x0, box.y0), text
        assert figure.bbox.contains(box.x1, box.y1), text
    found = boxes(figure, upright)
    for number, box in enumerate(found):
        for other, text in zip(found[number + 1 :], upright[number + 1 :], strict=True):
            assert not box.overlaps(other), (upright[number], text)
    lowest = min(box.y0 for box in boxes(figure, list(axes.get_xticklabels())))
    assert boxes(figure, [axes.xaxis.label])[0].y1 <= lowest


@pytest.mark.parametrize("num_classes", NAMES)
def test_slanted_names_are_a_line_apart(num_classes: int) -> None:
    figure = confusion_figure(matrix_of(num_classes), NAMES[num_classes], "title")
    axes = figure.axes[0]
    between_ticks = axes.get_window_extent().width / num_classes
    for label in axes.get_xticklabels():
        line = 1.2 * label.get_fontsize() / 72 * figure.dpi
        across = between_ticks * np.sin(np.radians(label.get_rotation()))
        assert across > line


def test_names_are_shown_as_they_are_and_not_as_formulas() -> None:
    figure = confusion_figure(matrix_of(12), NAMES[12], "$a_b$")
    axes = figure.axes[0]
    labels = [*axes.get_xticklabels(), *axes.get_yticklabels(), figure._suptitle]
    assert not any(label.get_parse_math() for label in labels)


def test_a_cell_is_coloured_by_its_share_of_the_true_class() -> None:
    matrix = torch.tensor([[30, 10], [0, 400]])
    axes = confusion_figure(matrix, NAMES[2], "title").axes[0]
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares, [[0.75, 0.25], [0, 1]])
    assert axes.images[0].get_clim() == (0, 1)


def test_the_colours_of_the_shares_are_ordered_by_lightness_alone() -> None:
    axes = confusion_figure(matrix_of(2), NAMES[2], "title").axes[0]
    colours = axes.images[0].get_cmap()(np.linspace(0, 1, 50))[:, :3]
    assert axes.images[0].get_cmap() == colormaps["Blues"]
    assert (np.diff(colours @ [0.2126, 0.7152, 0.0722]) < 0).all()


def test_a_class_that_never_occurs_has_an_empty_row() -> None:
    axes = confusion_figure([[3, 1], [0, 0]], NAMES[2], "title").axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 0]])


def test_a_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\) is not one of 8 classes"):
        confusion_figure(matrix_of(2), EMOTIONS, "title")


def test_figures_drawn_in_threads_are_those_drawn_alone_and_pyplot_knows_none() -> None:
    def draw(num_classes: int) -> np.ndarray:
        return figure_to_image(confusion_figure(matrix_of(num_classes), NAMES[num_classes], "t"))

    alone = [draw(num_classes) for num_classes in NAMES]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(draw, NAMES))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    from matplotlib import _pylab_helpers

    assert not _pylab_helpers.Gcf.figs
