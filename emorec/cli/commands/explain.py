"""`emorec explain`: where and when a trained network looked."""

import logging
import math
from pathlib import Path
from typing import Literal

from emorec.errors import UserError
from emorec.pretrained import DEFAULT

Method = Literal["auto", "grad_cam", "occlusion"]


def explain(
    *clips: str,
    ckpt: str | None = None,
    misclassified: int | None = None,
    start: float | None = None,
    out: str | None = None,
    class_: str | None = None,
    method: Method = "auto",
    root: str | None = None,
    device: str | None = None,
) -> None:
    """Show where and when a trained network looked.

    Each frame gets a heat map, and below it stands how far the network's output falls without that frame. Audio is
    shown as a spectrogram. One picture a clip.

    Args:
        clips: Videos, preprocessed as in the training; of a longer one the first window.
        ckpt: A checkpoint, such as lightning_logs/.../best.ckpt, a name of emorec models, or hf://USER/NAME; by default
            face_and_sound.
        misclassified: Instead of clips: the N test clips (without a test the validation clips) that the run got wrong
            with most confidence. The pictures go into its folder, explain/, and into TensorBoard.
        start: Explain the window that starts there instead, in seconds, as in the timeline of emorec predict.
        out: Folder of the pictures (explained).
        class_: Explain this class instead of the predicted one; of a regressor the number.
        method: grad_cam (needs captum), occlusion (slow), or auto: Grad-CAM where the network has feature maps.
        root: Where the data of --misclassified lies now.
        device: Such as cuda or cpu; a GPU where there is one.

    Raises:
        UserError: When the checkpoint or a clip can't be read, or the options contradict each other.
    """
    if ckpt is None and misclassified is None:
        ckpt = DEFAULT
    if ckpt is None:
        raise UserError(
            "which network? emorec explain --ckpt FILE, as in --ckpt lightning_logs/.../best.ckpt"
        )
    if bool(clips) == (misclassified is not None):
        raise UserError(
            "which clips? name videos, emorec explain --ckpt FILE CLIP..., or choose --misclassified N, one of both"
        )
    if misclassified is not None and misclassified < 1:
        raise UserError(f"--misclassified is {misclassified}: it has to be at least 1")
    if start is not None and not 0 <= start < math.inf:
        raise UserError(f"--start is {start:g}: it takes seconds from the first frame, at least 0")
    if misclassified is not None and start is not None:
        raise UserError("--start is for a CLIP: clips of --misclassified are explained whole")
    # in a home that can't be written to it says twice that its cache lies elsewhere
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    # late: torch and matplotlib take seconds
    from emorec.explain.clips import explain_files, explain_misclassified
    from emorec.explain.explainer import Explainer

    explainer = Explainer(Path(ckpt).expanduser(), class_, method, device)
    folder = None if out is None else Path(out).expanduser()
    if misclassified is None:
        explain_files(explainer, [Path(clip).expanduser() for clip in clips], folder, start)
    else:
        explain_misclassified(explainer, misclassified, root, folder)
