"""Small videos whose grey level is the frame index, and ways to spoil them.

The upper half of a frame is flat: grey `GREY_STEP * index` before encoding. The lower half is noise, so that a frame
takes some hundred bytes and cutting or flipping the file hits pictures.
"""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import OutputContainer

Frames = npt.NDArray[np.uint8]

GREY_STEP = 4
"""Between neighbouring frames; 1 would be lost where 256 grey levels become 220 on the way to YUV."""

SIZE = (96, 64)
"""Width and height in pixels."""

_UPRIGHT = np.array([0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000], dtype=">u4").tobytes()
_QUARTER_TURN = np.array([0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]).astype(">i4").tobytes()


def write_video(
    path: Path,
    num_frames: int = 40,
    *,
    size: tuple[int, int] = SIZE,
    fps: int = 30,
    gop: int = 12,
    bframes: int = 0,
    open_gop: bool = False,
    faststart: bool = True,
    sound: bool = False,
    still: bool = False,
) -> Path:
    """An H.264 video; `faststart` puts the index before the pictures, `still` shows the first frame all the time."""
    x264 = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={bframes}:b-adapt=0:open-gop={int(open_gop)}:threads=1"
    flags = {"movflags": "faststart"} if faststart and path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=flags) as file:
        video = file.add_stream(
            "libx264", rate=fps, options={"x264-params": x264, "qp": "8", "preset": "veryfast"}
        )
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        audio = file.add_stream("aac", rate=16000, layout="mono") if sound else None
        for index in range(num_frames):
            picture = _picture(0 if still else index, size)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode())
        if audio is not None:
            _mux_sound(file, audio, num_frames / fps)
    return path


def write_sound(path: Path, seconds: float = 0.5) -> Path:
    """An mp4 without pictures."""
    with av.open(str(path), "w") as file:
        _mux_sound(file, file.add_stream("aac", rate=16000, layout="mono"), seconds)
    return path


def cut_without_encoding(source: Path, path: Path, start_frame: int, *, hide: bool = True) -> Path:
    """What `ffmpeg -ss ... -c copy` makes: all frames from the key frame before `start_frame` on.

    `hide` gives those before `start_frame` negative times, which an edit list in the file leaves out when played.
    """
    with (
        av.open(str(source)) as file,
        av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as cut,
    ):
        video = file.streams.video[0]
        copy = cut.add_stream_from_template(video)
        assert video.average_rate
        assert video.time_base
        start = round(Fraction(start_frame) / video.average_rate / video.time_base)
        packets = [packet for packet in file.demux(video) if packet.size]
        first = max(
            place
            for place, packet in enumerate(packets)
            if packet.is_keyframe and packet.pts is not None and packet.pts <= start
        )
        zero = start if hide else packets[first].pts
        for packet in packets[first:]:
            assert packet.pts is not None
            assert packet.dts is not None
            assert zero is not None
            packet.pts, packet.dts, packet.stream = packet.pts - zero, packet.dts - zero, copy
            cut.mux(packet)
    return path


def turn(path: Path) -> Path:
    """Marks the video as filmed with the camera on its side; the pictures stay as they are."""
    content = path.read_bytes()
    header = content.index(b"tkhd")
    place = content.index(_UPRIGHT, header)
    path.write_bytes(content[:place] + _QUARTER_TURN + content[place + len(_QUARTER_TURN) :])
    return path


def truncate(path: Path, percent: int) -> Path:
    """Leaves only the first `percent` of the bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * percent // 100)])
    return path


def hide_end(path: Path, num_frames: int, fps: int = 30) -> Path:
    """Ends the edit list that many frames early, while the index goes on promising them: RAVDESS does so by one."""
    content = bytearray(path.read_bytes())
    # movie and edit list count in the same ticks: a second has as many as the movie header says
    ticks_a_second = struct.unpack_from(">I", content, content.index(b"mvhd") + 16)[0]
    place = content.index(b"elst") + 12
    shown = struct.unpack_from(">I", content, place)[0]
    struct.pack_into(">I", content, place, shown - round(num_frames * ticks_a_second / fps))
    path.write_bytes(content)
    return path


def empty_middle(path: Path) -> Path:
    """Zeros from 40 % to 60 % of the file, as a broken download leaves them."""
    content = bytearray(path.read_bytes())
    start, stop = len(content) * 2 // 5, len(content) * 3 // 5
    content[start:stop] = bytes(stop - start)
    path.write_bytes(content)
    return path


def flip_bits(path: Path, count: int, seed: int = 0) -> Path:
    """Flips single bits of the pictures, not of the index."""
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    for place in np.random.default_rng(seed).integers(start, len(content), count):
        content[place] ^= 1
    path.write_bytes(content)
    return path


def reference_frames(path: Path) -> Frames:
    """All frames (N, H, W, C) as PyAV, an independent decoder, gives them."""
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def shown_indices(frames: Frames) -> list[int]:
    """The encoded index of each frame, read off its grey level."""
    flat = frames[:, : frames.shape[1] // 2 - 4].mean(axis=(1, 2, 3))
    return [round(float(level) / GREY_STEP) for level in flat]


def _picture(index: int, size: tuple[int, int]) -> Frames:
    width, height = size
    picture = np.full((height, width, 3), GREY_STEP * index, dtype=np.uint8)
    noise = np.random.default_rng(index).integers(0, 256, (height // 2, width, 1), dtype=np.uint8)
    picture[height - height // 2 :] = noise
    return picture


def _mux_sound(file: OutputContainer, stream: AudioStream, seconds: float) -> None:
    times = np.arange(int(seconds * 16000)) / 16000
    wave = (0.3 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    frame.sample_rate = 16000
    file.mux(stream.encode(frame))
    file.mux(stream.encode())
