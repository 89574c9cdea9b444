"""Overlays on video frames: a box around each face, the predicted label, and bars of probabilities."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

import cv2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from emorec.data.faces import Box
from emorec.data.landmarks import CONTOUR_STARTS
from emorec.data.video.reader import Frames
from emorec.inference.plot import UNCERTAIN_COLOR, colors_of, rgb, text_color
from emorec.inference.timeline import Timeline, Window, display_intervals

Sample = TypeVar("Sample")

MAX_BARS, MAX_BARS_OF_SEVERAL = 8, 3
"""Of more classes, the most probable ones are shown; fewer where the video has several persons or the card would cover
the face."""

CARD_COLOR = (24, 26, 30, 205)
BAR_COLOR = (78, 82, 90, 205)
TEXT_COLOR = (255, 255, 255, 255)
WARNING_COLOR = (255, 196, 64, 255)

GAP = 6
"""Pixels between a face and its card."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Overlay of a person at one time.

    Attributes:
        window: The window displayed then.
        box: The face then, in pixels of the frame; `None` for whole frames.
        several: Whether the video has several persons: the number is shown, and fewer classes.
        contour: Points (P, 2) of the lines of the face then, see `contour_points`; `None` without landmarks.
    """

    window: Window
    box: Box | None
    several: bool
    contour: npt.NDArray[np.float64] | None = None


class Playback:
    """Overlays of a video at any time.

    Args:
        timeline: Of the video.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._several = len(timeline.persons) > 1
        self._tracks = [
            _PlaybackTrack(timeline.of_person(person), timeline.hop_seconds)
            for person in (*timeline.persons, None)
        ]

    def at(self, seconds: float) -> list[Overlay]:
        """Return the overlay of each person; none in a gap.

        Args:
            seconds: On the clock of the file.
        """
        return [
            Overlay(
                window,
                track.boxes.at(seconds, interpolate),
                self._several and window.person is not None,
                track.contours.at(seconds, lambda one, other, share: one + share * (other - one)),
            )
            for track in self._tracks
            if (window := track.window_at(seconds)) is not None
        ]


class _PlaybackTrack:
    """Windows and face positions of one person over time."""

    def __init__(self, windows: Sequence[Window], hop_seconds: float) -> None:
        self._intervals = list(display_intervals(windows, hop_seconds))
        self._starts = [start for start, _, _ in self._intervals]
        boxes: dict[float, Box] = {}
        contours: dict[float, npt.NDArray[Any]] = {}
        for window in windows:
            boxes |= dict(window.boxes)
            contours |= dict(window.contours)
            if window.box is not None and not window.boxes:
                boxes[(window.start + window.end) / 2] = window.box
        self.boxes, self.contours = _Samples(boxes), _Samples(contours)

    def window_at(self, seconds: float) -> Window | None:
        index = bisect_right(self._starts, seconds) - 1
        if index < 0 or seconds >= self._intervals[index][1]:
            return None
        return self._intervals[index][2]


class _Samples(Generic[Sample]):
    """Values of single frames over time."""

    def __init__(self, by_seconds: Mapping[float, Sample]) -> None:
        self._items = sorted(by_seconds.items(), key=lambda item: item[0])
        self._seconds = [seconds for seconds, _ in self._items]

    def at(
        self, seconds: float, between: Callable[[Sample, Sample, float], Sample]
    ) -> Sample | None:
        """Return the value at any time, interpolated between frames; `None` without any frame."""
        if not self._items:
            return None
        index = bisect_right(self._seconds, seconds)
        start, before = self._items[max(index - 1, 0)]
        end, after = self._items[min(index, len(self._items) - 1)]
        if end <= start:
            return before
        return between(before, after, (seconds - start) / (end - start))


def interpolate(one: Box, other: Box, share: float) -> Box:
    """Interpolate linearly between two boxes.

    >>> interpolate(Box(0, 0, 10, 10), Box(10, 0, 20, 10), 0.5)
    Box(left=5.0, top=0.0, width=15.0, height=10.0)
    """
    return Box(
        left=one.left + share * (other.left - one.left),
        top=one.top + share * (other.top - one.top),
        width=one.width + share * (other.width - one.width),
        height=one.height + share * (other.height - one.height),
    )


def draw(frame: Frames, overlays: Sequence[Overlay], scale: float = 1.0) -> Frames:
    """Return a copy of the frame with the overlays.

    Args:
        frame: (H, W, 3) uint8, RGB.
        overlays: One for each person; a card without a box is at the lower left of the frame.
        scale: Pixels of this frame for each pixel of the boxes.
    """
    image = np.ascontiguousarray(frame).copy()
    height, width = image.shape[:2]
    font_size = font_size_for(height, width)
    for overlay in overlays:
        max_bars = MAX_BARS_OF_SEVERAL if overlay.several else MAX_BARS
        card = _card(overlay.window, overlay.several, font_size, max_bars)
        if overlay.contour is not None:
            color = rgb(_label_color(overlay.window))
            _draw_contour(image, scale * overlay.contour, color, max(1, font_size // 10))
        if overlay.box is None:
            left, top = font_size // 2, height - card.shape[0] - font_size // 2
        else:
            box = overlay.box
            if scale != 1:
                box = Box(scale * box.left, scale * box.top, scale * box.width, scale * box.height)
            place = partial(card_position, box, frame=(width, height), below=overlay.several)
            left, top = place(card=(card.shape[1], card.shape[0]))
            if _covers(card, left, top, box):
                card = _card(overlay.window, overlay.several, font_size, MAX_BARS_OF_SEVERAL)
                left, top = place(card=(card.shape[1], card.shape[0]))
            corners = (
                (round(box.left), round(box.top)),
                (round(box.left + box.width), round(box.top + box.height)),
            )
            thickness = max(2, font_size // 8)
            cv2.rectangle(image, *corners, (0, 0, 0), thickness + 2, cv2.LINE_AA)
            cv2.rectangle(
                image, *corners, rgb(_label_color(overlay.window)), thickness, cv2.LINE_AA
            )
        _paste(image, card, left, top)
    return image


def _draw_contour(
    image: Frames, points: npt.NDArray[np.float64], color: tuple[int, int, int], thickness: int
) -> None:
    """Draw the lines of a face, (P, 2) in pixels, half transparent."""
    lines = np.split((points * 16).round().astype(np.int32), CONTOUR_STARTS[1:-1])
    lined = image.copy()
    cv2.polylines(lined, lines, False, color, thickness, cv2.LINE_AA, shift=4)
    cv2.addWeighted(image, 0.4, lined, 0.6, 0, dst=image)


def font_size_for(height: int, width: int) -> int:
    """Return a readable font size, in pixels.

    >>> font_size_for(720, 1280), font_size_for(64, 96)
    (20, 9)
    """
    return max(9, round(min(height, width) / 36))


def card_position(
    box: Box, card: tuple[int, int], frame: tuple[int, int], *, below: bool
) -> tuple[int, int]:
    """Return left and top of a card.

    Args:
        box: The face.
        card: Width and height of the card, in pixels.
        frame: Width and height of the frame, in pixels.
        below: Below the face, else above it, else over its lower part; or first to the right of the face, or to the
            left of it.

    >>> card_position(Box(10, 10, 20, 20), (30, 20), (100, 100), below=False)
    (36, 10)
    >>> card_position(Box(60, 70, 20, 25), (30, 20), (100, 100), below=True)
    (55, 44)
    >>> card_position(Box(10, 10, 70, 60), (30, 20), (100, 100), below=False)
    (30, 76)
    """
    right, left = round(box.left + box.width) + GAP, round(box.left) - GAP - card[0]
    beside = right if right + card[0] <= frame[0] else left
    if below or beside < 0:
        left, top = round(box.left + box.width / 2 - card[0] / 2), round(box.top + box.height) + GAP
        if top + card[1] > frame[1]:
            top = round(box.top) - GAP - card[1]
        top = top if top >= 0 else frame[1] - card[1]
        return min(max(left, 0), max(frame[0] - card[0], 0)), max(top, 0)
    return beside, min(max(round(box.top), 0), max(frame[1] - card[1], 0))


def _covers(card: npt.NDArray[np.uint8], left: int, top: int, box: Box) -> bool:
    """Whether a card overlaps a face."""
    height, width = card.shape[:2]
    across = left < box.left + box.width and box.left < left + width
    return across and top < box.top + box.height and box.top < top + height


def _label_color(window: Window) -> str:
    colors = dict(zip(window.names, colors_of(window.names), strict=True))
    return colors.get(window.predicted, UNCERTAIN_COLOR)


def _paste(image: Frames, card: npt.NDArray[np.uint8], left: int, top: int) -> None:
    """Blend an RGBA card into the frame, clipped at its edges."""
    top, left = max(top, 0), max(left, 0)
    under = image[top : top + card.shape[0], left : left + card.shape[1]]
    card = card[: under.shape[0], : under.shape[1]]
    alpha = card[..., 3:].astype(np.uint16)
    blended = (under * (255 - alpha) + card[..., :3] * alpha + 127) // 255
    under[:] = blended.astype(np.uint8)


@lru_cache(maxsize=64)
def _card(window: Window, several: bool, font_size: int, max_bars: int) -> npt.NDArray[np.uint8]:
    """(height, width, 4) uint8 RGBA: the label on its class's colour, a bar for each class or number, and a warning."""
    font = _font(font_size)
    bars = _bars(window, max_bars)
    is_classifier = bool(window.predicted)
    title = ": ".join(
        [*([f"{window.person}"] if several else []), *([window.predicted] if is_classifier else [])]
    )
    warning = f"unfamiliar: {', '.join(window.unfamiliar)}" if window.unfamiliar else ""
    gap, line = max(2, font_size // 4), round(1.35 * font_size)
    name_width = max((font.getlength(name) for name, _, _ in bars), default=0)
    bar_width = 6 * font_size
    value_width = font.getlength("100 %" if is_classifier else "-0.00")
    bars_width = name_width + bar_width + value_width + 4 * gap
    width = round(max(bars_width, font.getlength(title), font.getlength(warning)) + 4 * gap)
    num_lines = len(bars) + bool(title) + bool(warning)
    card = Image.new("RGBA", (width, line * num_lines + 2 * gap), CARD_COLOR)
    pen = ImageDraw.Draw(card)
    top = 0
    if title:
        color = _label_color(window)
        pen.rectangle((0, 0, width, line + gap // 2), fill=color)
        pen.text((2 * gap, (line + gap // 2) / 2), title, text_color(color), font, "lm")
        top = line + gap // 2
    for row, (name, color, value) in enumerate(bars):
        middle = top + gap / 2 + (row + 0.5) * line
        pen.text((2 * gap, middle), name, TEXT_COLOR, font, "lm")
        left, half_height = 4 * gap + name_width, font_size * 0.32
        area = (left, middle - half_height, left + bar_width, middle + half_height)
        pen.rectangle(area, fill=BAR_COLOR)
        # probabilities from the left, numbers from the middle to either side
        zero = left if is_classifier else (area[0] + area[2]) / 2
        reach = (area[2] - area[0]) if is_classifier else (area[2] - area[0]) / 2
        end = zero + reach * min(max(value, -1.0), 1.0)
        pen.rectangle((min(zero, end), area[1], max(zero, end), area[3]), fill=color)
        text = f"{100 * value:.0f} %" if is_classifier else f"{value:.2f}"
        pen.text((width - 2 * gap, middle), text, TEXT_COLOR, font, "rm")
    if warning:
        middle = top + gap / 2 + (len(bars) + 0.5) * line
        pen.text((2 * gap, middle), warning, WARNING_COLOR, font, "lm")
    return np.asarray(card)


def _bars(window: Window, max_bars: int) -> list[tuple[str, str, float]]:
    """Return name, colour and value of each bar, in label order."""
    if window.values is None:
        return []
    bars = list(zip(window.names, colors_of(window.names), window.values, strict=True))
    if len(bars) <= max_bars or not window.predicted:
        return bars
    least = sorted(window.values, reverse=True)[max_bars - 1]
    return [bar for bar in bars if bar[2] >= least][:max_bars]


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return Matplotlib's font: Latin, Greek, Cyrillic, Arabic and more scripts."""
    return ImageFont.truetype(f"{mpl.get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)
