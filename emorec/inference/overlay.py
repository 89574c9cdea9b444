"""What is drawn on the frames of a video: a box around each face, what is predicted, and bars of probabilities."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

import cv2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from emorec.data.decoding.decode import Frames
from emorec.data.faces.face import Box
from emorec.inference.colours import colours_of
from emorec.inference.prediction import WindowPrediction
from emorec.inference.timeline_picture import ink_on

MOST_BARS, MOST_BARS_OF_MANY = 8, 3
"""Of more classes the likeliest are shown; fewer where several people are shown."""

BACKDROP = (24, 26, 30, 205)
GROOVE = (78, 82, 90, 205)
WORDS = (255, 255, 255, 255)
UNSURE = "#c9ced6"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a person at a moment.

    Attributes:
        said: What the network said.
        box: Where the face is now, in pixels of the frame; `None` for the whole picture.
        among_others: Whether there are others in the video: the person's number is told, and less of each.
    """

    said: WindowPrediction
    box: Box | None
    among_others: bool

    def scaled(self, scale: float) -> Self:
        """The same in a picture whose sides are so many times as long."""
        if self.box is None or scale == 1:
            return self
        left, top, width, height = (scale * each for each in astuple(self.box))
        return replace(self, box=Box(left, top, width, height))


def draw(frame: Frames, people: Sequence[Shown]) -> Frames:
    """(H, W, 3) uint8 RGB, a copy with all that is shown.

    Args:
        frame: (H, W, 3) uint8, RGB.
        people: Who is in it; those without a box have the picture for themselves.
    """
    picture = np.ascontiguousarray(frame).copy()
    letter = letter_height(*picture.shape[:2])
    for shown in people:
        colour = _colour(shown.said)
        card = _card(shown.said, shown.among_others, letter)
        if shown.box is None:
            corner = letter // 2, picture.shape[0] - card.shape[0] - letter // 2
        else:
            corner = (_below if shown.among_others else _beside)(shown.box, card, picture)
            _rectangle(picture, shown.box, colour, max(2, letter // 8))
        _paste(picture, card, *corner)
    return picture


def letter_height(height: int, width: int) -> int:
    """Pixels of a letter that can be read in a picture of that size.

    >>> letter_height(720, 1280), letter_height(64, 96)
    (20, 9)
    """
    return max(9, round(min(height, width) / 36))


def _colour(said: WindowPrediction) -> str:
    return dict(zip(said.names, colours_of(said.names), strict=True)).get(said.predicted, UNSURE)


def _beside(box: Box, card: npt.NDArray[np.uint8], picture: Frames) -> tuple[int, int]:
    """Left and top of a card: right of the face where there is room, else left of it, else over it."""
    high, wide = card.shape[:2]
    height, width = picture.shape[:2]
    gap = 6
    left = round(box.left + box.width) + gap
    if left + wide > width:
        left = round(box.left) - gap - wide
    left = min(max(left if left >= 0 else width - wide, 0), max(width - wide, 0))
    return left, min(max(round(box.top), 0), max(height - high, 0))


def _below(box: Box, card: npt.NDArray[np.uint8], picture: Frames) -> tuple[int, int]:
    """Left and top of a card: below the face where there is room, else above it, else over its lower part."""
    high, wide = card.shape[:2]
    height, width = picture.shape[:2]
    gap = 6
    top = round(box.top + box.height) + gap
    if top + high > height:
        top = round(box.top) - gap - high
    left = min(max(round(box.left + box.width / 2 - wide / 2), 0), max(width - wide, 0))
    return left, top if top >= 0 else max(height - high, 0)


def _rectangle(picture: Frames, box: Box, colour: str, thickness: int) -> None:
    corners = (
        (round(box.left), round(box.top)),
        (round(box.left + box.width), round(box.top + box.height)),
    )
    cv2.rectangle(picture, *corners, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.rectangle(picture, *corners, _rgb(colour), thickness, cv2.LINE_AA)


def _paste(picture: Frames, card: npt.NDArray[np.uint8], left: int, top: int) -> None:
    """Lays a card of RGBA over the picture, what of it fits."""
    top, left = max(top, 0), max(left, 0)
    under = picture[top : top + card.shape[0], left : left + card.shape[1]]
    card = card[: under.shape[0], : under.shape[1]]
    opaque = card[..., 3:].astype(np.uint16)
    mixed = (under * (255 - opaque) + card[..., :3] * opaque + 127) // 255
    under[:] = mixed.astype(np.uint8)


@lru_cache(maxsize=64)
def _card(said: WindowPrediction, among_others: bool, letter: int) -> npt.NDArray[np.uint8]:
    """(h, w, 4) uint8 RGBA: the word on a ground of its colour, and bars below it."""
    font = _font(letter)
    rows = _rows(said, MOST_BARS_OF_MANY if among_others else MOST_BARS)
    gap = max(2, letter // 4)
    names = max((font.getlength(name) for name, _, _ in rows), default=0)
    bar = 6 * letter
    head = _head(said, among_others)
    value_width = font.getlength("-0.00" if not said.predicted else "100 %")
    width = round(max(names + bar + value_width + 4 * gap, font.getlength(head)) + 4 * gap)
    line = round(1.35 * letter)
    height = line * (len(rows) + bool(head)) + 2 * gap
    card = Image.new("RGBA", (width, height), BACKDROP)
    pen = ImageDraw.Draw(card)
    top = 0
    if head:
        ground = _colour(said)
        pen.rectangle((0, 0, width, line + gap // 2), fill=ground)
        pen.text((2 * gap, (line + gap // 2) / 2), head, ink_on(ground), font, "lm")
        top = line + gap // 2
    for row, (name, colour, value) in enumerate(rows):
        middle = top + gap / 2 + (row + 0.5) * line
        left = 4 * gap + names
        pen.text((2 * gap, middle), name, WORDS, font, "lm")
        _bar(
            pen,
            (left, middle - letter * 0.32, left + bar, middle + letter * 0.32),
            said,
            value,
            colour,
        )
        figure = f"{value:.2f}" if not said.predicted else f"{100 * value:.0f} %"
        pen.text((width - 2 * gap, middle), figure, WORDS, font, "rm")
    return np.asarray(card)


def _bar(
    pen: ImageDraw.ImageDraw,
    place: tuple[float, float, float, float],
    said: WindowPrediction,
    value: float,
    colour: str,
) -> None:
    """A bar from the left for a probability; for a number from the middle to either side."""
    left, top, right, bottom = place
    pen.rectangle(place, fill=GROOVE)
    zero = left if said.predicted else (left + right) / 2
    reach = (right - left) if said.predicted else (right - left) / 2
    end = zero + reach * min(max(value, -1.0), 1.0)
    pen.rectangle((min(zero, end), top, max(zero, end), bottom), fill=colour)


def _head(said: WindowPrediction, among_others: bool) -> str:
    words = [f"{said.person}"] if among_others else []
    words += [said.predicted] if said.predicted else []
    return ": ".join(words)


def _rows(said: WindowPrediction, most: int) -> list[tuple[str, str, float]]:
    """Name, colour and value of each bar, in label order."""
    if said.values is None:
        return []
    every = list(zip(said.names, colours_of(said.names), said.values, strict=True))
    if len(every) <= most or not said.predicted:
        return every
    least = sorted(said.values, reverse=True)[most - 1]
    return [row for row in every if row[2] >= least][:most]


@lru_cache(maxsize=8)
def _font(letter: int) -> ImageFont.FreeTypeFont:
    """The font that comes with matplotlib: Latin, Greek, Cyrillic, Arabic and more scripts."""
    return ImageFont.truetype(str(Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf")), letter)


def _rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue.

    >>> _rgb("#ff8000")
    (255, 128, 0)
    """
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
