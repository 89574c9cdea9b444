"""Frames as decoded become frames as the network sees them; albumentations is imported here and nowhere else."""

import os
import random
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

os.environ.setdefault(
    "NO_ALBUMENTATIONS_UPDATE", "1"
)  # else importing it asks the network for news
import albumentations as A
import cv2

Frames = npt.NDArray[np.uint8]
Resize = Literal["shorter_side", "squash"]
Augment = bool | Literal["per_frame"]

CROP_SHARE = 7 / 8
"""The crop's side as a share of the resized picture's shorter side: 224 of 256, 112 of 128."""


class ClipTransform:
    """Resize, crop and, for training, augment the frames of one clip.

    Without augmentation the crop is central and nothing is drawn. With it, one draw of crop, flip, rotation,
    brightness and contrast serves every frame of the clip, so that motion stays motion. "per_frame" draws a crop
    and a flip anew for every frame, which is what the seed study did.

    Args:
        image_size: Side of the square result, in pixels.
        resize: "shorter_side" keeps proportions and takes the central square; "squash" makes all of it square.
        augment: False, True, or "per_frame".

    Source: resize and crop as in Krizhevsky et al. 2012, section 4.1 (256 then 224).
    """

    def __init__(
        self, image_size: int, resize: Resize = "shorter_side", augment: Augment = False
    ) -> None:
        self._side = round(image_size / CROP_SHARE)
        self._squash = resize == "squash"
        self._augment: Augment = augment
        self._crop = A.Compose(_crop(image_size, augment))

    def __call__(self, frames: Frames, seed: int = 0) -> Frames:
        """The clip's frames as the network sees them.

        Args:
            frames: (T, H, W, C) uint8, RGB.
            seed: What is drawn depends on this alone; unused without augmentation.

        Returns:
            (T, S, S, C) uint8, where S is `image_size`.
        """
        small = self._shrink(frames)
        if self._augment is not False:
            # one stream for all: `set_random_seed` gives each its own copy, so that only turned pictures are flipped
            self._crop.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311
        parts = np.split(small, len(small)) if self._augment == "per_frame" else [small]
        return np.concatenate([self._crop(images=part)["images"] for part in parts])

    def _shrink(self, frames: Frames) -> Frames:
        if not self._squash:
            frames = _central_square(frames)
        # INTER_AREA averages what it shrinks, so fine texture does not turn into false edges; a frame at a time is
        # six times faster here than albumentations' way through all channels of the clip at once
        size = (self._side, self._side)
        return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def _central_square(frames: Frames) -> Frames:
    """(T, H, W, C) -> (T, S, S, C), a view: people are filmed in the middle, and no crop may cut them in half."""
    _, height, width, _ = frames.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return frames[:, top : top + side, left : left + side]


def _crop(image_size: int, augment: Augment) -> list[Any]:
    if augment is False:
        return [A.CenterCrop(image_size, image_size)]
    crop_and_flip = [A.RandomCrop(image_size, image_size), A.HorizontalFlip(p=0.5)]
    if augment == "per_frame":
        return crop_and_flip
    rotate = A.Rotate(limit=10, border_mode=cv2.BORDER_REFLECT_101, p=0.5)
    light = A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.8)
    return [rotate, *crop_and_flip, light]
