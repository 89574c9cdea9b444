"""Pictures become frames as the network sees them; albumentations is imported here and nowhere else."""

import os
import random
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from emorec.data.draw import Draw
from emorec.data.resize import Frames
from emorec.data.seed_augment import draw_like_the_seed
from emorec.picture_size import Size

os.environ.setdefault(
    "NO_ALBUMENTATIONS_UPDATE", "1"
)  # else importing it asks the network for news
import albumentations as A
import cv2

Augment = bool | Literal["per_frame", "seed_affwild2"]

ONE_PIXEL = np.zeros((1, 1, 1, 3), dtype=np.uint8)
"""Some draws want to know the type of the pixels."""


class ClipTransform:
    """Crops and, for training, augments the frames of one clip.

    Without augmentation the crop is central and nothing is drawn. With it, one draw of crop, flip, rotation,
    brightness and contrast serves every frame of the clip, so that motion stays motion. "per_frame" draws a crop
    and a flip anew for every frame, which is what the seed study did. "seed_affwild2" is what that of Aff-Wild2 did
    (see `draw_like_the_seed`), once a clip.

    albumentations composes and draws. Its rotation, crop and flip are then done in one pass over the pixels: pass by
    pass, each into new memory, they took more than twice as long.

    Args:
        image_size: Of the result.
        augment: False, True, "per_frame" or "seed_affwild2".
    """

    def __init__(self, image_size: Size, augment: Augment = False) -> None:
        self.image_size = image_size
        self.augment: Augment = augment
        self._steps = A.Compose(_steps(image_size, augment))
        self._light = A.RandomBrightnessContrast()

    def __call__(self, pictures: Frames, seed: int = 0) -> Frames:
        """The clip's frames as the network sees them.

        Args:
            pictures: (T, H, W, C) uint8, RGB, larger than the crop (see `size_to_crop`); they stay as they are.
            seed: What is drawn depends on this alone; unused without augmentation.

        Returns:
            (T, height, width, C) uint8 of `image_size`; memory of its own.
        """
        draws = self.draws(len(pictures), pictures.shape[1:3], seed)
        shape = (len(pictures), *self.image_size, pictures.shape[3])
        frames = np.empty(shape, dtype=np.uint8)
        for picture, draw, frame in zip(pictures, draws, frames, strict=True):
            place(picture, draw.source, frame)
        if not draws:
            return frames
        _, contrast, brightness = draws[0]  # "per_frame" draws no light
        if (contrast, brightness) != (1.0, 0.0):
            frames = self._light.apply(frames, alpha=contrast, beta=brightness)
        return frames

    def draws(self, num_frames: int, size: Size, seed: int = 0) -> list[Draw]:
        """What is done to each of T frames: the same to all of them, but for "per_frame".

        Args:
            num_frames: T.
            size: Of the pictures before.
            seed: Decides everything.
        """
        if self.augment == "seed_affwild2":
            rng = np.random.default_rng(seed)
            return [draw_like_the_seed(rng, size, self.image_size)] * num_frames
        if self.augment is not False:
            # one stream for all: `set_random_seed` gives each its own copy, so that only turned pictures are flipped
            self._steps.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311
        if self.augment == "per_frame":
            return [self._draw(size) for _ in range(num_frames)]
        return [self._draw(size)] * num_frames

    def _draw(self, size: Size) -> Draw:
        source, contrast, brightness = np.eye(3), 1.0, 0.0
        for step in self._steps.transforms:
            if not step.should_apply():
                continue
            drawn = step.get_params_dependent_on_data({"shape": (*size, 3)}, {"images": ONE_PIXEL})
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
        return Draw(source[:2], contrast, brightness)


def _steps(image_size: Size, augment: Augment) -> list[Any]:
    if augment in (False, "seed_affwild2"):  # the latter draws without albumentations
        return [A.CenterCrop(*image_size)]
    crop_and_flip = [A.RandomCrop(*image_size), A.HorizontalFlip(p=0.5)]
    if augment == "per_frame":
        return crop_and_flip
    rotate = A.Rotate(limit=10, border_mode=cv2.BORDER_REFLECT_101, p=0.5)
    light = A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.8)
    return [rotate, *crop_and_flip, light]


def place(picture: Frames, source: npt.NDArray[np.float64], frame: Frames) -> None:
    """Fills a frame from a picture.

    Args:
        picture: (H, W, C) uint8; beyond its border it is mirrored.
        source: (2, 3), see `Draw`.
        frame: (height, width, C) uint8, filled.
    """
    height, width = frame.shape[:2]
    turned = source[0, 1] != 0 or source[1, 0] != 0
    if turned:
        cv2.warpAffine(
            picture,
            source,
            (width, height),
            dst=frame,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        return
    (step, _, column), (_, _, top) = source.astype(int)
    left = column if step > 0 else column - width + 1
    part = picture[top : top + height, left : left + width]
    if step > 0:
        np.copyto(frame, part)
    else:
        cv2.flip(part, 1, dst=frame)
