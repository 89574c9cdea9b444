"""Baselines run, and ratios compare equal numbers of cores."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from emorec.bench.baselines import (
    JpegClips,
    PlainDecoder,
    baseline_stages,
    installed_decoders,
    main_process_speed,
    ratios,
    videos_in,
    write_jpegs,
)
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Clip
from emorec.data.preprocessing import FrameSpec
from emorec.errors import UserError
from emorec.layers.pretrained import IMAGENET
from tests import videos
from tests.bench.networks import DelayedData


def test_one_core_is_compared_with_one_core_and_workers_with_workers() -> None:
    speeds = {
        "loader": 900.0,
        "loader_one_core": 500.0,
        "seed_way": 25.0,
        "on_the_fly_opencv": 3.0,
        "on_the_fly_emorec": 4.5,
        "network": 50.0,
    }
    assert ratios(speeds) == {
        "seed_way": 20.0,
        "on_the_fly_opencv": 300.0,
        "on_the_fly_emorec": 200.0,
    }


def test_without_baselines_there_are_no_ratios() -> None:
    assert ratios({"loader": 900.0, "network": 50.0}) == {}


@pytest.mark.slow
def test_each_baseline_runs(drawn_clips: Path, tmp_path: Path) -> None:
    data = DelayedData(str(drawn_clips))
    data.setup("fit")
    video_paths = videos_in(str(drawn_clips / "Actor_01"))
    assert [clip.path.parent.name for clip in video_paths] == ["Actor_01"] * 8
    stages = baseline_stages(data, video_paths, tmp_path)
    decoders = [f"on_the_fly_{name}" for name in (*installed_decoders(), "emorec")]
    assert [stage.name for stage in stages] == ["loader_one_core", "seed_way", *decoders]
    assert all(stage.measure(0.001) > 0 for stage in stages)


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no mp4 file below {tmp_path}: .*--originals"):
        videos_in(str(tmp_path))


SPEC = FrameSpec(num_frames=4, size=(32, 32))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = videos.write_video(tmp_path_factory.mktemp("video") / "clip.mp4", 20, bframes=2)
    return Clip(path=path, label=0, actor=1, take="")


@pytest.mark.parametrize("name", ["opencv", "pyav", "torchcodec"])
def test_each_decoder_returns_the_frames_of_emorec(clip: Clip, name: str) -> None:
    if name not in installed_decoders():
        pytest.skip(f"{name} is not installed")
    frames = PlainDecoder(installed_decoders()[name], SPEC)(clip)
    ours = ClipReader(SPEC)(clip)
    assert frames.shape == SPEC.shape
    assert frames.dtype == np.uint8
    # YUV to RGB conversions differ slightly; consecutive frames differ by GREY_STEP
    assert np.abs(frames.astype(int) - ours).mean() < videos.GREY_STEP / 4


@pytest.mark.parametrize("name", ["opencv", "pyav"])
def test_a_file_without_video_is_an_error(tmp_path: Path, name: str) -> None:
    path = videos.write_sound(tmp_path / "sound.mp4")
    with pytest.raises((RuntimeError, IndexError)):
        installed_decoders()[name](path, 4)


CLIPS = [Clip(path=Path(f"{number}.mp4"), label=0, actor=1, take="") for number in range(3)]


def grey(clip: Clip) -> np.ndarray:
    """Four uniformly grey frames of different levels."""
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
    clips = JpegClips(folders, size=(32, 32), image_size=(28, 28))
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
        "emorec.bench.baselines.clips_per_second", lambda work, seconds: [work() for _ in range(4)]
    )
    clips = JpegClips(folders, size=(32, 32), image_size=(28, 28))
    assert main_process_speed(clips, 2, 1.0) == [2, 1, 2, 1]  # three clips per epoch
