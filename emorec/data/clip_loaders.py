"""Clips of each side become batches: what the loaders of every data set share."""

from collections.abc import Sequence
from typing import Any, Literal

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from emorec.data.balance import draw_weights
from emorec.data.clip import Clip
from emorec.data.dataset import ClipDataset
from emorec.data.device_dataset import DeviceDataset, finish_on_device
from emorec.data.loader import make_loader
from emorec.data.recipe import Recipe
from emorec.data.resident import ResidentPictures
from emorec.data.sampler import EpochSampler
from emorec.data.sound.hearing import Hearing
from emorec.data.source import Source
from emorec.data.split import Side
from emorec.data.transform import Augment, ClipTransform
from emorec.picture_size import Size


class ClipLoaders(LightningDataModule):
    """Loaders over clips that were found, split and looked through; see `ClipDataModule` for what is not said here.

    Attributes:
        sides: The clips of each side.
        everything: All clips, whatever their side.
        source: Gives the pictures of a clip.
        hearing: Gives its sound; `None` where nobody listens.
        num_views: How often clips that are measured are looked at, see `views_of`; set it before the loaders are made.
    """

    sides: dict[Side, Sequence[Clip]]
    everything: Sequence[Clip]
    source: Source
    hearing: Hearing | None
    num_views: int
    recipe: Recipe
    image_size: Size
    augment: Augment
    augment_on: Literal["workers", "device"]
    sound_augment: bool
    balance: Literal["none", "weights", "sampler"]
    batch_size: int
    num_workers: int
    seed: int
    _on_device: ResidentPictures | None
    _first_epoch: int

    def state_dict(self) -> dict[str, Any]:
        """The epoch that a run which goes on from here begins with."""
        progress: Any = self.trainer.fit_loop.epoch_progress if self.trainer else None
        return {"epoch": progress.current.processed if progress else 0}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remembers the epoch to begin with."""
        self._first_epoch = state_dict["epoch"]

    def dataset(
        self, clips: Sequence[Clip], *, augment: Augment = False, vary_sound: bool = False
    ) -> ClipDataset:
        """The clips as the network sees and hears them."""
        transform, sound = ClipTransform(self.image_size, augment), self._sound(vary_sound)
        return ClipDataset(clips, self.source, transform, self.seed, **sound)

    def _sound(self, vary_sound: bool) -> dict[str, Any]:
        return {"hearing": self.hearing, "vary_sound": vary_sound}

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Crops and augments what arrived on the device as whole pictures."""
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
        size = (self.recipe.num_frames, *self.image_size, 3)
        vary_sound = self.sound_augment and sampler is not None
        dataset, shape = self.dataset(clips, augment=augment, vary_sound=vary_sound), size
        if self._finished_on_device:
            transform, resident, sound = dataset.transform, self._on_device, self._sound(vary_sound)
            dataset = DeviceDataset(clips, self.source, transform, self.seed, resident, **sound)
            shape = self.recipe.shape
        return make_loader(
            dataset,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            sampler=sampler,
            shape=None if self._on_device or not self.recipe.num_frames else shape,
        )
