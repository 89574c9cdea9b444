"""The colour of each class, the same in every picture."""

from collections.abc import Sequence
from itertools import cycle

OF_EMOTIONS = {
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
OTHER_WORDS = {
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "disgusted": "disgust",
    "surprise": "surprised",
    "excitement": "excited",
    "frustration": "frustrated",
}
SPARE = (
    *("#17becf", "#bcbd22", "#e377c2", "#1b7837", "#a6761d", "#08519c", "#fb6a4a", "#54278f"),
    *("#66c2a4", "#fed976", "#525252", "#9ebcda"),
)
"""For classes of other names, in their order."""


def colours_of(names: Sequence[str]) -> tuple[str, ...]:
    """A colour for each name: that of the emotion, or else one of the spare ones.

    >>> colours_of(["sad", "Sadness", "bored"])
    ('#3d6fb6', '#3d6fb6', '#17becf')
    """
    spare = cycle(SPARE)
    known = [OTHER_WORDS.get(name.lower(), name.lower()) for name in names]
    return tuple(OF_EMOTIONS.get(name) or next(spare) for name in known)
