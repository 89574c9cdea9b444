"""Clips on their sides become loaders. What every data set shares stands here; a data set adds how it is found."""

import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import torch
from lightning.pytorch import Trainer

from emorec.data.admit import FaceMissing, admit, refuse_broken, tell
from emorec.data.balance import loss_weights
from emorec.data.cache.look_through import BrokenClip, LookedThrough
from emorec.data.cache.manifest import part
from emorec.data.clip import Clip
from emorec.data.clip_length import median_seconds
from emorec.data.clip_loaders import ClipLoaders
from emorec.data.faces.detector import find_detector
from emorec.data.found import SIDES_OF_STAGE, Found
from emorec.data.recipe import Recipe, load_once
from emorec.data.resident import ResidentPictures, load_pictures
from emorec.data.resize import Resize, size_to_crop
from emorec.data.sound.hearing import Hearing, SoundMissing
from emorec.data.sound.sound_recipe import SoundRecipe
from emorec.data.source import Cached, DecodedPictures, Source
from emorec.data.split import Side
from emorec.data.transform import Augment
from emorec.data.video.reader import Decoder
from emorec.errors import UserError
from emorec.picture_size import ImageSize, size_of


class ClipDataModule(ClipLoaders):
    """Loaders over labelled clips whose actors are on one side only.

    Args:
        num_frames: T, evenly spaced over each clip; 0 for a network that only hears.
        image_size: Side of the frames the network sees, in pixels, or their height and width, as in [60, 100].
        resize: "shorter_side" keeps proportions and takes the central part; "squash" presses all of it into the size.
        augment: Vary the training clips: `true` alike for all frames of a clip, "per_frame" each anew, as the seed
            study did, "seed_affwild2" as that of Aff-Wild2 meant to (turned, shifted, sheared, zoomed, flipped, lit).
        balance: What to do about rarer classes: "weights" in the loss, "sampler" draws them more often.
        batch_size: Clips a step and process.
        num_workers: Loader processes; by default one a core, at most 8.
        cache: "auto" keeps decoded frames in the user's cache folder while there is room, a folder's path keeps them
            there, "none" decodes every clip anew in every epoch.
        decoder: The library that reads the videos; all give the same frames.
        resident: Keep cached frames in the GPU's memory, or without one in memory that processes share, if they fit.
        augment_on: Crop and augment in the loader's "workers", or on the "device" that the network is on.
        face: "crop" cuts one area a clip around the face, "none" keeps the picture. It needs a cache.
        face_detector: "yunet" (downloaded once), "haar" (comes with OpenCV), a file of YuNet, or "auto": YuNet where it
            can be had.
        face_missing: What becomes of a clip without a face: its "center", "skip" it, or stop with an "error".
        sound: Give the network the sound of the clips too.
        sound_rate: Samples a second.
        sound_seconds: How much of it: the middle of a longer clip; silence is put around a shorter one.
        sound_missing: What becomes of a clip without sound: it is an "error", or heard as "silence".
        sound_augment: Shift the sound of training clips, make it louder or quieter, and add noise to half of them.
        on_error: "refuse" to start with a broken clip, or "skip" it and record that.
        allow_missing_actors: Go on when some actors of the split have no clip.
        seed: Decides order and augmentation; the command line sets it from `seed_everything`.

    Attributes:
        target_names: The names of the R numbers to predict; none where there are classes.
        num_views: How often clips that are measured are looked at, see `views_of`; set it before the loaders are made.

    Raises:
        UserError: When a number is too small to mean anything.
    """

    target_names: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        num_frames: int = 10,
        image_size: ImageSize = 224,
        resize: Resize = "shorter_side",
        augment: Augment = False,
        balance: Literal["none", "weights", "sampler"] = "none",
        batch_size: int = 16,
        num_workers: int | None = None,
        cache: str = "auto",
        decoder: Decoder = "decord",
        resident: bool = False,
        augment_on: Literal["workers", "device"] = "workers",
        face: Literal["none", "crop"] = "none",
        face_detector: str = "auto",
        face_missing: FaceMissing = "center",
        sound: bool = False,
        sound_rate: int = 16_000,
        sound_seconds: float = 3.0,
        sound_missing: SoundMissing = "error",
        sound_augment: bool = False,
        on_error: Literal["refuse", "skip"] = "refuse",
        allow_missing_actors: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        for name, number, least in (
            ("num_frames", num_frames, 0 if sound else 1),
            ("batch_size", batch_size, 1),
            ("num_workers", num_workers or 0, 0),
            ("seed", seed, 0),
            ("sound_rate", sound_rate, 1000),
            ("sound_seconds", sound_seconds, 0.1),
        ):
            if number < least:
                raise UserError(f"data.{name} is {number}: it has to be at least {least}")
        self.image_size = size_of(image_size)
        self.recipe = Recipe(
            num_frames=num_frames,
            size=size_to_crop(self.image_size),
            resize=resize,
            decoder=decoder,
        )
        self.cache = cache
        self.resident = resident
        self.augment_on = augment_on
        self.face = face
        self.face_detector = face_detector
        self.face_missing: FaceMissing = face_missing
        self.augment: Augment = augment
        self.balance = balance
        self.batch_size = batch_size
        if resident and cache == "none":
            raise UserError("data.resident true needs a cache: set --data.cache auto or a folder")
        self.num_workers = min(8, os.cpu_count() or 1) if num_workers is None else num_workers
        self.on_error = on_error
        self.allow_missing_actors = allow_missing_actors
        self.seed = seed
        recipe = SoundRecipe(sound_rate=sound_rate, sound_seconds=sound_seconds)
        self.hearing = Hearing(recipe, sound_missing, seed) if sound else None
        self.sound_augment = sound_augment
        self.num_views = 1
        self.sides: dict[Side, Sequence[Clip]] = {}
        self.everything: Sequence[Clip] = []
        self.skipped: list[BrokenClip] = []
        self.faceless: list[Path] = []
        self.source: Source = DecodedPictures(self.recipe)
        self._on_device: ResidentPictures | None = None
        self._first_epoch = 0

    @classmethod
    def of(cls, trainer: Trainer) -> Self:
        """The data module that a trainer works on.

        Raises:
            UserError: When it is of another kind.
        """
        data = getattr(trainer, "datamodule", None)
        if not isinstance(data, cls):
            raise UserError(
                f"this needs an emorec.data.{cls.__name__}, not a {type(data).__name__}"
            )
        return data

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The names of the K classes in label order."""

    @abstractmethod
    def find(self) -> Found:
        """All clips of the data set and their split.

        Raises:
            UserError: When there are none.
        """

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    def prepare_data(self) -> None:
        """Lets the first process of a machine look through the clips once; the others then know the result."""
        found = self.find()
        stage = getattr(self.trainer and self.trainer.state.fn, "value", "fit")
        looked = self._admit(found, stage)
        tell(looked, found.others)
        self._listen(found, stage, looked, warns=True)
        found.tell_missing(stage)

    def setup(self, stage: str) -> None:
        """Finds, splits and looks through the clips that a stage needs.

        Raises:
            UserError: When there are no clips, actors of the split are missing, a clip is broken, or the cache that was
                asked for can't be used.
        """
        found = self.find()
        self.split = found.split
        looked = self._admit(found, stage)
        self.source = looked.source(self.recipe)
        self.skipped = [*looked.broken, *self._listen(found, stage, looked)]
        self.faceless = looked.faceless
        bad = {clip.part for clip in self.skipped}
        self.everything = [clip for clip in found.clips if part(clip) not in bad]
        self.sides = {**found.split.clips(self.everything)}
        for side in SIDES_OF_STAGE[stage]:
            if not self.sides[side]:
                raise UserError(f"split {self.split.name}: no clip left for {side}")
        if self.resident and isinstance(self.source, Cached):
            used: Sequence[Clip] = [
                clip for side in SIDES_OF_STAGE[stage] for clip in self.sides[side]
            ]
            device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
            self._keep_in_memory(used or self.everything, device)

    def _keep_in_memory(self, clips: Sequence[Clip], device: torch.device) -> None:
        self._on_device = None  # what an earlier stage kept there
        pictures = load_pictures(clips, self.source, device)
        if pictures is not None and device.type == "cpu":
            self.source = pictures
        self._on_device = pictures if device.type != "cpu" else None

    def _admit(self, found: Found, stage: str) -> LookedThrough:
        if self.face == "crop":
            detector = find_detector(self.face_detector)
            self.recipe = replace(self.recipe, face_detector=detector)
        return admit(
            found.needed(stage, allow_missing_actors=self.allow_missing_actors),
            self.recipe,
            cache=self.cache,
            on_error=self.on_error,
            face_missing=self.face_missing,
            workers=max(1, self.num_workers),
        )

    def _listen(
        self, found: Found, stage: str, looked: LookedThrough, *, warns: bool = False
    ) -> list[BrokenClip]:
        """Looks through the sound of the clips whose pictures are sound; returns those that can't be used."""
        if self.hearing is None:
            return []
        bad = {clip.part for clip in looked.broken}
        needed = found.needed(stage, allow_missing_actors=self.allow_missing_actors)
        clips = [clip for clip in needed if part(clip) not in bad]
        workers = max(1, self.num_workers)
        broken = self.hearing.look_through(clips, cache=self.cache, workers=workers)
        refuse_broken(broken, len(clips), self.on_error)
        if warns:
            self.hearing.tell(clips, broken)
        return broken

    def split_record(self) -> dict[str, Any]:
        """Who is where, as plain values: name, fold, actors of each side, clips of each side, hash, clips left out."""
        detector = self.recipe.face_detector
        return {
            **self.split.record(self.sides),
            "skipped": [broken.path.name for broken in self.skipped],
            "face_detector": detector and load_once(detector).version,
            "faceless": [path.name for path in self.faceless],
        }

    @cached_property
    def clip_seconds(self) -> float | None:
        """The median length of the training clips; `None` where none tells its length."""
        return median_seconds(self.sides["train"])

    @property
    def class_weights(self) -> torch.Tensor | None:
        """(K,) weights of the loss; `None` unless `balance` asks for them."""
        weighted = self.balance == "weights"
        return loss_weights(self.sides["train"], self.num_classes) if weighted else None
