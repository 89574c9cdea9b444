"""Augmentation, the same for all frames of a clip; test-time views. albumentations is imported here only."""

import math
import os
import random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from emorec.data.video.reader import Frames
from emorec.errors import UserError
from emorec.image_size import Size

# else importing albumentations looks for a newer version on the network
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
import albumentations as A
import cv2

if TYPE_CHECKING:
    from torch import Tensor

Augment = bool | Literal["per_frame", "seed_affwild2"]

MAX_VIEWS = 10
"""Five crops and their mirror images."""

SEED_ROTATION_DEGREES = 15.0
SEED_SHIFT = 0.1
"""Share of the side."""

SEED_SHEAR_DEGREES = 5.0
"""The study says that it shears, not how much."""

SEED_ZOOM = (0.9, 1.25)
"""Visible share of the picture along a side: above 1 the face gets smaller."""

SEED_BRIGHTNESS = (0.5, 1.5)

_ONE_PIXEL = np.zeros((1, 1, 1, 3), dtype=np.uint8)  # some parameters depend on the dtype


class AugmentParams(NamedTuple):
    """The random parameters of one frame.

    Attributes:
        source: (2, 3) affine map: the pixel in column x, row y shows the source frame at `source @ (x, y, 1)`, in
            pixels.
        contrast: Factor of the grey levels.
        brightness: Added to the grey levels afterwards.
        hole: (left, top, right, bottom) of the rectangle that is erased afterwards, in pixels of the result.
    """

    source: npt.NDArray[np.float64]
    contrast: float = 1.0
    brightness: float = 0.0
    hole: tuple[int, int, int, int] = (0, 0, 0, 0)


class ClipTransform:
    """Crop and, for training, augment the frames of one clip.

    Without augmentation the crop is central and nothing is random. With it, one set of parameters (crop, flip,
    rotation, brightness, contrast) serves every frame of the clip, so that motion stays motion. "per_frame" crops and
    flips each frame by itself, as the seed study did. "seed_affwild2" augments as the seed study of Aff-Wild2 (see
    `seed_study_params`), one set of parameters a clip.

    albumentations composes the steps and draws their parameters. Rotation, crop and flip are then done in one pass over
    the pixels, in less than half the time that three passes take.

    Args:
        image_size: Of the result.
        augment: False, True, "per_frame" or "seed_affwild2".
        erasing: With True, the probability of filling a rectangle, the same in all frames, with the clip's mean colour.
            Source: Zhong et al. 2020, Random Erasing Data Augmentation, section 3.2.
    """

    def __init__(self, image_size: Size, augment: Augment = False, *, erasing: float = 0.0) -> None:
        self.image_size = image_size
        self.augment: Augment = augment
        self._steps = A.Compose(_steps(image_size, augment, erasing))
        self._light = A.RandomBrightnessContrast()

    def __call__(self, frames: Frames, seed: int = 0) -> Frames:
        """Return the frames that the network takes.

        Args:
            frames: (T, H, W, C) uint8, RGB, larger than the crop (see `size_before_crop`); they are not changed.
            seed: Decides all random parameters; unused without augmentation.

        Returns:
            (T, height, width, C) uint8 of `image_size`, a copy.
        """
        params = self.params(len(frames), frames.shape[1:3], seed)
        result = np.empty((len(frames), *self.image_size, frames.shape[3]), dtype=np.uint8)
        for frame, each, target in zip(frames, params, result, strict=True):
            _warp(frame, each.source, target)
        if not params:
            return result
        # the same for all frames; "per_frame" leaves it alone
        _, contrast, brightness, (left, top, right, bottom) = params[0]
        if (contrast, brightness) != (1.0, 0.0):
            result = self._light.apply(result, alpha=contrast, beta=brightness)
        if right > left:
            result[:, top:bottom, left:right] = result.mean(axis=(0, 1, 2))
        return result

    def params(self, num_frames: int, size: Size, seed: int = 0) -> list[AugmentParams]:
        """Draw the parameters of T frames; they are all the same unless `augment` is "per_frame".

        Args:
            num_frames: T.
            size: Of the frames before the crop.
            seed: Decides everything.
        """
        if not num_frames:
            return []
        if self.augment == "seed_affwild2":
            rng = np.random.default_rng(seed)
            return [seed_study_params(rng, size, self.image_size)] * num_frames
        if self.augment is not False:
            # one stream for all: `set_random_seed` gives each step a copy, so that only rotated frames are flipped
            self._steps.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311
        if self.augment == "per_frame":
            return [self._draw(size) for _ in range(num_frames)]
        return [self._draw(size)] * num_frames

    def _draw(self, size: Size) -> AugmentParams:
        source, contrast, brightness, hole = np.eye(3), 1.0, 0.0, (0, 0, 0, 0)
        for step in self._steps.transforms:
            if not step.should_apply():
                continue
            shape = self.image_size if isinstance(step, A.Erasing) else size
            drawn = step.get_params_dependent_on_data(
                {"shape": (*shape, 3)}, {"images": _ONE_PIXEL}
            )
            match step:
                case A.Rotate():
                    source = source @ np.linalg.inv(drawn["matrix"])
                case A.RandomCrop() | A.CenterCrop():
                    left, top, _, _ = drawn["crop_coords"]
                    source = source @ ((1, 0, left), (0, 1, top), (0, 0, 1))
                case A.HorizontalFlip():
                    source = source @ ((-1, 0, self.image_size[1] - 1), (0, 1, 0), (0, 0, 1))
                case A.RandomBrightnessContrast():
                    contrast, brightness = drawn["alpha"], drawn["beta"]
                case A.Erasing() if len(drawn["holes"]):
                    hole = tuple(drawn["holes"][0].tolist())
        return AugmentParams(source[:2], contrast, brightness, hole)


def _steps(image_size: Size, augment: Augment, erasing: float) -> list[Any]:
    if augment in (False, "seed_affwild2"):  # the latter draws without albumentations
        return [A.CenterCrop(*image_size)]
    crop_and_flip = [A.RandomCrop(*image_size), A.HorizontalFlip(p=0.5)]
    if augment == "per_frame":
        return crop_and_flip
    rotate = A.Rotate(limit=10, border_mode=cv2.BORDER_REFLECT_101, p=0.5)
    light = A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.8)
    return [rotate, *crop_and_flip, light, A.Erasing(p=erasing)]


def _warp(frame: Frames, source: npt.NDArray[np.float64], target: Frames) -> None:
    """Fill a frame from another one.

    Args:
        frame: (H, W, C) uint8; it is mirrored beyond its border.
        source: (2, 3), see `AugmentParams`.
        target: (height, width, C) uint8, filled.
    """
    height, width = target.shape[:2]
    if source[0, 1] != 0 or source[1, 0] != 0:  # rotated
        cv2.warpAffine(
            frame,
            source,
            (width, height),
            dst=target,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        return
    (step, _, column), (_, _, top) = source.astype(int)
    left = column if step > 0 else column - width + 1
    crop = frame[top : top + height, left : left + width]
    if step > 0:
        np.copyto(target, crop)
    else:
        cv2.flip(crop, 1, dst=target)


def seed_study_params(rng: np.random.Generator, size: Size, image_size: Size) -> AugmentParams:
    """Draw rotation, shift, shear, zoom (of height and width separately), flip and brightness, each uniform.

    The study's program gave its generator the same seed for every picture, so that all pictures were rotated and zoomed
    alike; here each clip has parameters of its own. Beyond the border the picture is mirrored (Keras repeats the
    outermost pixel).

    Args:
        rng: Decides everything.
        size: Of the frames before.
        image_size: Of the result; where it is smaller, the centre is augmented.

    Source: Rangulov & Fahim 2020, arXiv 2006.11168, section 3; the order of the steps is that of Keras'
    `ImageDataGenerator`.

    >>> seed_study_params(np.random.default_rng(0), (96, 96), (96, 96)).source.round(2)
    array([[  1.22,   0.02, -19.46],
           [  0.09,   1.18, -17.96]])
    """
    rotation = math.radians(rng.uniform(-SEED_ROTATION_DEGREES, SEED_ROTATION_DEGREES))
    down, right = rng.uniform(-SEED_SHIFT, SEED_SHIFT, 2) * image_size
    shear = math.radians(rng.uniform(-SEED_SHEAR_DEGREES, SEED_SHEAR_DEGREES))
    zoom_height, zoom_width = rng.uniform(*SEED_ZOOM, 2)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    brightness = float(rng.uniform(*SEED_BRIGHTNESS))
    cos, sin = math.cos(rotation), math.sin(rotation)
    steps = (
        ((cos, -sin, 0), (sin, cos, 0), (0, 0, 1)),
        ((1, 0, right), (0, 1, down), (0, 0, 1)),
        ((1, -math.sin(shear), 0), (0, math.cos(shear), 0), (0, 0, 1)),
        ((flip * zoom_width, 0, 0), (0, zoom_height, 0), (0, 0, 1)),
    )
    source = np.eye(3) + _shift_to_centre(size)
    for step in steps:
        source = source @ np.array(step)
    source = source @ (np.eye(3) - _shift_to_centre(image_size))
    return AugmentParams(source[:2], contrast=brightness)


def _shift_to_centre(size: Size) -> npt.NDArray[np.float64]:
    """(3, 3): the last column of a map that moves the first pixel to the centre."""
    height, width = size
    return np.array(((0, 0, (width - 1) / 2), (0, 0, (height - 1) / 2), (0, 0, 0)))


def check_num_views(num_views: int) -> None:
    """Refuse a number of test-time views outside 1 to 10.

    Raises:
        UserError: For such a number.

    >>> check_num_views(11)
    Traceback (most recent call last):
    emorec.errors.UserError: views is 11: choose 1 to 10 (centre, four corners, and the mirror image of each)
    """
    if not 1 <= num_views <= MAX_VIEWS:
        raise UserError(
            f"views is {num_views}: choose 1 to {MAX_VIEWS} "
            "(centre, four corners, and the mirror image of each)"
        )


def crop_views(frames: "Tensor", image_size: Size, num_views: int) -> "list[Tensor]":
    """Return the first N of ten views of each clip for test-time augmentation, the same ones every time.

    The order is: central crop, its mirror image, and then the corners, each followed by its mirror image: top left,
    bottom right, top right, bottom left. So one view is the plain test, two add the mirror image, and ten are those of
    the source. All frames of a clip are cropped and mirrored alike. Views in time (as of SVFAP, Sun et al. 2024) would
    need frames that no cache holds.

    Args:
        frames: (B, T, C, H, W) uint8, uncropped.
        image_size: Of the crops.
        num_views: N, 1 to 10.

    Returns:
        N tensors (B, T, C, height, width); those that are not mirrored share the memory of the frames.

    Raises:
        UserError: When N is out of range.

    Source: Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks, section 4.1.

    >>> import torch
    >>> [tuple(view.shape) for view in crop_views(torch.zeros(1, 6, 3, 8, 8), (7, 7), 2)]
    [(1, 6, 3, 7, 7), (1, 6, 3, 7, 7)]
    """
    check_num_views(num_views)
    height, width = image_size
    bottom, right = frames.shape[-2] - height, frames.shape[-1] - width
    corners = [(0, 0), (bottom, right), (0, right), (bottom, 0)]  # (top, left)
    positions = [(bottom // 2, right // 2), *corners]
    views = []
    for number in range(num_views):
        top, left = positions[number // 2]
        view = frames[..., top : top + height, left : left + width]
        views.append(view if number % 2 == 0 else view.flip(-1))
    return views
