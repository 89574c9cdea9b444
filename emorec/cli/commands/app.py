"""`emorec app`: a local web page to try a trained network."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from emorec import hub
from emorec.errors import UserError
from emorec.pretrained import DEFAULT


def app(
    *,
    ckpt: str | None = None,
    port: int = 7860,
    host: str = "127.0.0.1",
    share: Literal["never"] = "never",
    max_megabytes: float = 200,
    max_seconds: float = 300,
    abstain_below: float | None = None,
    face: Literal["as_trained", "crop", "align", "none"] = "as_trained",
    face_detector: str = "auto",
    device: str | None = None,
) -> None:
    """Serve a page that predicts uploaded or recorded videos with a trained network.

    It works offline and contacts no other address, but to fetch a network from the Hub. Uploads are deleted once they
    are predicted, results when their visitor leaves, and everything at Ctrl-C.

    Args:
        ckpt: The network: a checkpoint, an exported file, a name of emorec models, or hf://USER/NAME; by default
            face_and_sound.
        port: To serve at; 0 takes any free one.
        host: Address to serve at. Others than 127.0.0.1 let other machines in.
        share: Never: there are no public links.
        max_megabytes: Largest upload.
        max_seconds: Longest video.
        abstain_below: Label windows with a lower confidence "uncertain"; by default 0.5 for the built-in networks and 0
            for others.
        face: Faces as_trained; or override that: crop, align, or none.
        face_detector: auto, yunet or a YuNet file.
        device: Such as cuda or cpu; by default the fastest available.

    Raises:
        UserError: When Gradio is not installed, the network can't be read, or the port is taken.
    """
    del share  # no other choice
    if find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install 'emorec[app]'")
    if address := hub.parse_address(ckpt or DEFAULT):
        hub.fetch(address)  # now: the page allows no connections
    # importing torch and Gradio is slow
    from emorec.app.handler import Limits
    from emorec.inference.options import Options
    from emorec.inference.predictor import load

    limits = Limits(megabytes=max_megabytes, seconds=max_seconds)
    options = Options(abstain_below=abstain_below, face=face, face_detector=face_detector)
    predictor = load(ckpt, device, options)
    predictor.detector()  # now, and not at the first upload
    from emorec.app.server import LOCAL_HOSTS, serve

    if host not in LOCAL_HOSTS:
        print(
            f"warning: at {host} everyone who reaches this machine can use the page, without a password "
            "and unencrypted: uploads can be read on their way",
            file=sys.stderr,
        )
    serve(predictor, Path(ckpt or DEFAULT).expanduser(), limits, host=host, port=port)
