"""`emorec export`: write a trained network as an ONNX file or a torch.export program."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from emorec.errors import UserError
from emorec.inference.spec import (
    SUFFIXES,
    TOLERANCES,
    ExportFormat,
    Precision,
    describe_inputs,
    describe_outputs,
)
from emorec.io import disk_errors
from emorec.pretrained import DEFAULT, FAMILIARITY_SUFFIX

if TYPE_CHECKING:  # importing torch is slow
    from emorec.checkpoint import Checkpoint
    from emorec.inference.export import Exported
    from emorec.inference.familiarity import Familiarity


def export(
    *,
    ckpt: str | None = None,
    format: ExportFormat | Literal["safetensors"] = "onnx",  # noqa: A002 - the name of the flag
    half: bool = False,
    dynamic_batch: bool = False,
    to: str | None = None,
    clips: str | None = None,
    familiarity: bool = False,
) -> None:
    """Write a trained network as an ONNX file or a torch.export program, and compare it with the checkpoint.

    Inputs are decoded frames and sound, outputs are probabilities: normalization and temperature are inside, and the
    metadata describe inputs and outputs. The format safetensors is another: the checkpoint itself as tensors beside
    JSON, which emorec takes wherever it takes a checkpoint, to keep or share without Python objects.

    Args:
        ckpt: The checkpoint, a name of emorec models, or hf://USER/NAME; by default face_and_sound.
        format: Of the file.
        half: Store weights as float16; inputs and outputs stay the same.
        dynamic_batch: Take batches of any size; else single windows.
        to: The file to write, replaced; by default beside the checkpoint.
        clips: Folder of videos to compare on; by default the training data where present, else drawn faces.
        familiarity: Also fit statistics to the training clips, by which predictions mark windows as unfamiliar, and
            write them beside the file; of the built-in networks they are written anyway.

    Raises:
        UserError: When the checkpoint can't be exported, the training clips are not there, the outputs differ too
            much, or the file can't be written.
    """
    # importing torch is slow
    from emorec import checkpoint
    from emorec.inference.export import export as export_network

    loaded = checkpoint.read(ckpt or DEFAULT)
    suffix = checkpoint.PLAIN_SUFFIX if format == "safetensors" else SUFFIXES[format]
    beside = Path(f"{loaded.run_folder.name}{suffix}")  # here: its own folder is not the user's
    if not loaded.is_shared:
        beside = loaded.path.with_suffix(suffix)
    target = Path(to).expanduser() if to else beside
    if target.suffix != suffix:
        raise UserError(f"{target} has to end in {suffix}, with --format {format}")
    if target.is_dir():
        raise UserError(f"{target} is a folder: name a file with --to")
    statistics = training_statistics(loaded, fit=familiarity)
    if format == "safetensors":
        if half or dynamic_batch or clips:
            raise UserError(
                "--half, --dynamic_batch and --clips are for the formats onnx and torch_export"
            )
        checkpoint.save_plain(checkpoint.load(loaded.path), target)
        print(
            f"{target}: {target.stat().st_size / 1e6:.1f} MB, with {target.with_suffix('.json').name} beside it"
        )
        save_statistics(statistics, target)
        return
    precision: Precision = "float16" if half else "float32"
    exported = export_network(
        loaded.path,
        format,
        target,
        clips_folder(loaded, clips),
        precision=precision,
        dynamic_batch=dynamic_batch,
    )
    print(report(exported, precision, dynamic_batch=dynamic_batch))
    save_statistics(statistics, target)


def training_statistics(loaded: "Checkpoint", *, fit: bool) -> "Familiarity | None":
    """Return the statistics of the training clips: fitted, or those beside the checkpoint; `None` without any.

    Raises:
        UserError: When the clips are not there, or the network takes neither landmarks nor embeddings of sound.
    """
    if fit:
        from emorec.inference.familiarity import NO_STREAMS, fit_familiarity

        arguments = loaded.data["init_args"]
        if not arguments.get("landmarks") and arguments.get("sound_embedding", "none") == "none":
            raise UserError(f"--familiarity: {NO_STREAMS}")  # before all clips are decoded
        data = loaded.import_class("data")(**arguments)
        data.prepare_data()
        data.setup("fit")
        return fit_familiarity(data)
    from emorec.inference.predictor import read_familiarity

    return read_familiarity(Path(loaded.path.stem) if loaded.is_built_in else loaded.path)


def save_statistics(statistics: "Familiarity | None", target: Path) -> None:
    """Write the statistics of the training clips beside an exported file, and print where.

    Raises:
        UserError: When they can't be written.
    """
    if statistics is None:
        return
    path = target.with_suffix(FAMILIARITY_SUFFIX)
    with disk_errors(path):
        statistics.save(path)
    print(f"{path}: statistics of the training clips ({', '.join(statistics.streams)})")


def clips_folder(loaded: "Checkpoint", clips: str | None) -> Path | None:
    """Return the folder of clips to compare on; `None` where the clips of the training are not present.

    Raises:
        UserError: When the folder that was named does not exist.
    """
    if clips is not None:
        folder = Path(clips).expanduser()
        if not folder.is_dir():
            raise UserError(f"no such folder: {folder}")
        return folder
    from emorec.data.sets.ravdess.parser import ROOT_VARIABLE

    root = loaded.data["init_args"].get("root") or os.environ.get(ROOT_VARIABLE)
    default = Path(root).expanduser() if root else None
    # other data sets may have no videos below their root
    is_ravdess = loaded.data["class_path"] == "emorec.data.RavdessDataModule"
    return default if default is not None and is_ravdess and default.is_dir() else None


def report(exported: "Exported", precision: Precision, *, dynamic_batch: bool) -> str:
    """Format the exported file, its inputs and outputs, and the comparison with the checkpoint."""
    spec, parity = exported.spec, exported.parity
    batch = "any number of windows" if dynamic_batch else "one window"
    adapted = " adapted by all of them" if spec.features else ""
    same_class = f", the same class in {parity.same_class} of {parity.windows}"
    return "\n".join(
        [
            f"{exported.path}: {exported.path.stat().st_size / 1e6:.1f} MB, {spec.network}, weights {precision}, "
            f"{batch} at once",
            *(f"  {name}: {text}" for name, text in describe_inputs(spec).items()),
            *(f"  {name}: {text}" for name, text in describe_outputs(spec).items()),
            f"{exported.runtime} against the checkpoint on {exported.clips}{adapted}: {spec.graph_outputs[-1]} differ "
            f"by at most "
            f"{parity.max_difference:.2g} (allowed: {TOLERANCES[precision]:g})"
            f"{same_class if spec.task == 'classes' else ''}",
            spec.licence,
        ]
    )
