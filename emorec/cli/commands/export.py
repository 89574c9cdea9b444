"""`emorec export`: a checkpoint becomes a file that others can run."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.data.ravdess import ROOT_VARIABLE
from emorec.errors import UserError
from emorec.inference.export_format import SUFFIXES, Format
from emorec.inference.precision import TOLERANCES, Precision

if TYPE_CHECKING:  # torch takes seconds
    from emorec.checkpoint import Checkpoint
    from emorec.inference.export import Exported
    from emorec.inference.facts import Facts
    from emorec.inference.runtime import Windows


def export(
    *,
    ckpt: str | None = None,
    format: Format = "onnx",  # noqa: A002 - its name on the command line
    half: bool = False,
    dynamic_batch: bool = False,
    to: str | None = None,
    clips: str | None = None,
) -> None:
    """Write a trained network as an ONNX file or a program of torch.export, and compare it with the checkpoint.

    Frames go in as they are decoded, probabilities come out: normalization and temperature are inside, and so is what
    one has to know of the network.

    Args:
        ckpt: The checkpoint.
        format: Of the file.
        half: Weights of 16 bits instead of 32; what goes in and comes out stays the same.
        dynamic_batch: Take any number of windows at once; else one.
        to: The file to write, replaced; beside the checkpoint when not given.
        clips: Folder of videos to compare on; where the network's data lay when not given, else drawn faces.

    Raises:
        UserError: When the checkpoint can't be exported, the result differs too much, or it can't be written.
    """
    if ckpt is None:
        raise UserError("name a checkpoint with --ckpt")
    # late: torch takes seconds
    from emorec import checkpoint
    from emorec.inference.export import export as export_network
    from emorec.inference.trial_windows import trial_windows

    path = Path(ckpt).expanduser()
    said = checkpoint.read(path)
    target = Path(to).expanduser() if to else path.with_suffix(SUFFIXES[format])
    if target.suffix != SUFFIXES[format]:
        raise UserError(f"{target} has to end in {SUFFIXES[format]}, with --format {format}")
    if target.is_dir():
        raise UserError(f"{target} is a folder: name a file with --to")
    folder = clips_folder(said, clips)
    compared_on = ""

    def windows(facts: "Facts") -> "Windows":
        nonlocal compared_on
        given, compared_on = trial_windows(facts, folder)
        return given

    precision: Precision = "float16" if half else "float32"
    done = export_network(
        path, format, target, windows, precision=precision, dynamic_batch=dynamic_batch
    )
    print(words(done, compared_on, precision, dynamic_batch=dynamic_batch))


def clips_folder(said: "Checkpoint", asked: str | None) -> Path | None:
    """Where clips are: those asked for, else those of the checkpoint's data set; `None` when they are not at hand.

    Raises:
        UserError: When what was asked for is no folder.
    """
    if asked is not None:
        folder = Path(asked).expanduser()
        if not folder.is_dir():
            raise UserError(f"no such folder: {folder}")
        return folder
    root = said.data["init_args"].get("root") or os.environ.get(ROOT_VARIABLE)
    known = Path(root).expanduser() if root else None
    # a data set of pictures, or one that a CSV file names, may have no videos of its own there
    of_videos = said.data["class_path"] == "emorec.data.RavdessDataModule"
    return known if known is not None and of_videos and known.is_dir() else None


def words(done: "Exported", compared_on: str, precision: Precision, *, dynamic_batch: bool) -> str:
    """What was written and how well it fits, some lines."""
    from emorec.inference.metadata import inputs_of, output_of
    from emorec.inference.parity import shown

    facts, found = done.facts, done.parity
    output, meaning = output_of(facts)
    count = "any number of windows" if dynamic_batch else "one window"
    same = f", the same class in {found.agreeing} of {found.windows}"
    return "\n".join(
        [
            f"{done.path}: {done.path.stat().st_size / 1e6:.1f} MB, {facts.network}, weights {precision}, "
            f"{count} at once",
            *(f"  {name}: {text}" for name, text in inputs_of(facts).items()),
            f"  {output}: {meaning}",
            f"{done.runtime} against the checkpoint on {compared_on}: {output} differ by at most "
            f"{shown(found.largest)} (allowed: {TOLERANCES[precision]:g}){same if facts.says == 'classes' else ''}",
            facts.licence,
        ]
    )
