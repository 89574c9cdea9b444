"""IEMOCAP's evaluation files: a line becomes a typed utterance.

Source: Busso et al. 2008, Language Resources and Evaluation 42(4):335-359, and the README of the release:
`Ses01F_impro01` is session 1 with the markers on the woman, `Ses01F_impro01_M000` the man's first utterance in it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from emorec.data.clip import Half
from emorec.data.iemocap_labels import LABELS

Sex = Literal["F", "M"]

SESSIONS = tuple(range(1, 6))

_DIALOGUE = r"Ses0(?P<session>[1-5])(?P<marked>[FM])_(?P<kind>impro|script)\d\d[a-z]?(?:_\d[a-z]?)?"
_TURN = re.compile(rf"(?P<dialogue>{_DIALOGUE})_(?P<speaker>[FM])(?:XX)?\d+")
_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_LINE = re.compile(
    rf"\[{_NUMBER}-{_NUMBER}\]\s+(\S+)\s+(\w+)\s+\[{_NUMBER},{_NUMBER},{_NUMBER}\]\s*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    r"""What IEMOCAP says of an utterance.

    Attributes:
        name: Such as "Ses01F_impro01_M000".
        dialogue: Such as "Ses01F_impro01".
        session: 1 to 5.
        marked: Who wears the markers in the dialogue, "F" or "M".
        speaker: Who speaks, "F" or "M".
        improvised: Whether nobody wrote down what to say.
        start: Seconds from the start of the dialogue.
        end: Where it ends, half-open.
        code: A key of `LABELS`.
        valence: Mean of the annotators, 1 (negative) to 5 (positive).
        activation: The same, 1 (calm) to 5 (excited).
        dominance: The same, 1 (weak) to 5 (strong).

    >>> line = "[6.2901 - 8.2357]\tSes01F_impro01_M000\tneu\t[2.5000, 2.5000, 2.5000]"
    >>> said = Utterance.parse(line)
    >>> said.person, said.improvised, said.code, said.start, said.end
    ('Ses01M', True, 'neu', 6.2901, 8.2357)
    >>> said.half(marked="left")
    'right'
    """

    name: str
    dialogue: str
    session: int
    marked: Sex
    speaker: Sex
    improvised: bool
    start: float
    end: float
    code: str
    valence: float
    activation: float
    dominance: float

    @classmethod
    def parse(cls, line: str) -> Self:
        """The utterance of a line "[start - end] name label [valence, activation, dominance]".

        Raises:
            ValueError: When the line is not like that, the label is none of IEMOCAP's, or the utterance ends before it
                starts.
        """
        found = _LINE.fullmatch(line)
        if not found:
            raise ValueError(
                "not like [start - end], name, label and [valence, activation, dominance]"
            )
        start, end, name, code, *dimensions = found.groups()
        turn = _TURN.fullmatch(name)
        if not turn:
            raise ValueError(f"{name} is no utterance of IEMOCAP")
        if code not in LABELS:
            raise ValueError(f"{name} has the label {code}, which IEMOCAP does not have")
        if not 0 <= float(start) < float(end):
            raise ValueError(f"{name} lasts from {start} s to {end} s")
        valence, activation, dominance = map(float, dimensions)
        return cls(
            name=name,
            dialogue=turn["dialogue"],
            session=int(turn["session"]),
            marked="F" if turn["marked"] == "F" else "M",
            speaker="F" if turn["speaker"] == "F" else "M",
            improvised=turn["kind"] == "impro",
            start=float(start),
            end=float(end),
            code=code,
            valence=valence,
            activation=activation,
            dominance=dominance,
        )

    @property
    def person(self) -> str:
        """Who speaks, by session and sex: one of ten."""
        return f"Ses{self.session:02d}{self.speaker}"

    def half(self, marked: Half) -> Half:
        """The half of the picture in which the speaker is.

        Args:
            marked: The half in which the person with the markers is.
        """
        other: Half = "right" if marked == "left" else "left"
        return marked if self.speaker == self.marked else other


def read_utterances(path: Path) -> Iterator[Utterance | ValueError]:
    """The utterances of a dialogue in the order of its evaluation file, and what is wrong with lines that are none.

    Lines of single annotators, comments (%) and empty lines are passed over.

    Raises:
        OSError: When the file can't be read.
    """
    # annotators remark things in other encodings; what counts is ASCII
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.startswith("["):
            continue
        try:
            said = Utterance.parse(line)
            if said.dialogue != path.stem:
                raise ValueError(f"{said.name} is of another dialogue")
        except ValueError as error:
            yield ValueError(f"line {number}: {error}")
        else:
            yield said
