"""What a trained network sees in every frame of Aff-Wild2, once and for all."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch.utils.data import DataLoader

from emorec import checkpoint
from emorec.data.dataset import make_loader
from emorec.data.sets.affwild2.datamodule import AffWild2DataModule
from emorec.data.sets.affwild2.features import features_file
from emorec.data.sets.affwild2.parser import Video
from emorec.data.sets.affwild2.windows import Window, WindowFrames
from emorec.errors import UserError
from emorec.io import atomic_write
from emorec.models import FaceClassifier, FaceRegressor

FEATURES_OF = "features_of.txt"
"""Names the checkpoint whose features a folder holds."""


def write_features(
    ckpt: str,
    to: str,
    *,
    root: str | None,
    batch_size: int,
    num_workers: int | None,
    device: str | None,
) -> None:
    """Writes the features of every frame, a file a video, and says what was written.

    Arguments and errors are those of `emorec.commands.features.features`.
    """
    said = checkpoint.read(ckpt)
    data = _data(said, root, num_workers)
    network = _network(said)
    folder = Path(to).expanduser()
    _claim(folder, said.path)
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    network.to(place).eval()
    data.prepare_data()
    videos = data.videos
    num_features = network.network.num_features
    for video in track(videos, description="features", transient=True):
        path = features_file(folder, video)
        if path.is_file():
            continue
        found = np.zeros((len(video.frames), num_features), dtype=np.float32)
        for batch in _pictures(data, video, batch_size):
            found[batch["index"].numpy()] = _features(network, batch["frames"].to(place))
        with atomic_write(path) as file:
            np.save(file, found)
    frames = sum(len(video.frames) for video in videos)
    print(
        f"{num_features} features of {frames} frames of {len(videos)} videos: {folder}\n"
        f"train on them with --data.features {folder} --model.backbone none --model.num_features {num_features}"
    )


def _data(
    said: checkpoint.Checkpoint, root: str | None, num_workers: int | None
) -> AffWild2DataModule:
    if said.data["class_path"] != checkpoint.class_path(AffWild2DataModule):
        raise UserError(
            f"{said.path} was trained on {said.data['class_path']}: features are of Aff-Wild2's frames"
        )
    arguments = {**said.data["init_args"], "num_workers": num_workers}
    if root is not None:
        arguments["root"] = root
    if arguments["features"] is not None:
        raise UserError(f"{said.path} was itself trained on features: name a network of pictures")
    return AffWild2DataModule(**arguments)


def _network(said: checkpoint.Checkpoint) -> FaceClassifier | FaceRegressor:
    found = checkpoint.import_class(said, said.model["class_path"])
    if not issubclass(found, FaceClassifier | FaceRegressor):
        raise UserError(
            f"{said.path} holds {said.model['class_path']}: it takes a FaceRegressor or a FaceClassifier"
        )
    network: FaceClassifier | FaceRegressor = found.load_from_checkpoint(
        said.path, map_location="cpu", weights_only=True
    )
    network.num_frames = 1
    return network


def _claim(folder: Path, ckpt: Path) -> None:
    """Refuses a folder with the features of another network."""
    content = f"{ckpt.absolute()} {ckpt.stat().st_mtime_ns}\n"
    note = folder / FEATURES_OF
    if note.is_file() and note.read_text() != content:
        raise UserError(
            f"{folder} holds the features of another network, {note.read_text().split()[0]}: choose another --to"
        )
    try:
        with atomic_write(note) as file:
            file.write(content.encode())
    except OSError as error:
        raise UserError(f"can't write into {folder}: {error.strerror}") from error


def _pictures(data: AffWild2DataModule, video: Video, batch_size: int) -> DataLoader[Any]:
    """The frames of a video, one by one, as the network sees them where nothing is drawn."""
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
    found: npt.NDArray[np.float32] = network.frame_features(frames)[:, 0].float().cpu().numpy()
    return found
