"""The seed study's way of loading, as it was."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from emorec.bench.seed_way import SeedClips, main_process_speed, write_jpegs
from emorec.data.clip import Clip
from emorec.layers.normalize import IMAGENET

CLIPS = [Clip(path=Path(f"{number}.mp4"), label=0, actor=1, take="") for number in range(3)]


def grey(clip: Clip) -> np.ndarray:
    """Four frames, whose grey level says which clip they are of and which of its frames."""
    level = 50 * int(clip.path.stem)
    return np.stack([np.full((40, 40, 3), level + 10 * index, np.uint8) for index in range(4)])


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return write_jpegs(CLIPS, grey, tmp_path)


def test_each_frame_is_a_jpeg_file_of_224_pixels(folders: list[Path]) -> None:
    assert [len(list(folder.iterdir())) for folder in folders] == [4, 4, 4]
    with Image.open(folders[2] / "03.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (224, 224))
        assert np.abs(np.asarray(picture).astype(int) - 130).max() <= 1


def test_a_clip_is_its_frames_in_order_cropped_and_normalised(folders: list[Path]) -> None:
    clips = SeedClips(folders, size=(32, 32), image_size=(28, 28))
    frames, index = clips[1]
    assert (len(clips), index) == (3, 1)
    assert frames.shape == (4, 3, 28, 28)
    assert frames.dtype == torch.float32
    mean, std = (torch.tensor(values)[:, None, None] for values in IMAGENET)
    levels = (frames * std + mean).mean(dim=(1, 2, 3)) * 255
    assert levels.tolist() == pytest.approx([50, 60, 70, 80], abs=1)


def test_speed_counts_every_clip_of_every_batch(
    folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "emorec.bench.seed_way.clips_per_second", lambda work, seconds: [work() for _ in range(4)]
    )
    clips = SeedClips(folders, size=(32, 32), image_size=(28, 28))
    assert main_process_speed(clips, 2, 1.0) == [2, 1, 2, 1]  # three clips an epoch
