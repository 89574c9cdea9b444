"""Whether video comes back as it was encoded."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from emorec.diagnosis.findings import Findings, first_line


def look_at_decoder() -> Findings:
    """Whether a clip that is encoded on the spot comes back as the frames that went in."""
    greys = [20, 60, 100, 140, 180, 220]
    try:
        from emorec.data.video.reader import decode

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "greys.mp4")
            _encode(path, greys)
            frames = decode(path, range).frames
    except Exception as error:
        return Findings([("decoder", "fails")], failures=[f"decoding fails: {first_line(error)}"])
    decoded = [round(float(frame.mean())) for frame in frames]
    if len(decoded) != len(greys) or any(
        abs(grey - wanted) > 4 for grey, wanted in zip(decoded, greys, strict=True)
    ):
        wrong = f"decoding gives wrong frames: grey levels {decoded} instead of {greys}"
        return Findings([("decoder", "gives wrong frames")], failures=[wrong])
    return Findings([("decoder", "works: a clip came back as it was encoded")])


def _encode(path: Path, greys: Sequence[int]) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for grey in greys:
            picture = np.full((64, 64, 3), grey, dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
