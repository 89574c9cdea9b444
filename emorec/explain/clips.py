"""Explain video files, or the misclassified clips of a run, into pictures and TensorBoard."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray
from rich.text import Text
from torch.utils.tensorboard import SummaryWriter

from emorec.checkpoint import Checkpoint
from emorec.console import make_console
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.data.datasheets import DRAWN_WARNING
from emorec.errors import UserError
from emorec.evaluation.figures import figure_to_image
from emorec.evaluation.predictions import read_predictions
from emorec.explain.explainer import Explainer, clip_from_file
from emorec.explain.figure import explanation_figure, headline
from emorec.io import atomic_write, check_writable, disk_errors

DEFAULT_FOLDER = Path("explained")

STAGES = {"test": "test", "validate": "val"}
"""Folder of a run with predictions -> prefix in TensorBoard, in the order of preference."""


def explain_files(
    explainer: Explainer, paths: Sequence[Path], out: Path | None, start: float | None = None
) -> None:
    """Draw an explanation of each video into a folder and print one line for each.

    A single video that can't be decoded is an error; among several it is reported at the end.

    Args:
        explainer: Of the network.
        paths: Videos.
        out: The folder; "explained" by default.
        start: Start of the window to explain, in seconds, see `clip_from_file`.

    Raises:
        UserError: When a video can't be decoded, or the folder can't be written.
    """
    folder = out or DEFAULT_FOLDER
    check_writable(folder, "--out")
    failed = []
    for path, name in zip(paths, file_names(paths), strict=True):
        try:
            clip = clip_from_file(path, explainer.spec, start)
            _draw(explainer, clip, folder / f"{name}.png")
        except UserError as error:
            if len(paths) == 1 or str(path) not in str(error):
                raise
            failed.append(str(error))
    if failed:
        raise UserError(
            f"{len(failed)} of {len(paths)} clips were not explained: {'; '.join(failed)}"
        )
    if explainer.spec.split.get("drawn"):
        print(DRAWN_WARNING, file=sys.stderr)


def explain_misclassified(
    explainer: Explainer, limit: int, root: str | None, out: Path | None
) -> None:
    """Draw the misclassified clips of a run, most confident first, into its folder and its TensorBoard.

    Args:
        explainer: Of the network.
        limit: Maximum number of clips.
        root: Where the data is now, if it was moved.
        out: The folder; by default "explain" in the folder of the run.

    Raises:
        UserError: When the network predicts numbers, the run has no predictions, or a clip is missing.
    """
    checkpoint = explainer.checkpoint
    if explainer.spec.task != "classes":
        raise UserError(
            f"{checkpoint.name} predicts numbers, which are not right or wrong: name clips instead of --misclassified"
        )
    stage, clips = misclassified_clips(checkpoint, limit, root)
    if not clips:
        print("no clip is misclassified")
        return
    folder = out or checkpoint.run_folder / "explain"
    check_writable(folder, "--out")
    with SummaryWriter(checkpoint.run_folder) as writer:
        for rank, clip in enumerate(clips, start=1):
            image = _draw(explainer, clip, folder / f"{rank:02d}_{clip.path.stem}.png")
            writer.add_image(f"{stage}/explained", image, rank, dataformats="HWC")


def misclassified_clips(
    checkpoint: Checkpoint, limit: int, root: str | None
) -> tuple[str, list[Clip]]:
    """Return the stage, "test" or without a test "val", and its misclassified clips, most confident first.

    Args:
        checkpoint: Of the run.
        limit: Maximum number of clips.
        root: Where the data is now, if it was moved.

    Raises:
        UserError: When the run has no predictions, or a clip is missing.
    """
    files = {
        stage: checkpoint.run_folder / folder / "predictions.csv"
        for folder, stage in STAGES.items()
    }
    existing = [(stage, path) for stage, path in files.items() if path.is_file()]
    if not existing:
        raise UserError(
            f"no {files['test']}: test the network first, with emorec test --ckpt {checkpoint.name}"
        )
    stage, path = existing[0]
    task, table = read_predictions(path)
    worst = task.worst(task.target(table), task.output(table), limit)
    addresses = [str(table["path"].iloc[row]) for row, _ in worst]
    if not addresses:
        return stage, []
    return stage, find_clips(addresses, _data_module(checkpoint, root).find().clips, path)


def find_clips(addresses: Sequence[str], clips: Sequence[Clip], path: Path) -> list[Clip]:
    """Find clips by their addresses in a predictions file, or if the data was moved by their unique file names.

    Args:
        addresses: Of the wanted clips.
        clips: All clips.
        path: The predictions file, for error messages.

    Raises:
        UserError: When a clip is missing or its name is not unique.
    """
    by_address = {clip.address: clip for clip in clips}
    by_name: dict[str, list[Clip]] = {}
    for clip in clips:
        by_name.setdefault(f"{clip.path.name}{clip.fragment}", []).append(clip)
    found = []
    for address in addresses:
        namesakes = by_name.get(address.replace("\\", "/").rpartition("/")[2], [])
        match = by_address.get(address, namesakes[0] if len(namesakes) == 1 else None)
        if match is None:
            raise UserError(
                f"{address} of {path} is not among the {len(clips)} clips of the data: "
                "name the folder of the data with --root"
            )
        found.append(match)
    return found


def _data_module(checkpoint: Checkpoint, root: str | None) -> ClipDataModule:
    cls = checkpoint.import_class("data")
    moved = {} if root is None else {"root": root}
    data: ClipDataModule = cls(**{**checkpoint.data["init_args"], **moved})
    return data


def _draw(explainer: Explainer, clip: Clip, path: Path) -> NDArray[np.uint8]:
    """Write the picture of a clip's explanation and return it, (H, W, 3)."""
    name = f"{clip.path.name}{clip.fragment}"
    truth = explainer.truth(clip)
    with make_console(stderr=True).status(Text(f"explaining {clip.path.name}")):
        explanation = explainer(clip)
        image = figure_to_image(explanation_figure(explanation, clip=name, truth=truth))
        with disk_errors(path), atomic_write(path) as file:
            imsave(file, image, format="png")
    line = f"{name}: {headline(explanation.prediction, truth)}; {path}"
    make_console().print(line, soft_wrap=True)
    return image


def file_names(paths: Sequence[Path]) -> list[str]:
    """Return a unique name for each clip's picture: its stem, with its folder and a number where necessary.

    >>> file_names([Path("a/x.mp4"), Path("b/x.mp4"), Path("b/y.mp4"), Path("b/x.mkv")])
    ['a_x', 'b_x', 'y', 'b_x_2']
    """
    stems = Counter(path.stem for path in paths)
    used: Counter[str] = Counter()
    names = []
    for path in paths:
        unique = stems[path.stem] == 1 or not path.parent.name
        name = path.stem if unique else f"{path.parent.name}_{path.stem}"
        used[name] += 1
        names.append(name if used[name] == 1 else f"{name}_{used[name]}")
    return names
