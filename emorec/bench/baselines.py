"""What is done without a cache, measured beside it: decoding in every epoch, and JPEG files opened with PIL."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from emorec.bench.stages import (
    Stage,
    clips_per_second,
    decoding_speed,
    endless_batches,
    loader_speed,
    one_thread,
    workers_title,
)
from emorec.data import ClipDataModule
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Clip
from emorec.data.dataset import make_loader
from emorec.data.preprocessing import FrameSpec, ReadFrames, resize_frames
from emorec.data.video.reader import Frames, library_of, linspace_indices
from emorec.errors import UserError
from emorec.image_size import Size
from emorec.io import list_files
from emorec.layers.normalize import IMAGENET

NUM_JPEG_CLIPS = 48
"""Clips that are written as JPEG files: enough for three batches."""

JPEG_SIDE = 224
"""Pixels a side of the JPEG files, whatever the networks then see."""

JPEG_QUALITY = 95

ON_THE_FLY = "on_the_fly_"
"""Prefix of the stages that decode in every epoch."""


def baseline_stages(data: ClipDataModule, videos: Sequence[Clip], folder: Path) -> list[Stage]:
    """Return the loader on one core, and what it is compared with.

    Args:
        data: Set up for training.
        videos: The clips to decode.
        folder: For JPEG files.
    """
    sources: dict[str, ReadFrames] = {
        name: PlainDecoder(decode, data.frame_spec) for name, decode in installed_decoders().items()
    }
    sources["emorec"] = ClipReader(data.frame_spec)
    titles = {
        "opencv": "OpenCV",
        "pyav": "PyAV",
        "emorec": f"emorec ({library_of(data.frame_spec.decoder)})",
    }
    folders = write_jpegs(data.subsets["train"][:NUM_JPEG_CLIPS], data.read_frames, folder)
    jpeg_clips = JpegClips(folders, size=data.frame_spec.size, image_size=data.image_size)
    return [
        Stage("loader_one_core", "loader, one core", partial(one_core_speed, data)),
        Stage(
            "seed_way",
            "JPEG files and PIL, one core",
            partial(main_process_speed, jpeg_clips, data.batch_size),
        ),
        *(
            Stage(
                f"{ON_THE_FLY}{name}",
                f"on the fly, {titles.get(name, name)}, {workers_title(data)}",
                partial(decoding_speed, data, source, videos, augment=data.augment),
            )
            for name, source in sources.items()
        ),
    ]


def one_core_speed(data: ClipDataModule, seconds: float) -> float:
    """Return how fast the loader is without workers, augmentation included."""
    clips = data.dataset(data.subsets["train"], augment=data.augment)
    with one_thread():
        return loader_speed(make_loader(clips, batch_size=data.batch_size, num_workers=0), seconds)


def ratios(speeds: Mapping[str, float]) -> dict[str, float]:
    """Return how many times as fast emorec's loader is: on one core beside JPEG files, with workers beside decoding.

    >>> ratios({"loader": 800, "loader_one_core": 500, "seed_way": 40, "on_the_fly_pyav": 4})
    {'seed_way': 12.5, 'on_the_fly_pyav': 200.0}
    """
    compared = {"seed_way": "loader_one_core"} | {
        name: "loader" for name in speeds if name.startswith(ON_THE_FLY)
    }
    return {name: speeds[ours] / speeds[name] for name, ours in compared.items() if name in speeds}


def videos_in(folder: str) -> list[Clip]:
    """Return all mp4 files below a folder as unlabelled clips.

    Raises:
        UserError: When there are none.
    """
    paths = [path for path in list_files(Path(folder).expanduser()) if path.suffix == ".mp4"]
    if not paths:
        raise UserError(f"no mp4 file below {folder}: name a folder of videos with --originals")
    return [Clip(path=path, label=0, actor=0, take=path.stem) for path in sorted(paths)]


class PlainDecoder:
    """Decodes the frames of a clip each time by one of the functions below, as a `ReadFrames`.

    Args:
        decode: A video and T -> (T, H, W, C) uint8, evenly spaced.
        spec: The frames' number, size and resizing.
    """

    def __init__(self, decode: Callable[[Path, int], Frames], spec: FrameSpec) -> None:
        self.decode = decode
        self.spec = spec

    def __call__(self, clip: Clip) -> Frames:
        """Return (T, H, W, C) uint8."""
        frames = self.decode(clip.path, self.spec.num_frames)
        return resize_frames(frames, self.spec.size, self.spec.resize)


def decode_with_opencv(path: Path, num_frames: int) -> Frames:
    """Read to the last wanted frame and convert the wanted ones.

    Raises:
        RuntimeError: When OpenCV returns no frame at all.
    """
    # one thread, as the loader's workers are the parallelism here
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    indices = linspace_indices(max(1, int(video.get(cv2.CAP_PROP_FRAME_COUNT))), num_frames)
    frames: dict[int, Any] = {}
    for index in range(indices[-1] + 1):
        if not video.grab():
            break
        if index in indices:
            frames[index] = cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB)
    video.release()
    return _stack(path, frames, indices)


def decode_with_pyav(path: Path, num_frames: int) -> Frames:
    """Decode all frames and convert the wanted ones.

    Raises:
        RuntimeError: When PyAV returns no frame at all.
    """
    import av

    with av.open(str(path)) as file:
        video = file.streams.video[0]
        indices = linspace_indices(max(1, video.frames), num_frames)
        frames = {
            index: frame.to_ndarray(format="rgb24")
            for index, frame in enumerate(file.decode(video))
            if index in indices
        }
    return _stack(path, frames, indices)


def decode_with_torchcodec(path: Path, num_frames: int) -> Frames:
    """Ask for the wanted frames, which torchcodec seeks."""
    from torchcodec.decoders import VideoDecoder

    video = VideoDecoder(str(path), dimension_order="NHWC")
    indices = linspace_indices(len(video), num_frames)
    frames: Frames = video.get_frames_at(indices).data.numpy()
    return frames


def _stack(path: Path, frames: dict[int, Any], indices: list[int]) -> Frames:
    if not frames:
        raise RuntimeError(f"{path}: no frame could be decoded")
    # files may promise more frames than they hold: the last one stands for the rest
    return np.stack([frames.get(index, frames[max(frames)]) for index in indices])


def installed_decoders() -> dict[str, Callable[[Path, int], Frames]]:
    """Return the decoders whose package is installed and finds what it needs.

    >>> "opencv" in installed_decoders()
    True
    """
    decoders: dict[str, tuple[str, Callable[[Path, int], Frames]]] = {
        "opencv": ("cv2", decode_with_opencv),
        "pyav": ("av", decode_with_pyav),
        "torchcodec": ("torchcodec", decode_with_torchcodec),
    }
    installed = {}
    for name, (package, decode) in decoders.items():
        with suppress(ImportError, RuntimeError, OSError):
            module = import_module(package)
            if getattr(module, "ffmpeg_major_version", 0) is not None:  # torchcodec without FFmpeg
                installed[name] = decode
    return installed


class JpegClips(Dataset[tuple[Tensor, int]]):
    """Clips whose frames are JPEG files, each opened, resized, cropped and flipped anew, and normalised.

    So emorec's first study loaded its clips.

    Args:
        folders: One a clip, see `write_jpegs`.
        size: Frames are resized to it.
        image_size: And cropped to it.
    """

    def __init__(self, folders: Sequence[Path], *, size: Size, image_size: Size) -> None:
        self.files = [sorted(folder.glob("*.jpg")) for folder in folders]
        self.transform = transforms.Compose(
            [
                transforms.Resize(size),
                transforms.RandomCrop(image_size),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(IMAGENET.mean, IMAGENET.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        frames = [self.transform(Image.open(file).convert("RGB")) for file in self.files[index]]
        return torch.stack(frames), index  # (T, C, H, W)


def write_jpegs(clips: Sequence[Clip], source: ReadFrames, root: Path) -> list[Path]:
    """Write a folder a clip with its T frames as JPEG files of 224 x 224 pixels.

    Args:
        clips: Which.
        source: Returns their frames.
        root: The folder for the folders.
    """
    folders = []
    for number, clip in enumerate(clips):
        folder = root / f"{number:05d}"
        folder.mkdir(parents=True)
        for index, frame in enumerate(source(clip)):
            image = cv2.resize(frame, (JPEG_SIDE, JPEG_SIDE), interpolation=cv2.INTER_AREA)
            Image.fromarray(image).save(folder / f"{index:02d}.jpg", quality=JPEG_QUALITY)
        folders.append(folder)
    return folders


def main_process_speed(clips: JpegClips, batch_size: int, seconds: float) -> float:
    """Return how fast one core makes batches of them in the main process."""
    loader: DataLoader[Any] = DataLoader(
        clips, batch_size=min(batch_size, len(clips)), shuffle=True
    )
    batches = endless_batches(loader)
    with one_thread():
        return clips_per_second(lambda: len(next(batches)[1]), seconds)
