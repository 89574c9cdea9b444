"""Explanations as files, and in TensorBoard."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from emorec.data.clip import Clip
from emorec.errors import UserError
from emorec.evaluation.figures import figure_to_image
from emorec.explain.figure import headline
from emorec.explain.given import clip_of
from emorec.explain.misclassified import misclassified
from emorec.explain.work import Work
from emorec.files import whole_file

EXPLAINED = Path("explained")


def explain_clips(
    work: Work, paths: Sequence[Path], out: Path | None, start: float | None = None
) -> None:
    """Draws a picture of each clip into a folder, and says a line of each.

    A clip that can't be decoded ends the work of a single one; of several it is told at the end, and the others are
    drawn.

    Args:
        work: Explains them.
        paths: Videos.
        out: The folder; "explained" when not given.
        start: When the window starts that is explained, in seconds, see `clip_of`.

    Raises:
        UserError: When a clip can't be decoded, or the folder can't be written.
    """
    folder = out or EXPLAINED
    _refuse_unwritable(folder)
    broken = []
    for path, name in zip(paths, names_of(paths), strict=True):
        try:
            _draw(work, clip_of(path, work.facts, start), folder / f"{name}.png")
        except UserError as error:
            if len(paths) == 1 or str(path) not in str(error):
                raise
            broken.append(str(error))
    if broken:
        raise UserError(
            f"{len(broken)} of {len(paths)} clips were not explained: {'; '.join(broken)}"
        )


def explain_misclassified(work: Work, limit: int, root: str | None, out: Path | None) -> None:
    """Draws the clips that a run got wrong with most confidence, into its folder and its TensorBoard.

    Raises:
        UserError: When the network names no classes, nothing was predicted yet, or a clip is not there any more.
    """
    if work.facts.task != "classes":
        raise UserError(
            f"{work.said.path} predicts numbers, of which none is right or wrong: name clips instead of --misclassified"
        )
    wrong = misclassified(work.said, limit, root)
    if not wrong.clips:
        print("no clip is misclassified")
        return
    folder = out or work.said.run_folder / "explain"
    _refuse_unwritable(folder)
    with SummaryWriter(work.said.run_folder) as writer:
        for place, clip in enumerate(wrong.clips, start=1):
            image = _draw(work, clip, folder / f"{place:02d}_{clip.path.stem}.png")
            tag = f"{wrong.side}/explained"
            writer.add_image(tag, image, place, dataformats="HWC")


def _draw(work: Work, clip: Clip, path: Path) -> NDArray[np.uint8]:
    """(H, W, 3): the picture that was written."""
    with Console(stderr=True).status(f"looking at {clip.path.name}"):
        explanation = work(clip)
        image = figure_to_image(work.picture(clip, explanation))
        with whole_file(path) as file:
            imsave(file, image, format="png")
    said = headline(explanation.answer, work.truth(clip))
    Console(highlight=False, markup=False, emoji=False).print(
        f"{clip.path.name}{clip.fragment}: {said}; {path}", soft_wrap=True
    )
    return image


def names_of(paths: Sequence[Path]) -> list[str]:
    """A name for each clip's picture, with its folder's where two are called alike, numbered where that is not enough.

    >>> names_of([Path("a/x.mp4"), Path("b/x.mp4"), Path("b/y.mp4"), Path("b/x.mkv")])
    ['a_x', 'b_x', 'y', 'b_x_2']
    """
    stems = Counter(path.stem for path in paths)
    taken: Counter[str] = Counter()
    names = []
    for path in paths:
        own = stems[path.stem] == 1 or not path.parent.name
        name = path.stem if own else f"{path.parent.name}_{path.stem}"
        taken[name] += 1
        names.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return names


def _refuse_unwritable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / ".writable") as file:
            file.write(b"")
        (folder / ".writable").unlink()
    except OSError as error:
        raise UserError(
            f"can't write into {folder}: {error.strerror}; choose another folder with --out"
        ) from None
