"""Faces drawn with OpenCV, from the look of an actor and a pose.

Face coordinates: the origin is the centre of the head, y points down, 1 is the distance to the chin.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from emorec.data.synthetic.expression import Pose

Floats = NDArray[np.float64]
Colour = Floats
"""(3,) RGB, 0 to 255."""

OVERSAMPLING = 2
"""Frames are drawn this many times larger and averaged, so that fine lines move by fractions of a pixel."""

_SKINS = ((255, 219, 190), (240, 196, 160), (222, 172, 130), (190, 134, 95), (150, 100, 70))
_HAIRS = ((40, 30, 25), (80, 50, 30), (130, 85, 45), (205, 165, 95), (150, 60, 30), (120, 118, 115))
_IRISES = ((70, 45, 25), (60, 90, 140), (80, 110, 70), (100, 80, 50))
_BACKGROUNDS = ((225, 228, 232), (200, 212, 222), (222, 214, 200), (190, 200, 188), (150, 160, 175))
_SHIRTS = ((60, 70, 90), (110, 50, 55), (50, 90, 80), (90, 90, 95))
_FOLD = (60, 30, 22)
_WHITE, _BLACK = np.array([248.0, 246.0, 243.0]), np.array([15.0, 12.0, 12.0])
_TEETH, _MOUTH_DARK = np.array([245.0, 242.0, 232.0]), np.array([70.0, 22.0, 28.0])
_EYE_Y, _BROW_Y, _MOUTH_Y = -0.1, -0.34, 0.52


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Appearance of an actor: colours, shape, position in the frame, light."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    background: Colour
    shirt: Colour
    long_hair: bool
    beard: bool
    head_width: float
    chin_taper: float
    hairline: float
    eye_gap: float
    eye_size: float
    brow_thickness: float
    nose_length: float
    mouth_width: float
    lip_thickness: float
    scale: float
    offset: Floats
    light: Floats


def make_look(actor: int, *, seed: int) -> Look:
    """Return the look of an actor: odd actors are male and even ones female, as in RAVDESS."""
    generator = np.random.default_rng([seed, actor])
    uniform = generator.uniform
    female = actor % 2 == 0

    def pick(colours: tuple[tuple[int, int, int], ...]) -> Colour:
        return np.asarray(np.clip(generator.choice(colours) + uniform(-10, 10, 3), 0, 255))

    skin = pick(_SKINS)
    return Look(
        skin=skin,
        hair=pick(_HAIRS),
        iris=pick(_IRISES),
        lips=_blend(skin, (190, 50, 60) if female else (165, 70, 65), 0.6),
        background=pick(_BACKGROUNDS),
        shirt=pick(_SHIRTS),
        long_hair=bool(female and uniform() < 0.8),
        beard=bool(not female and uniform() < 0.3),
        head_width=uniform(0.72, 0.82),
        chin_taper=uniform(0.2, 0.34) if female else uniform(0.1, 0.26),
        hairline=uniform(-0.78, -0.68),
        eye_gap=uniform(0.31, 0.35),
        eye_size=uniform(0.95, 1.12),
        brow_thickness=uniform(0.03, 0.04) if female else uniform(0.04, 0.055),
        nose_length=uniform(0.2, 0.27),
        mouth_width=uniform(0.25, 0.3),
        lip_thickness=uniform(0.9, 1.2),
        scale=uniform(0.84, 0.94),
        offset=uniform(-0.05, 0.05, 2),
        light=uniform((-0.22, -0.12, 0.9), (0.22, 0.05, 1.05)),
    )


def draw_face(pose: Pose, look: Look, *, width: int, height: int) -> NDArray[np.uint8]:
    """Draw an actor in a pose: (H, W, 3) uint8 RGB."""
    easel = _Easel(pose, look, width * OVERSAMPLING, height * OVERSAMPLING)
    _draw_body(easel, look)
    _draw_head(easel, pose, look)
    for side in (-1.0, 1.0):
        _draw_eye(easel, pose, look, side)
        _draw_brow(easel, pose, look, side)
    _draw_nose(easel, pose, look)
    _draw_mouth(easel, pose, look)
    picture = cv2.resize(easel.canvas, (width, height), interpolation=cv2.INTER_AREA)
    return _lit(np.asarray(picture, np.uint8), look.light)


def drawn_area(
    part: Literal["head", "features"], pose: Pose, look: Look, *, width: int, height: int
) -> NDArray[np.bool_]:
    """Return the mask (H, W) of the head in `draw_face`, or of brows, eyes and mouth with the folds around them."""
    easel = _Easel(pose, look, width * OVERSAMPLING, height * OVERSAMPLING)
    empty = easel.canvas.copy()
    if part == "head":
        _draw_head(easel, pose, look)
    else:
        for side in (-1.0, 1.0):
            _draw_eye(easel, pose, look, side)
            _draw_brow(easel, pose, look, side)
        _draw_mouth(easel, pose, look)
    changed = (easel.canvas != empty).any(axis=2).astype(np.float32)
    area = cv2.resize(changed, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(area >= 0.5)


class _Easel:
    """A canvas that is drawn on in face coordinates."""

    def __init__(self, pose: Pose, look: Look, width: int, height: int) -> None:
        self.canvas = np.empty((height, width, 3), np.uint8)
        everything = (0, 0, width, height)
        cv2.rectangle(self.canvas, everything, look.background.tolist(), cv2.FILLED)
        unit = min(width, height) / 2 * look.scale
        cos, sin = np.cos(pose.roll), np.sin(pose.roll)
        self._turn = unit * np.array([[cos, sin], [-sin, cos]])
        shift = (pose.shift_x, pose.shift_y + 0.05 * pose.nod)
        self._middle = np.array([width, height]) / 2 + unit * (look.offset + shift)
        self._unit = unit

    def fill(self, x: Floats, y: Floats, colour: Colour) -> None:
        cv2.fillPoly(self.canvas, [self._place(x, y)], colour.tolist(), cv2.LINE_AA, 4)

    def line(self, x: Floats, y: Floats, colour: Colour, thickness: float) -> None:
        pixels = max(1, round(thickness * self._unit))
        points = [self._place(x, y)]
        cv2.polylines(self.canvas, points, False, colour.tolist(), pixels, cv2.LINE_AA, 4)

    def crease(self, x: Floats, y: Floats, skin: Colour, depth: float) -> None:
        """A fold of the skin: none at depth 0 or below, darkest at depth 1."""
        if depth > 0.02:
            self.line(x, y, _blend(skin, _FOLD, min(depth, 1.0) * 0.5), 0.02)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float, colour: Colour) -> None:
        self.fill(x + radius_x * _COS, y + radius_y * _SIN, colour)

    def _place(self, x: Floats | float, y: Floats | float) -> NDArray[np.int32]:
        """(N, 1, 2) canvas positions in sixteenths of a pixel, as OpenCV's `shift=4` takes them."""
        points = np.empty((max(np.size(x), np.size(y)), 2))
        points[:, 0], points[:, 1] = x, y
        points = (points @ self._turn + self._middle) * 16
        return np.rint(points).astype(np.int32)[:, None]


_ANGLES = np.linspace(0, 2 * np.pi, 60, endpoint=False)
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)
_ACROSS = np.linspace(-1.0, 1.0, 17)
_ARC = 1 - _ACROSS**2


def _draw_body(easel: _Easel, look: Look) -> None:
    """Draw hair, shoulders, neck and ears, which the head partly covers."""
    shadow = _blend(look.skin, _FOLD, 0.3)
    if look.long_hair:
        y = np.where(_SIN < 0, 1.06 * _SIN, 1.6 * _SIN)
        easel.fill(1.13 * look.head_width * _COS, y, look.hair)
    easel.ellipse(0.0, 1.75, 1.15, 0.7, look.shirt)
    easel.fill(np.array([-0.36, 0.36, 0.42, -0.42]), np.array([0.6, 0.6, 1.2, 1.2]), shadow)
    for side in (-1.0, 1.0) if not look.long_hair else ():
        easel.ellipse(side * look.head_width, -0.01, 0.1, 0.2, shadow)


def _draw_head(easel: _Easel, pose: Pose, look: Look) -> None:
    taper = 1 - look.chin_taper * np.clip(_SIN, 0, 1) ** 2
    x = look.head_width * taper * np.sign(_COS) * np.abs(_COS) ** 0.85
    y = np.where(_SIN > 0, (1 + 0.09 * pose.jaw) * _SIN, _SIN)
    easel.fill(x, y, look.skin)
    if look.beard:
        # the first half of the circle is the lower one, from right to left
        jaw = slice(3, len(_SIN) // 2 - 2)
        beard_y = np.concatenate([y[jaw], (0.62 - 0.36 * _COS[jaw] ** 2)[::-1]])
        beard_x = np.concatenate([x[jaw], 0.85 * x[jaw][::-1]])
        easel.fill(beard_x, beard_y, _blend(look.skin, look.hair, 0.6))
    for crease_y in (-0.56, -0.64):
        raised = min(pose.brow_inner, pose.brow_outer)
        easel.crease(0.3 * _ACROSS, crease_y - 0.02 * _ARC, look.skin, 0.7 * raised)
    scalp = slice(len(_SIN) // 2 + 1, None)
    hair_x = np.concatenate([1.07 * x[scalp], 0.98 * look.head_width * _ACROSS[::-1]])
    hair_y = np.concatenate([1.07 * y[scalp], look.hairline + 0.55 * _ACROSS[::-1] ** 4])
    easel.fill(hair_x, hair_y, look.hair)


def _draw_eye(easel: _Easel, pose: Pose, look: Look, side: float) -> None:
    x = side * look.eye_gap + 0.19 * look.eye_size * _ACROSS
    open_above = 0.1 * look.eye_size * max(0.25, 1 + 0.75 * pose.lid_upper)
    open_below = 0.062 * look.eye_size * max(0.0, 1 - 0.85 * pose.lid_lower)
    awake = 1 - np.clip(pose.blink, 0, 1)
    upper = _EYE_Y + (open_below - (open_above + open_below) * awake) * _ARC
    lower = _EYE_Y + open_below * _ARC
    dark = _blend(look.skin, (50, 25, 20), 0.75)
    socket = _blend(look.skin, (90, 50, 40), 0.18)
    easel.ellipse(side * look.eye_gap, _EYE_Y - 0.03, 0.25, 0.17, socket)
    easel.fill(np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]]), _WHITE)
    for radius, colour in ((0.1, look.iris), (0.05, _BLACK)):
        iris_x = side * look.eye_gap + radius * _COS
        iris_y = _EYE_Y - 0.01 + 0.06 * pose.gaze + radius * _SIN
        # clamping each point between the lids cuts the disc off exactly at the lids
        iris_y = np.clip(iris_y, np.interp(iris_x, x, upper), np.interp(iris_x, x, lower))
        easel.fill(iris_x, iris_y, colour)
    easel.line(x, upper, dark, 0.03)
    easel.line(x, lower, _blend(look.skin, dark, 0.6), 0.014)
    easel.line(x, upper - 0.05 - 0.02 * _ARC, _blend(look.skin, dark, 0.3), 0.014)
    easel.crease(x, _EYE_Y + 0.15 - 0.06 * pose.cheek * _ARC, look.skin, 0.8 * pose.cheek)
    corner = side * (look.eye_gap + 0.24 * look.eye_size)
    for slope in (-0.06, 0.0, 0.06):
        feet_x, feet_y = np.array([corner, corner + side * 0.09]), _EYE_Y + np.array([0, slope])
        easel.crease(feet_x, feet_y, look.skin, 0.7 * pose.cheek)


def _draw_brow(easel: _Easel, pose: Pose, look: Look, side: float) -> None:
    along = np.linspace(0.0, 1.0, 9)
    x = side * (
        look.eye_gap - 0.17 - 0.05 * pose.brow_pinch + (0.4 + 0.05 * pose.brow_pinch) * along
    )
    lift = pose.brow_inner * (1 - along) ** 1.3 + pose.brow_outer * along**0.8
    y = _BROW_Y - 0.05 * np.sin(np.pi * along**0.8) - 0.17 * lift
    half = look.brow_thickness * (1.1 - 0.75 * along**2)
    colour = _blend(look.hair, (30, 20, 15), 0.5)
    easel.fill(np.concatenate([x, x[::-1]]), np.concatenate([y - half, (y + half)[::-1]]), colour)
    frown_x, frown_y = side * np.array([0.05, 0.065]), _BROW_Y + np.array([-0.08, 0.1])
    easel.crease(frown_x, frown_y, look.skin, pose.brow_pinch)


def _draw_nose(easel: _Easel, pose: Pose, look: Look) -> None:
    shade = _blend(look.skin, (90, 45, 30), 0.4)
    dark = _blend(look.skin, (50, 25, 20), 0.75)
    tip = look.nose_length - 0.05 * pose.nose_wrinkle
    bridge = np.sign(look.light[0]) * np.array([0.06, 0.06, 0.11])
    easel.line(-bridge, np.array([-0.05, 0.5 * tip, tip - 0.03]), shade, 0.022)
    easel.line(0.12 * _ACROSS, tip + 0.03 * _ARC, shade, 0.025)
    for side in (-1.0, 1.0):
        easel.ellipse(side * 0.06, tip + 0.01, 0.035, 0.018, dark)
        fold_x = side * np.array([0.15, 0.22, look.mouth_width + 0.08 + 0.06 * pose.stretch])
        fold_y = np.array([tip - 0.03, tip + 0.07, _MOUTH_Y - 0.06])
        fold = max(0.7 * pose.corner, pose.lip_raise, pose.nose_wrinkle)
        easel.crease(fold_x, fold_y, look.skin, fold)
        for row in (-0.02, 0.04, 0.1):
            crease_x = side * np.array([0.03, 0.11])
            crease_y = np.array([row - 0.03, row + 0.02])
            easel.crease(crease_x, crease_y, look.skin, pose.nose_wrinkle)


def _draw_mouth(easel: _Easel, pose: Pose, look: Look) -> None:
    dark = _blend(look.lips, (60, 15, 20), 0.75)
    x = look.mouth_width * (1 + 0.32 * pose.stretch - 0.15 * max(0.0, pose.jaw)) * _ACROSS
    middle = _MOUTH_Y + pose.corner * (0.04 - 0.15 * _ACROSS**2) - 0.05 * pose.pout * _ARC
    part, jaw, lift = (max(0.0, value) for value in (pose.part, pose.jaw, pose.lip_raise))
    round_arc = _ARC**0.6
    upper = middle - (0.025 * part + 0.12 * lift) * round_arc
    lower = middle + (0.055 * part + 0.3 * jaw + 0.1 * max(0.0, pose.lip_drop)) * round_arc
    full = look.lip_thickness * (1 - 0.75 * np.clip(pose.press, 0, 1))
    bow = 1 - 0.35 * np.exp(-((_ACROSS / 0.15) ** 2))
    outer_top = upper - 0.055 * full * _ARC**0.5 * bow
    outer_low = lower + 0.07 * full * (1 + 0.3 * pose.pout) * _ARC**0.5
    ring = np.concatenate([x, x[::-1]])
    easel.fill(ring, np.concatenate([outer_top, outer_low[::-1]]), look.lips)
    easel.fill(ring, np.concatenate([upper, lower[::-1]]), _MOUTH_DARK)
    teeth = np.minimum(lower, upper + 0.09 * round_arc)
    if np.max(lower - upper) > 0.02:
        easel.fill(0.9 * ring, np.concatenate([upper, teeth[::-1]]), _TEETH)
    easel.line(x, upper, dark, 0.014)
    easel.line(x, lower, dark, 0.014)
    chin_y = outer_low.max() + 0.07 + 0.03 * _ACROSS**2
    easel.crease(0.11 * _ACROSS, chin_y, look.skin, 0.3 + 0.7 * pose.pout)


def _blend(first: Colour, second: Colour | tuple[int, int, int], share: float) -> Colour:
    """The first colour with this share of the second."""
    return np.asarray(first + (np.asarray(second) - first) * share)


def _lit(picture: NDArray[np.uint8], light: Floats) -> NDArray[np.uint8]:
    """The frame under a light of some strength (third number) with a gradient along x and y (first two)."""
    height, width = picture.shape[:2]
    across, down = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    gain = (light[2] * (1 + light[0] * across + light[1] * down)).astype(np.float32)
    lit = cv2.multiply(picture, cv2.merge([gain] * 3), dtype=cv2.CV_8U)
    return np.asarray(lit, np.uint8)
