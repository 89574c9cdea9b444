"""Figures are legible for any number of classes, clips, frames and pixels."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from emorec.data.clip import EMOTIONS
from emorec.evaluation.figures import (
    MAX_CURVES,
    MAX_MESHES,
    blendshape_sheet,
    class_counts_figure,
    confusion_figure,
    contact_sheet,
    figure_to_image,
    mesh_sheet,
    plane_figure,
)

NAMES = {
    2: ("calm", "anything but calm"),
    8: EMOTIONS,
    12: (*EMOTIONS, "surprise_negative", "embarrassment", "$pride$", "[shame]"),
}


NUMBERS = ("valence", "arousal")


def matrix_of(num_classes: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 40, (num_classes, num_classes))


def boxes(figure: Figure, texts: list[Text]) -> list[Bbox]:
    """Bounding boxes of the texts, in pixels."""
    figure_to_image(figure)
    return [text.get_window_extent() for text in texts]


@pytest.mark.parametrize("num_classes", NAMES)
def test_every_cell_shows_its_count_in_the_row_of_the_truth(num_classes: int) -> None:
    matrix = matrix_of(num_classes)
    axes = confusion_figure(matrix, NAMES[num_classes], "title").axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    for row, column in np.ndindex(matrix.shape):
        assert cells[column, row] == str(matrix[row, column])
    rows = [label.get_text() for label in axes.get_yticklabels()]
    expected = zip(NAMES[num_classes], matrix.sum(axis=1), strict=True)
    assert rows == [f"{name} ({clips})" for name, clips in expected]
    assert [label.get_text() for label in axes.get_xticklabels()] == list(NAMES[num_classes])


@pytest.mark.parametrize("num_classes", NAMES)
@pytest.mark.parametrize("times", [1, 1000])
def test_texts_are_not_cut_off_and_do_not_overlap(num_classes: int, times: int) -> None:
    title = "EarlyFusionResNet on the unseen actors 23, 24: UAR 61.3%"
    figure = confusion_figure(times * matrix_of(num_classes), NAMES[num_classes], title)
    axes, bar = figure.axes[0], figure.axes[0].child_axes[0]
    upright = [*axes.texts, *axes.get_yticklabels(), axes.yaxis.label, axes.xaxis.label]
    upright += [*bar.get_yticklabels(), bar.yaxis.label, *figure.texts]
    everything = [*upright, *axes.get_xticklabels()]
    for box, text in zip(boxes(figure, everything), everything, strict=True):
        assert figure.bbox.contains(box.x0, box.y0), text
        assert figure.bbox.contains(box.x1, box.y1), text
    extents = boxes(figure, upright)
    for number, box in enumerate(extents):
        for following, text in zip(extents[number + 1 :], upright[number + 1 :], strict=True):
            assert not box.overlaps(following), (upright[number], text)
    lowest = min(box.y0 for box in boxes(figure, list(axes.get_xticklabels())))
    assert boxes(figure, [axes.xaxis.label])[0].y1 <= lowest


@pytest.mark.parametrize("num_classes", NAMES)
def test_slanted_names_do_not_overlap(num_classes: int) -> None:
    figure = confusion_figure(matrix_of(num_classes), NAMES[num_classes], "title")
    axes = figure.axes[0]
    between_ticks = axes.get_window_extent().width / num_classes
    for label in axes.get_xticklabels():
        line = 1.2 * label.get_fontsize() / 72 * figure.dpi
        across = between_ticks * np.sin(np.radians(label.get_rotation()))
        assert across > line


def test_names_are_shown_verbatim_and_not_as_mathtext() -> None:
    figure = confusion_figure(matrix_of(12), NAMES[12], "$a_b$")
    axes = figure.axes[0]
    labels = [*axes.get_xticklabels(), *axes.get_yticklabels(), *figure.texts]
    assert not any(label.get_parse_math() for label in labels)


def test_a_cell_is_coloured_by_its_share_of_the_true_class() -> None:
    matrix = torch.tensor([[30, 10], [0, 400]])
    axes = confusion_figure(matrix, NAMES[2], "title").axes[0]
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares, [[0.75, 0.25], [0, 1]])
    assert axes.images[0].get_clim() == (0, 1)


def test_the_colormap_is_ordered_by_lightness() -> None:
    axes = confusion_figure(matrix_of(2), NAMES[2], "title").axes[0]
    colours = axes.images[0].get_cmap()(np.linspace(0, 1, 50))[:, :3]
    assert axes.images[0].get_cmap() == colormaps["Blues"]
    assert (np.diff(colours @ [0.2126, 0.7152, 0.0722]) < 0).all()


def test_an_absent_class_has_an_empty_row() -> None:
    axes = confusion_figure([[3, 1], [0, 0]], NAMES[2], "title").axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 0]])


def test_a_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\) is not one of 8 classes"):
        confusion_figure(matrix_of(2), EMOTIONS, "title")


def test_figures_are_thread_safe_and_not_registered_in_pyplot() -> None:
    def draw(num_classes: int) -> np.ndarray:
        return figure_to_image(confusion_figure(matrix_of(num_classes), NAMES[num_classes], "t"))

    sequential = [draw(num_classes) for num_classes in NAMES]
    with ThreadPoolExecutor(3) as threads:
        threaded = list(threads.map(draw, NAMES))
    for alone_image, threaded_image in zip(sequential, threaded, strict=True):
        np.testing.assert_array_equal(alone_image, threaded_image)
    assert not plt.get_fignums()


def test_each_panel_is_the_histogram_of_its_points() -> None:
    rng = np.random.default_rng(0)
    points = {"truth": rng.uniform(-1, 1, (500, 2)), "prediction": rng.normal(0, 0.6, (500, 2))}
    figure = plane_figure(points, NUMBERS, "a title")
    panels = [axes for axes in figure.axes if axes.get_xlabel() == "valence"]
    edges = np.linspace(-1, 1, 41)
    assert [axes.get_title() for axes in panels] == ["truth (500)", "prediction (500)"]
    for axes, own in zip(panels, points.values(), strict=True):
        (mesh,) = axes.collections
        drawn_counts = np.ma.filled(mesh.get_array(), 0).reshape(40, 40)
        valence, arousal = own.clip(-1, 1).T
        expected, _, _ = np.histogram2d(arousal, valence, bins=(edges, edges))
        np.testing.assert_array_equal(drawn_counts, expected)
        assert drawn_counts.sum() == 500, "what lies outside is at the border"


@pytest.mark.parametrize("clips", [0, 1])
def test_few_clips_have_a_figure(clips: int) -> None:
    points = np.zeros((clips, 2))
    assert len(plane_figure({"truth": points, "prediction": points}, NUMBERS, "").axes) == 3


def test_one_number_has_a_one_dimensional_histogram() -> None:
    figure = plane_figure({"truth": np.array([[0.5], [0.5], [-1.0]])}, ["valence"], "")
    (axes,) = figure.axes
    assert sorted(bar.get_height() for bar in axes.patches)[-2:] == [1, 2]


def test_bars_are_the_clips_of_each_class() -> None:
    labels = {"before": np.array([0, 0, 0, 2]), "after": np.array([0, 2])}
    (axes,) = class_counts_figure(labels, ("calm", "sad", "happy"), "").axes
    assert [bar.get_height() for bar in axes.patches] == [3, 0, 1, 1, 0, 1]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["calm", "sad", "happy"]


def grey_clips(num_clips: int, num_frames: int, height: int, width: int) -> np.ndarray:
    """(N, T, H, W, C): frame t of clip n is uniformly grey, 100 n + 6 t."""
    level = 100 * np.arange(num_clips)[:, None] + 6 * np.arange(num_frames)
    grey = level[:, :, None, None, None] % 250
    return np.broadcast_to(grey, (num_clips, num_frames, height, width, 3)).astype(np.uint8)


def levels(image: np.ndarray) -> list[list[int]]:
    """Grey levels of the uniform areas of a sheet, row by row, from left to right."""
    rows: list[list[int]] = []
    for line in image[:, :, 0]:
        starts = np.flatnonzero(np.diff(line.astype(int), prepend=-1))
        runs = zip(starts, np.diff(starts, append=len(line)), strict=True)
        row = [int(line[start]) for start, length in runs if length > 25 and line[start] != 222]
        if row and row not in rows:
            rows.append(row)
    return rows


@pytest.mark.parametrize("size", [(64, 64), (112, 112), (224, 224), (90, 160)])
@pytest.mark.parametrize("num_frames", [1, 6, 16])
def test_a_sheet_shows_a_row_per_clip_with_its_frames_in_order(
    size: tuple[int, int], num_frames: int
) -> None:
    image = figure_to_image(contact_sheet(grey_clips(2, num_frames, *size), ["one", "two"]))
    frames = 6 * np.arange(num_frames)
    assert levels(image) == [frames.tolist(), (100 + frames).tolist()]
    assert 640 <= image.shape[1] <= 2000


def test_a_sheet_of_many_frames_shows_sixteen_evenly_spaced_ones() -> None:
    image = figure_to_image(contact_sheet(grey_clips(1, 31, 224, 224), ["one"]))
    assert levels(image) == [list(range(0, 181, 12))]
    assert image.shape[1] == 2000


def test_a_sheet_shows_colours_as_red_green_blue() -> None:
    clip = np.zeros((1, 1, 96, 96, 3), np.uint8)
    clip[...] = (200, 100, 50)
    image = figure_to_image(contact_sheet(clip, ["one"]))
    assert (image == (200, 100, 50)).all(axis=2).sum() >= 90 * 90


def test_a_long_caption_is_wrapped_inside_the_sheet_and_above_its_frames() -> None:
    captions = ["$a_file^name " * 20, "02-01-06-01-02-01-22: fearful, taken for surprised (97%)"]
    figure = contact_sheet(grey_clips(2, 4, 64, 64), captions)
    figure_to_image(figure)
    extents = [text.get_window_extent() for text in figure.axes[0].texts]
    strips = [image.get_window_extent() for image in figure.axes[0].images]
    for box, strip in zip(extents, strips, strict=True):
        assert figure.bbox.contains(box.x0, box.y0)
        assert figure.bbox.contains(box.x1, box.y1)
        assert box.y0 >= strip.y1 - 1
    assert extents[1].y1 <= strips[0].y0
    assert all(box.height >= 13 for box in extents), "large enough to read"


@pytest.mark.parametrize(
    "clips",
    [
        np.zeros((2, 3, 8, 8, 3), np.float32),
        np.zeros((2, 3, 3, 8, 8), np.uint8),
        np.zeros((3, 8, 8, 3), np.uint8),
        np.zeros((0, 3, 8, 8, 3), np.uint8),
    ],
)
def test_arrays_of_other_shapes_are_refused(clips: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(N, T, H, W, 3\)"):
        contact_sheet(clips, ["one"] * len(clips))


def test_a_missing_caption_is_refused() -> None:
    with pytest.raises(ValueError, match="1 captions for 2 clips"):
        contact_sheet(grey_clips(2, 1, 8, 8), ["one"])


def test_a_sheet_of_blendshapes_has_the_most_varied_ones_of_each_clip() -> None:
    names = [f"blendshape {number}" for number in range(20)]
    values = np.full((3, 5, 20), 0.5, np.float32)
    varied = [[0, 3, 7, 8, 12, 19], [1, 2, 4, 5, 6, 9], [10, 11, 13, 14, 15, 16]]
    for clip, positions in enumerate(varied):
        values[clip, 2, positions] = 1
    figure = blendshape_sheet(values, names, ["a", "b", "c"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b", "c", ""]
    for axes, positions in zip(figure.axes, varied, strict=False):
        labels = {line.get_label() for line in axes.lines}
        assert labels == {names[position] for position in positions}
        assert len(labels) == MAX_CURVES


def test_a_sheet_of_meshes_has_evenly_spaced_faces_side_by_side() -> None:
    corners = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0]], np.float32)
    landmarks = np.tile(corners, (1, 16, 1, 1)) * np.arange(1, 17).reshape(1, 16, 1, 1) / 16
    triangles = np.array([[0, 1, 2]], np.uint16)
    (axes, _) = mesh_sheet(landmarks, triangles, ["a"]).axes
    meshes = [line for line in axes.lines if line.get_linestyle() == "-"]
    assert len(meshes) == MAX_MESHES
    heights = [-np.nanmin(line.get_ydata()) for line in meshes]
    assert heights == pytest.approx(np.array([1, 4, 7, 10, 13, 16]) / 16)
    assert [np.nanmin(line.get_xdata()) for line in meshes] == pytest.approx(range(0, 12, 2))
