"""`emorec app`: a page on this machine to try a trained network with."""

import sys
from pathlib import Path
from typing import Literal

from emorec.errors import UserError


def app(
    *,
    ckpt: str,
    port: int = 7860,
    host: str = "127.0.0.1",
    share: Literal["never"] = "never",
    max_megabytes: float = 200,
    max_seconds: float = 300,
    abstain_below: float = 0.0,
    face: Literal["as_trained", "crop", "none"] = "as_trained",
    face_detector: str = "auto",
    device: str | None = None,
) -> None:
    """Open a page on which one drops a video, or films one, and sees what the network says.

    It works without a network and asks nobody else for anything. Videos are deleted when they are answered, results
    when their visitor goes, and all of it when the page ends, at Ctrl-C.

    Args:
        ckpt: The network: a checkpoint, or what `emorec export` made of one.
        port: Where the page is served; 0 takes any that is free.
        host: The address it is served at. Any other than 127.0.0.1 lets others in.
        share: There is no public link to it, and no other value.
        max_megabytes: The largest video that is taken.
        max_seconds: The longest video that is taken.
        abstain_below: Call windows with less confidence "uncertain".
        face: Cut out faces as_trained; or against that crop, or none.
        face_detector: What finds faces: auto, yunet, haar or a file of YuNet.
        device: Such as cuda or cpu; the fastest there is when not given.

    Raises:
        UserError: When Gradio is not installed, the network can't be read, or the port is taken.
    """
    del share  # there is but one
    from emorec.app.limits import Limits
    from emorec.inference.settings import Settings

    limits = Limits(megabytes=max_megabytes, seconds=max_seconds)
    settings = Settings(abstain_below=abstain_below, face=face, face_detector=face_detector)
    refuse_without_gradio()
    # late: torch and Gradio take seconds
    from emorec.app.server import LOCAL, serve
    from emorec.inference.load import load

    predictor = load(Path(ckpt).expanduser(), device, settings)
    predictor.detector()  # what is wrong with it is told now, not to the first visitor
    if host not in LOCAL:
        print(
            f"warning: at {host} everybody who reaches this machine can use the page, without a password "
            "and unencrypted: whatever they send can be read on its way",
            file=sys.stderr,
        )
    serve(predictor, Path(ckpt).expanduser(), limits, host=host, port=port)


def refuse_without_gradio() -> None:
    """Stops when Gradio is not installed.

    Raises:
        UserError: When it is not.
    """
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install '.[app]'")
