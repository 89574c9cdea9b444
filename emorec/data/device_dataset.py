"""Clips whose frames are made on the device that the network is on: what travels there, and what becomes of it."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from typing_extensions import override

from emorec.data.augment_device import transform_on_device
from emorec.data.clip import Batch, Clip
from emorec.data.dataset import ClipDataset, Sample, draw_seed, label_of
from emorec.data.resident import ResidentSquares
from emorec.data.source import Source
from emorec.data.transform import ClipTransform
from emorec.data.views import views_of


class DeviceDataset(ClipDataset):
    """Hands over whole squares, or where on the device they already are, and what is drawn for each frame.

    Args:
        clips: The clips.
        source: Gives the squares of a clip.
        transform: Draws what is to be done to them.
        seed: The run's seed.
        resident: Squares that are on the device; then the source is not asked.
        sound: `hearing` and `vary_sound`, see `ClipDataset`.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        source: Source,
        transform: ClipTransform,
        seed: int = 0,
        resident: ResidentSquares | None = None,
        **sound: Any,
    ) -> None:
        super().__init__(clips, source, transform, seed, **sound)
        # the tensor itself stays with the main process: a GPU's memory can't go to a loader's process
        self._shape = None if resident is None else resident.squares.shape[1:]
        self._rows = None if resident is None else [resident.row(clip) for clip in clips]

    @override
    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        clip = self.clips[index]
        sample: dict[str, Any] = {"label": label_of(clip), "index": index}
        sample |= self.sound_of(index, epoch)
        if self._rows is None or self._shape is None:
            squares = self.source(clip)
            sample["frames"], shape = torch.from_numpy(squares), squares.shape
        else:
            sample["row"], shape = self._rows[index], self._shape
        if self.transform.augment is not False:
            draws = self.transform.draws(shape[0], shape[1], draw_seed(self.seed, epoch, index))
            sample["draws"] = torch.tensor([draw.numbers for draw in draws])  # (T, 8)
        return cast("Sample", sample)


def finish_on_device(
    batch: dict[str, Any],
    image_size: int,
    resident: ResidentSquares | None = None,
    num_views: int = 1,
) -> Batch:
    """A batch of a `DeviceDataset` that has arrived becomes what the network sees.

    Args:
        batch: row (B,) int64 or frames (B, T, C, side, side) uint8; draws (B, T, 8) of augmented clips; the rest.
        image_size: Side of the result in pixels.
        resident: Where the rows are.
        num_views: Above 1, clips that are not augmented get so many views (see `views_of`).
    """
    rest = {name: what for name, what in batch.items() if name not in ("row", "frames", "draws")}
    squares = batch["frames"] if resident is None else resident.take(batch["row"])
    frames = transform_on_device(squares, image_size, batch.get("draws"))
    if num_views > 1 and "draws" not in batch:
        rest["views"] = views_of(squares, image_size, num_views)
    return cast("Batch", {"frames": frames, **rest})
