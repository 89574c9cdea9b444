"""Pictures and sound become an mp4 file."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def encode_mp4(
    frames: NDArray[np.uint8],
    *,
    fps: int,
    sound: NDArray[np.float32] | None = None,
    sample_rate: int = 16_000,
    comment: str = "",
) -> bytes:
    """An mp4 file with H.264 pictures and AAC sound: the same bytes for the same arguments.

    Args:
        frames: (T, H, W, 3) RGB; H and W even.
        fps: Frames a second.
        sound: (samples,) within -1 to 1; no sound track when `None`.
        sample_rate: Samples a second.
        comment: Stored in the file, see `read_comment`.
    """
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        container.metadata["comment"] = comment
        # zerolatency: with its look-ahead ("macroblock tree") x264 encodes equal pictures differently now and then,
        # and B-frames make the container hide its start behind an edit list, which some decoders misread. One thread,
        # as clips are encoded side by side.
        options = {"crf": "16", "preset": "veryfast", "tune": "zerolatency", "threads": "1"}
        video = container.add_stream("libx264", rate=fps, options=options)
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        # streams have to exist before the first packet is written
        audio = (
            container.add_stream("aac", rate=sample_rate, layout="mono")
            if sound is not None
            else None
        )
        for picture in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            samples = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            samples.sample_rate, samples.pts = sample_rate, 0
            container.mux(audio.encode(samples))
            container.mux(audio.encode(None))
    return file.getvalue()


def read_comment(path: Path) -> str | None:
    """The comment stored in a video; `None` when it has none or is no video."""
    import av

    try:
        with av.open(str(path)) as container:
            comment: str | None = container.metadata.get("comment")
            return comment
    except (av.FFmpegError, OSError):
        return None
