"""What arrives on the device becomes the batch that the loader's processes would have made."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emorec.data.clip import Batch, Clip
from emorec.data.dataset import ClipDataset
from emorec.data.device_dataset import DeviceDataset, finish_on_device
from emorec.data.loader import make_loader
from emorec.data.resident import ResidentPictures, load_pictures
from emorec.data.resize import Frames
from emorec.data.sampler import EpochSampler
from emorec.data.transform import Augment, ClipTransform, cv2
from emorec.picture_size import Size

# more processes than cores
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

BEFORE, SIZE, NUM_FRAMES = (32, 48), (28, 42), 3
CLIPS = [
    Clip(path=Path(f"{take}.mp4"), label=take % 8, actor=1, take=str(take)) for take in range(7)
]


def pictures(clip: Clip) -> Frames:
    """Frames without edges that only this clip has."""
    rng = np.random.default_rng(int(clip.take))
    noise = rng.integers(0, 256, (NUM_FRAMES, 3, 3, 3), dtype=np.uint8)
    return np.stack(
        [cv2.resize(each, BEFORE[::-1], interpolation=cv2.INTER_CUBIC) for each in noise]
    )


def kept() -> ResidentPictures:
    loaded = load_pictures(CLIPS, pictures, torch.device("cpu"))
    assert loaded is not None
    return loaded


def batches(dataset: ClipDataset, num_workers: int, size: Size | None) -> list[Batch]:
    """Two epochs of training."""
    sampler = EpochSampler(dataset, seed=3)
    shape = None if size is None else (NUM_FRAMES, *size, 3)
    loader = make_loader(
        dataset, batch_size=3, num_workers=num_workers, sampler=sampler, shape=shape
    )
    seen = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        seen += list(loader)
    return seen


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("augment", [False, True, "per_frame"])
@pytest.mark.parametrize("resident", [False, True])
def test_the_device_ends_up_with_what_the_processes_make(
    augment: Augment, resident: bool, num_workers: int
) -> None:
    transform = ClipTransform(SIZE, augment)
    there = kept() if resident else None
    expected = batches(ClipDataset(CLIPS, pictures, transform, seed=3), 0, SIZE)
    sent = batches(
        DeviceDataset(CLIPS, pictures, transform, seed=3, resident=there),
        num_workers,
        None if resident else BEFORE,
    )
    assert len(sent) == len(expected) == 6
    for batch, wanted in zip(sent, expected, strict=True):
        made = finish_on_device(dict(batch), SIZE, there)
        assert made.keys() == wanted.keys()
        assert torch.equal(made["label"], wanted["label"])
        assert torch.equal(made["index"], wanted["index"])
        assert made["frames"].shape == wanted["frames"].shape
        difference = (made["frames"].int() - wanted["frames"].int()).abs()
        assert difference.max() <= (2 if augment is True else 0)


def test_clips_that_are_there_already_send_no_pixels() -> None:
    dataset = DeviceDataset(CLIPS, pictures, ClipTransform(SIZE, True), resident=kept())
    (batch,) = make_loader(dataset, batch_size=7, num_workers=0)
    assert batch.keys() == {"row", "label", "index", "draws"}
    assert batch["row"].dtype == torch.int64
    assert batch["draws"].shape == (7, NUM_FRAMES, 8)
    assert batch["draws"].dtype == torch.float32
