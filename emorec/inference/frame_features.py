"""Frame features of Aff-Wild2: the backbone's output for every frame, computed once."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader

from emorec import checkpoint
from emorec.data.cache.progress import with_progress
from emorec.data.dataset import make_loader
from emorec.data.sets.affwild2.datamodule import AffWild2DataModule
from emorec.data.sets.affwild2.features import features_file
from emorec.data.sets.affwild2.parser import Video
from emorec.data.sets.affwild2.windows import Window, WindowFrames
from emorec.errors import UserError
from emorec.inference.runtimes import choose_device
from emorec.inference.torch_runtime import make_network
from emorec.io import atomic_write, disk_errors
from emorec.models import FaceClassifier, FaceRegressor

FEATURES_OF = "features_of.txt"
"""File in a folder of features that identifies their checkpoint."""


def write_features(
    ckpt: str,
    to: str,
    *,
    root: str | None,
    batch_size: int,
    num_workers: int | None,
    device: str | None,
) -> None:
    """Write the features of every frame, a file for each video; see the command `features` for arguments and errors."""
    chosen_device = choose_device(device)
    loaded = checkpoint.read(ckpt)
    data = _data_module(loaded, root, num_workers)
    network = _load_network(loaded)
    folder = Path(to).expanduser()
    _mark_folder(folder, loaded.path)
    network.to(chosen_device).eval()
    data.prepare_data()
    videos = data.videos
    num_features = network.network.num_features
    for video in with_progress(videos, len(videos), "features", unit="videos"):
        path = features_file(folder, video)
        if path.is_file():
            continue
        features = np.zeros((len(video.frames), num_features), dtype=np.float32)
        for batch in _frame_loader(data, video, batch_size):
            features[batch["index"].numpy()] = _features(network, batch["frames"].to(chosen_device))
        with atomic_write(path) as file:
            np.save(file, features)
    frames = sum(len(video.frames) for video in videos)
    print(
        f"{num_features} features of {frames} frames of {len(videos)} videos: {folder}\n"
        f"train on them with --data.features {folder} --model.backbone none --model.num_features {num_features}"
    )


def _data_module(
    loaded: checkpoint.Checkpoint, root: str | None, num_workers: int | None
) -> AffWild2DataModule:
    if loaded.data["class_path"] != checkpoint.class_path(AffWild2DataModule):
        raise UserError(
            f"{loaded.path} was trained on {loaded.data['class_path']}: features need a network trained on Aff-Wild2"
        )
    arguments = {**loaded.data["init_args"], "num_workers": num_workers}
    if root is not None:
        arguments["root"] = root
    if arguments["features"] is not None:
        raise UserError(
            f"{loaded.path} was itself trained on features: name a network that takes frames"
        )
    return AffWild2DataModule(**arguments)


def _load_network(loaded: checkpoint.Checkpoint) -> FaceClassifier | FaceRegressor:
    network = make_network(loaded)
    if not isinstance(network, FaceClassifier | FaceRegressor):
        raise UserError(
            f"{loaded.path} holds {loaded.model['class_path']}: name a FaceRegressor or a FaceClassifier"
        )
    network.num_frames = 1
    return network


def _mark_folder(folder: Path, ckpt: Path) -> None:
    """Record the checkpoint in the folder; refuse a folder with the features of another one."""
    content = f"{ckpt.absolute()} {ckpt.stat().st_mtime_ns}\n"
    marker = folder / FEATURES_OF
    if marker.is_file() and marker.read_text() != content:
        raise UserError(
            f"{folder} holds the features of another network, {marker.read_text().split()[0]}: choose another --to"
        )
    with disk_errors(folder), atomic_write(marker) as file:
        file.write(content.encode())


def _frame_loader(data: AffWild2DataModule, video: Video, batch_size: int) -> DataLoader[Any]:
    """Return a loader of the frames of a video, without augmentation."""
    spec = data.frame_spec
    data.read_frames = WindowFrames([video], Window(1), spec.size, spec.resize)
    return make_loader(
        data.dataset(data.all_frames(video)), batch_size=batch_size, num_workers=data.num_workers
    )


@torch.no_grad()
def _features(
    network: FaceClassifier | FaceRegressor, frames: torch.Tensor
) -> npt.NDArray[np.float32]:
    """(B, 1, 3, H, W) -> (B, D)."""
    features: npt.NDArray[np.float32] = network.frame_features(frames)[:, 0].float().cpu().numpy()
    return features
