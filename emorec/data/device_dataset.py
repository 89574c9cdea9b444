"""Clips whose frames are made on the device that the network is on: what travels there, and what becomes of it."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from typing_extensions import override

from emorec.data.augment_device import transform_on_device
from emorec.data.clip import Batch, Clip
from emorec.data.dataset import ClipDataset, Sample, draw_seed, label_of
from emorec.data.resident import ResidentPictures
from emorec.data.source import Source
from emorec.data.transform import ClipTransform
from emorec.data.views import views_of
from emorec.picture_size import Size


class DeviceDataset(ClipDataset):
    """Hands over whole pictures, or where on the device they already are, and what is drawn for each frame.

    Args:
        clips: The clips.
        source: Gives the pictures of a clip.
        transform: Draws what is to be done to them.
        seed: The run's seed.
        resident: Pictures that are on the device; then the source is not asked.
        sound: `hearing` and `vary_sound`, see `ClipDataset`.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        source: Source,
        transform: ClipTransform,
        seed: int = 0,
        resident: ResidentPictures | None = None,
        **sound: Any,
    ) -> None:
        super().__init__(clips, source, transform, seed, **sound)
        # the tensor itself stays with the main process: a GPU's memory can't go to a loader's process
        self._shape = None if resident is None else resident.pictures.shape[1:]
        self._rows = None if resident is None else [resident.row(clip) for clip in clips]

    @override
    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        clip = self.clips[index]
        sample: dict[str, Any] = {"label": label_of(clip), "index": index}
        sample |= self.sound_of(index, epoch)
        if self._rows is None or self._shape is None:
            pictures = self.source(clip)
            sample["frames"], shape = torch.from_numpy(pictures), pictures.shape
        else:
            sample["row"], shape = self._rows[index], self._shape
        if self.transform.augment is not False:
            num_frames, height, width, _ = shape
            seed = draw_seed(self.seed, epoch, index)
            draws = self.transform.draws(num_frames, (height, width), seed)
            sample["draws"] = torch.tensor([draw.numbers for draw in draws])  # (T, 8)
        return cast("Sample", sample)


def finish_on_device(
    batch: dict[str, Any],
    image_size: Size,
    resident: ResidentPictures | None = None,
    num_views: int = 1,
) -> Batch:
    """A batch of a `DeviceDataset` that has arrived becomes what the network sees.

    Args:
        batch: row (B,) int64 or frames (B, T, C, H, W) uint8; draws (B, T, 8) of augmented clips; the rest.
        image_size: Of the result.
        resident: Where the rows are.
        num_views: Above 1, clips that are not augmented get so many views (see `views_of`).
    """
    rest = {name: what for name, what in batch.items() if name not in ("row", "frames", "draws")}
    pictures = batch["frames"] if resident is None else resident.take(batch["row"])
    frames = transform_on_device(pictures, image_size, batch.get("draws"))
    if num_views > 1 and "draws" not in batch:
        rest["views"] = views_of(pictures, image_size, num_views)
    return cast("Batch", {"frames": frames, **rest})
