"""`emorec explain`: where and when a trained network looked."""

import math
from collections.abc import Sequence
from pathlib import Path

from emorec.cli.word_parser import WordParser
from emorec.errors import UserError

HELP = """\
usage: emorec explain --ckpt FILE CLIP... [options]
       emorec explain --ckpt FILE --misclassified N [options]

Show where and when a trained network looked: each frame with a heat map over
it, and below it how far the network's answer falls without that frame. What is
heard is shown as a spectrogram. One picture a clip.

  CLIP                    A video, seen as the network was trained; of a longer
                          one the first window
  --start S               The window that starts there instead, in seconds, as
                          in the timeline of emorec predict
  --ckpt FILE             A checkpoint, such as lightning_logs/.../best.ckpt
  --misclassified N       Instead of CLIP: the N test clips (without a test the
                          validation clips) that the run got wrong with most
                          confidence. The pictures go into its folder, explain/,
                          and into TensorBoard
  --out DIR               Where the pictures are written (explained)
  --class NAME            What speaks for this class, instead of the predicted
                          one; of a network of numbers the number
  --method HOW            grad_cam (needs captum), occlusion (slow), or auto:
                          Grad-CAM where it can tell places in each frame
  --root DIR              Where the data of --misclassified lies now
  --device D              cuda or cpu; a GPU where there is one
"""

METHODS = ("auto", "grad_cam", "occlusion")


def asking() -> WordParser:
    """What can be asked for."""
    parser = WordParser("explain")
    parser.add_argument("clips", nargs="*")
    for option in ("ckpt", "misclassified", "start", "out", "class", "root", "device"):
        parser.add_argument(f"--{option}")
    parser.add_argument("--method", default="auto")
    parser.add_argument("-h", "--help", action="store_true")
    return parser


def explain(words: Sequence[str]) -> None:
    """Explains what the words after `emorec explain` ask for.

    Args:
        words: As they were typed.

    Raises:
        UserError: For a mistake of the user.
    """
    asked = asking().parse_intermixed_args(list(words))
    if asked.help:
        print(HELP, end="")
        return
    from emorec.cli.complaints import did_you_mean, which_network

    if asked.ckpt is None:
        raise UserError(which_network("explain"))
    if asked.method not in METHODS:
        near = did_you_mean(asked.method, METHODS) or ": choose auto, grad_cam or occlusion"
        raise UserError(f"--method is {asked.method}{near}")
    if bool(asked.clips) == (asked.misclassified is not None):
        raise UserError(
            "which clips? name videos, emorec explain --ckpt FILE CLIP..., or ask for --misclassified N, one of both"
        )
    limit = asked.misclassified
    if limit is not None and (not limit.isdecimal() or int(limit) < 1):
        raise UserError(f"--misclassified is {limit}: it takes a whole number, at least 1")
    start = None if asked.start is None else _seconds(asked.start)
    if limit is not None and start is not None:
        raise UserError("--start is for a CLIP: clips of --misclassified are explained whole")
    # late: torch and matplotlib take seconds
    from emorec.cli.quiet import quiet
    from emorec.explain.pictures import explain_clips, explain_misclassified
    from emorec.explain.work import Work

    quiet()
    work = Work(Path(asked.ckpt).expanduser(), vars(asked)["class"], asked.method, asked.device)
    out = None if asked.out is None else Path(asked.out).expanduser()
    if limit is None:
        explain_clips(work, [Path(clip).expanduser() for clip in asked.clips], out, start)
    else:
        explain_misclassified(work, int(limit), asked.root, out)


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UserError(f"--start is {word}: it takes seconds from the first frame, at least 0")
    return seconds
