"""Clips on their sides become loaders. What every data set shares stands here; a data set adds how it is found."""

import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader

from emorec.data.admit import FaceMissing, admit, tell
from emorec.data.balance import draw_weights, loss_weights
from emorec.data.cache.look_through import BrokenClip, LookedThrough
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset
from emorec.data.decoding.decode import Decoder
from emorec.data.device_dataset import DeviceDataset, finish_on_device
from emorec.data.faces.detector_file import find_detector
from emorec.data.found import SIDES_OF_STAGE, Found
from emorec.data.loader import make_loader
from emorec.data.recipe import Recipe, load_once
from emorec.data.resident import ResidentSquares, load_squares
from emorec.data.resize import Resize, square_side
from emorec.data.sampler import EpochSampler
from emorec.data.source import CachedSquares, DecodedSquares, Source
from emorec.data.split import Side
from emorec.data.transform import Augment, ClipTransform
from emorec.errors import UserError


class ClipDataModule(LightningDataModule):
    """Loaders over labelled clips whose actors are on one side only.

    Args:
        num_frames: T, evenly spaced over each clip.
        image_size: Side of the frames the network sees, in pixels.
        resize: "shorter_side" keeps proportions and takes the central square; "squash" makes all of it square.
        augment: Vary the training clips: `true` alike for all frames of a clip, "per_frame" each anew, as the seed
            study did.
        balance: What to do about rarer classes: "weights" in the loss, "sampler" draws them more often.
        batch_size: Clips a step and process.
        num_workers: Loader processes; by default one a core, at most 8.
        cache: "auto" keeps decoded frames in the user's cache folder while there is room, a folder's path keeps them
            there, "none" decodes every clip anew in every epoch.
        decoder: The library that reads the videos; all give the same frames.
        resident: Keep cached frames in the GPU's memory, or without one in memory that processes share, if they fit.
        augment_on: Crop and augment in the loader's "workers", or on the "device" that the network is on.
        face: "crop" cuts one square a clip around the face, "none" keeps the picture. It needs a cache.
        face_detector: "yunet" (downloaded once), "haar" (comes with OpenCV), a file of YuNet, or "auto": YuNet where it
            can be had.
        face_missing: What becomes of a clip without a face: its "center", "skip" it, or stop with an "error".
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
        image_size: int = 224,
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
        on_error: Literal["refuse", "skip"] = "refuse",
        allow_missing_actors: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        for name, number, least in (
            ("num_frames", num_frames, 1),
            ("image_size", image_size, 1),
            ("batch_size", batch_size, 1),
            ("num_workers", num_workers or 0, 0),
            ("seed", seed, 0),
        ):
            if number < least:
                raise UserError(f"data.{name} is {number}: it has to be at least {least}")
        self.image_size = image_size
        self.recipe = Recipe(
            num_frames=num_frames, side=square_side(image_size), resize=resize, decoder=decoder
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
        self.num_views = 1
        self.sides: dict[Side, Sequence[Clip]] = {}
        self.everything: Sequence[Clip] = []
        self.skipped: list[BrokenClip] = []
        self.faceless: list[Path] = []
        self.source: Source = DecodedSquares(self.recipe)
        self._on_device: ResidentSquares | None = None
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
        tell(self._admit(found, stage), found.others)
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
        self.skipped = looked.broken
        self.faceless = looked.faceless
        bad = {clip.path for clip in looked.broken}
        self.everything = [clip for clip in found.clips if clip.path not in bad]
        self.sides = {**found.split.clips(self.everything)}
        for side in SIDES_OF_STAGE[stage]:
            if not self.sides[side]:
                raise UserError(f"split {self.split.name}: no clip left for {side}")
        if self.resident and isinstance(self.source, CachedSquares):
            used: Sequence[Clip] = [
                clip for side in SIDES_OF_STAGE[stage] for clip in self.sides[side]
            ]
            device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
            self._keep_in_memory(used or self.everything, device)

    def _keep_in_memory(self, clips: Sequence[Clip], device: torch.device) -> None:
        self._on_device = None  # what an earlier stage kept there
        squares = load_squares(clips, self.source, device)
        if squares is not None and device.type == "cpu":
            self.source = squares
        self._on_device = squares if device.type != "cpu" else None

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

    def split_record(self) -> dict[str, Any]:
        """Who is where, as plain values: name, fold, actors of each side, clips of each side, hash, clips left out."""
        detector = self.recipe.face_detector
        return {
            **self.split.record(self.sides),
            "skipped": [broken.path.name for broken in self.skipped],
            "face_detector": detector and load_once(detector).version,
            "faceless": [path.name for path in self.faceless],
        }

    def state_dict(self) -> dict[str, Any]:
        """The epoch that a run which goes on from here begins with."""
        progress: Any = self.trainer.fit_loop.epoch_progress if self.trainer else None
        return {"epoch": progress.current.processed if progress else 0}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remembers the epoch to begin with."""
        self._first_epoch = state_dict["epoch"]

    @property
    def class_weights(self) -> torch.Tensor | None:
        """(K,) weights of the loss; `None` unless `balance` asks for them."""
        weighted = self.balance == "weights"
        return loss_weights(self.sides["train"], self.num_classes) if weighted else None

    def dataset(self, clips: Sequence[Clip], *, augment: Augment = False) -> ClipDataset:
        """The clips as the network sees them."""
        transform = ClipTransform(self.image_size, augment)
        return ClipDataset(clips, self.source, transform, self.seed)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Crops and augments what arrived on the device as whole squares."""
        del dataloader_idx
        if not self._finished_on_device:
            return batch
        return finish_on_device(batch, self.image_size, self._on_device, self.num_views)

    @property
    def _finished_on_device(self) -> bool:
        return self.augment_on == "device" or self._on_device is not None or self.num_views > 1

    def train_dataloader(self) -> DataLoader[Any]:
        """Training clips, shuffled and augmented by (seed, epoch)."""
        clips = self.sides["train"]
        sampler = EpochSampler(
            self.dataset(clips),
            seed=self.seed,
            weights=draw_weights(clips) if self.balance == "sampler" else None,
            num_replicas=self.trainer.world_size if self.trainer else 1,
            rank=self.trainer.global_rank if self.trainer else 0,
        )
        # the loader's workers begin before Lightning tells the sampler which epoch it is
        sampler.set_epoch(self._first_epoch)
        return self._loader(clips, sampler, augment=self.augment)

    def val_dataloader(self) -> DataLoader[Any]:
        """Validation clips in order."""
        return self._loader(self.sides["val"])

    def test_dataloader(self) -> DataLoader[Any]:
        """Test clips in order."""
        return self._loader(self.sides["test"])

    def predict_dataloader(self) -> DataLoader[Any]:
        """Every clip of the folder, whatever its side."""
        return self._loader(self.everything)

    def _loader(
        self,
        clips: Sequence[Clip],
        sampler: EpochSampler | None = None,
        *,
        augment: Augment = False,
    ) -> DataLoader[Any]:
        size = (self.recipe.num_frames, self.image_size, self.image_size, 3)
        dataset, shape = self.dataset(clips, augment=augment), size
        if self._finished_on_device:
            transform, resident = dataset.transform, self._on_device
            dataset = DeviceDataset(clips, self.source, transform, self.seed, resident)
            shape = self.recipe.shape
        return make_loader(
            dataset,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            sampler=sampler,
            shape=None if self._on_device else shape,
        )
