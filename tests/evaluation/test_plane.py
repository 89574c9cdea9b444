"""Pictures of the plane of two numbers show every clip where it lies."""

import numpy as np
import pytest

from emorec.evaluation.plane import counts_figure
from emorec.evaluation.figures import plane_figure

NAMES = ("valence", "arousal")


def test_each_panel_is_the_histogram_of_its_points() -> None:
    rng = np.random.default_rng(0)
    points = {"truth": rng.uniform(-1, 1, (500, 2)), "prediction": rng.normal(0, 0.6, (500, 2))}
    figure = plane_figure(points, NAMES, "a title")
    panels = [axes for axes in figure.axes if axes.get_xlabel() == "valence"]
    edges = np.linspace(-1, 1, 41)
    assert [axes.get_title() for axes in panels] == ["truth (500)", "prediction (500)"]
    for axes, own in zip(panels, points.values(), strict=True):
        (mesh,) = axes.collections
        shown = np.ma.filled(mesh.get_array(), 0).reshape(40, 40)
        valence, arousal = own.clip(-1, 1).T
        expected, _, _ = np.histogram2d(arousal, valence, bins=(edges, edges))
        np.testing.assert_array_equal(shown, expected)
        assert shown.sum() == 500, "what lies outside is at the border"


@pytest.mark.parametrize("clips", [0, 1])
def test_few_clips_have_a_picture_too(clips: int) -> None:
    points = np.zeros((clips, 2))
    assert len(plane_figure({"truth": points, "prediction": points}, NAMES, "").axes) == 3


def test_one_number_has_a_histogram_of_one_axis() -> None:
    figure = plane_figure({"truth": np.array([[0.5], [0.5], [-1.0]])}, ["valence"], "")
    (axes,) = figure.axes
    assert sorted(bar.get_height() for bar in axes.patches)[-2:] == [1, 2]


def test_bars_are_the_clips_of_each_class() -> None:
    labels = {"before": np.array([0, 0, 0, 2]), "after": np.array([0, 2])}
    (axes,) = counts_figure(labels, ("calm", "sad", "happy"), "").axes
    assert [bar.get_height() for bar in axes.patches] == [3, 0, 1, 1, 0, 1]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["calm", "sad", "happy"]
