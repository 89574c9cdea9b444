"""The clips that a run got wrong with most confidence, found again by what its predictions call them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emorec.checkpoint import Checkpoint, import_class
from emorec.data.clip import Clip
from emorec.data.datamodule import ClipDataModule
from emorec.errors import UserError
from emorec.evaluation.predictions import most_confident_errors
from emorec.evaluation.predictions_file import read_predictions

SIDES = {"test": "test", "validate": "val"}
"""By folder of a run with predictions, the better first: what TensorBoard calls the side."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Attributes: the side, "test" or "val", whose clips they are, and the clips, the most confident mistake first."""

    side: str
    clips: tuple[Clip, ...]


def misclassified(said: Checkpoint, limit: int, root: str | None) -> Wrong:
    """The clips of the test, or of the validation where there was no test.

    Args:
        said: What the checkpoint says of itself.
        limit: How many at most.
        root: Where the data lies now, when it is not where the network was trained.

    Raises:
        UserError: When nothing was predicted yet, or a clip is not there any more.
    """
    files = {side: said.run_folder / name / "predictions.csv" for name, side in SIDES.items()}
    found = next(((side, path) for side, path in files.items() if path.is_file()), None)
    if found is None:
        raise UserError(
            f"{files['test']} is not there: measure the network first, with emorec test --ckpt {said.path}"
        )
    side, path = found
    told = read_predictions(path)
    wanted = [told.paths[row] for row in most_confident_errors(told.predictions, limit)]
    if not wanted:
        return Wrong(side, ())
    clips = _data(said, root).find().clips
    return Wrong(side, tuple(clips_called(wanted, clips, path)))


def clips_called(wanted: Sequence[str], clips: Sequence[Clip], path: Path) -> list[Clip]:
    """Clips by their addresses in a predictions file, or where the data was moved by their names.

    Raises:
        UserError: When one is not there, or several have its name.
    """
    by_address = {clip.address: clip for clip in clips}
    by_name: dict[str, list[Clip]] = {}
    for clip in clips:
        by_name.setdefault(f"{clip.path.name}{clip.fragment}", []).append(clip)
    found: list[Clip] = []
    for address in wanted:
        same = by_name.get(address.replace("\\", "/").rpartition("/")[2], [])
        alike = same[0] if len(same) == 1 else None
        there = by_address.get(address, alike)
        if there is None:
            raise UserError(
                f"{address} of {path} is not among the {len(clips)} clips there are now: "
                "say with --root where the data lies"
            )
        found.append(there)
    return found


def _data(said: Checkpoint, root: str | None) -> ClipDataModule:
    kind = import_class(said, said.data["class_path"])
    moved = {} if root is None else {"root": root}
    data: ClipDataModule = kind(**{**said.data["init_args"], **moved})
    return data
