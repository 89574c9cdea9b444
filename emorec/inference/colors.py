"""Colour of each class, the same in every plot and video."""

from collections.abc import Sequence
from itertools import cycle

EMOTION_COLORS = {
    "neutral": "#8d99ae",
    "calm": "#5fb49c",
    "happy": "#f2c14e",
    "sad": "#3d6fb6",
    "angry": "#c8372d",
    "fearful": "#7b4ea3",
    "disgust": "#6f9a37",
    "surprised": "#ef8a3c",
    "excited": "#e76fa0",
    "frustrated": "#8c564b",
    "other": "#4a4e57",
    "valence": "#3d6fb6",
    "arousal": "#c8372d",
}
SYNONYMS = {
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "disgusted": "disgust",
    "surprise": "surprised",
    "excitement": "excited",
    "frustration": "frustrated",
}
OTHER_COLORS = (
    *("#17becf", "#bcbd22", "#e377c2", "#1b7837", "#a6761d", "#08519c", "#fb6a4a", "#54278f"),
    *("#66c2a4", "#fed976", "#525252", "#9ebcda"),
)
"""For classes without a colour of their own, in order."""

UNCERTAIN_COLOR = "#c9ced6"
"""For "uncertain" and "no face"."""

DARK, LIGHT = "#222222", "white"


def colors_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the colour of each class.

    >>> colors_of(["sad", "Sadness", "bored"])
    ('#3d6fb6', '#3d6fb6', '#17becf')
    """
    others = cycle(OTHER_COLORS)
    emotions = [SYNONYMS.get(name.lower(), name.lower()) for name in names]
    return tuple(EMOTION_COLORS.get(emotion) or next(others) for emotion in emotions)


def rgb(color: str) -> tuple[int, int, int]:
    """Return red, green and blue.

    >>> rgb("#ff8000")
    (255, 128, 0)
    """
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def text_color(background: str) -> str:
    """Return a readable text colour.

    >>> text_color("#f2c14e"), text_color("#3d6fb6")
    ('#222222', 'white')
    """
    red, green, blue = rgb(background)
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else LIGHT
