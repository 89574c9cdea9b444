"""The labels of IEMOCAP, what of them is taken as classes, and how many there are.

Source: Busso et al. 2008, Language Resources and Evaluation 42(4):335-359, section 4; the codes are those of
`EmoEvaluation/*.txt`.
"""

from collections.abc import Mapping
from typing import Literal

LABELS: Mapping[str, str] = {
    "neu": "neutral",
    "ang": "angry",
    "sad": "sad",
    "hap": "happy",
    "exc": "excited",
    "fru": "frustrated",
    "sur": "surprised",
    "fea": "fearful",
    "dis": "disgust",
    "oth": "other",
    "xxx": "without agreement",
}
"""Code -> what the majority of the annotators heard and saw; without a majority it is xxx."""

CLASSES: Mapping[int, tuple[str, ...]] = {
    4: ("angry", "happy", "neutral", "sad"),
    3: ("angry", "neutral", "sad"),
}
"""How many classes -> their names in label order; 3 is the seed study's way out of there being few happy utterances."""

NumClasses = Literal[3, 4]

COUNTS: Mapping[str, int] = {
    "neu": 1708,
    "ang": 1103,
    "sad": 1084,
    "hap": 595,
    "exc": 1041,
    "fru": 1849,
    "sur": 107,
    "fea": 40,
    "dis": 2,
    "oth": 3,
    "xxx": 2507,
}
"""Utterances of each code in the whole release, 10,039 in all.

So 4 classes are 4,490 utterances, 5,531 when excited counts as happy (1,636), and 3 classes are 3,895.

Source: tae898/multimodal-datasets `IEMOCAP/dataset-stats.md`; the same figures in FlagEval's page of IEMOCAP.
"""


def class_of(code: str, num_classes: NumClasses, *, merge_excited: bool) -> int | None:
    """The class of a label, `None` when it is none.

    Args:
        code: A key of `LABELS`.
        num_classes: 4, or 3 without happy.
        merge_excited: Whether excited counts as happy.

    >>> class_of("sad", 4, merge_excited=False), class_of("exc", 4, merge_excited=False)
    (3, None)
    >>> class_of("exc", 4, merge_excited=True), class_of("hap", 3, merge_excited=False)
    (1, None)
    """
    name = "happy" if merge_excited and code == "exc" else LABELS[code]
    names = CLASSES[num_classes]
    return names.index(name) if name in names else None
