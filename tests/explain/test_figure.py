"""Figures of explanations are legible for any values."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from emorec.explain.explainer import Explanation, FrameExplanation, Prediction
from emorec.explain.figure import draw_bars, headline, legend


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.5, -0.25, 0.004], ["+0.50", "\N{MINUS SIGN}0.25", "0"]),
        ([0.0042, 0.0018, -0.0001], ["+0.0042", "+0.0018", "\N{MINUS SIGN}0.0001"]),
        ([1e-7, 0.0, -1e-7], ["0", "0", "0"]),
    ],
)
def test_bar_labels_have_enough_digits(values: list[float], texts: list[str]) -> None:
    axes = Figure().add_subplot()
    heights = np.array(values, np.float32)
    draw_bars(axes, np.arange(3.0), heights, heights, 0.8)
    assert [text.get_text() for text in axes.texts] == texts
    low, high = axes.get_ylim()
    tallest = max(abs(bar.get_height()) for bar in axes.patches) / (high - low)
    assert tallest > 0.3 if texts[0] != "0" else tallest < 0.01


def test_the_legend_of_a_negative_number_mentions_zero() -> None:
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    saliency, importance = np.zeros((2, 8, 8), np.float32), np.zeros(2, np.float32)
    explained = FrameExplanation(
        frames=frames, saliency=saliency, importance=importance, method="occlusion"
    )
    prediction = Prediction(
        name="valence", value=-0.4, predicted="valence", confidence=-0.4, is_class=False
    )
    assert legend(Explanation(prediction=prediction, frames=explained, sound=None)).endswith(
        "bars: change of valence towards 0 without it"
    )


def test_a_prediction_below_the_lowest_confidence_is_called_uncertain_as_by_predict() -> None:
    prediction = Prediction(
        name="sad", value=0.29, predicted="sad", confidence=0.29, is_class=True, is_uncertain=True
    )
    assert headline(prediction, "calm") == "uncertain, most likely sad (29 %), true calm"
