"""Small videos whose grey level encodes the frame index, and ways to damage them.

The upper half of a frame is flat: grey `GREY_STEP * index` before encoding. The lower half is noise, so that a frame
takes some hundred bytes, and truncating or altering the file hits frames.
"""

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import OutputContainer

from emorec.data.sets.ravdess.parser import RavdessName
from emorec.data.synthetic.clips import draw_clip
from emorec.data.synthetic.settings import ClipSettings

Frames = npt.NDArray[np.uint8]

GREY_STEP = 4
"""Grey levels between consecutive frames; a step of 1 would be lost in the 220 levels of YUV."""

SIZE = (96, 64)
"""Width and height in pixels."""

Look = Literal["grey", "colours", "gradient"]
"""Grey or coloured noise in the lower half of the frame, or a colour gradient over the entire frame."""


def face_frames(num_frames: int, pixels: int = 112) -> Frames:
    """Return frames of a drawn face that YuNet detects, (num_frames, pixels, pixels, 3) RGB."""
    settings = ClipSettings(width=pixels, height=pixels, num_frames=num_frames, sound=False)
    return draw_clip(RavdessName.parse("01-01-03-01-01-01-05"), settings)


def _matrix(right: int, down: int) -> bytes:
    """Return the display matrix of an mp4 for a rotation, given its cosine and sine."""
    turn = np.array([right, down, 0, -down, right, 0, 0, 0, 0x4000]) * 0x10000
    return turn.astype(">i4").tobytes()


_UPRIGHT = _matrix(1, 0)
_TURNS = {90: _matrix(0, 1), 180: _matrix(-1, 0), 270: _matrix(0, -1)}


def _x264(gop: int, bframes: int, open_gop: bool) -> dict[str, str]:
    gops = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop={int(open_gop)}"
    settings = f"{gops}:bframes={bframes}:b-adapt=0:threads=1"
    return {"x264-params": settings, "qp": "8", "preset": "veryfast"}


def _x265(gop: int, bframes: int, open_gop: bool) -> dict[str, str]:
    gops = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop={int(open_gop)}"
    settings = f"{gops}:bframes={bframes}:b-adapt=0:pools=none:frame-threads=1:log-level=none:qp=8"
    return {"x265-params": settings, "preset": "veryfast"}


def _vp9(gop: int, bframes: int, open_gop: bool) -> dict[str, str]:
    # lag and alternate references add hidden frames
    hidden_frames = {"lag-in-frames": "16", "auto-alt-ref": "1"}
    return {"g": str(gop), "crf": "8", "b": "0", "cpu-used": "5", **hidden_frames}


def _av1(gop: int, bframes: int, open_gop: bool) -> dict[str, str]:
    return {"g": str(gop), "crf": "8", "preset": "12", "svtav1-params": "lp=1"}


_ENCODERS: dict[str, Callable[[int, int, bool], dict[str, str]]] = {
    "libx264": _x264,
    "libx265": _x265,
    "libvpx-vp9": _vp9,
    "libsvtav1": _av1,
}


@contextmanager
def default_priority() -> Iterator[None]:
    """Undo the real-time priority that SVT-AV1, if permitted, gives the thread that calls it.

    All threads and programs started afterwards would inherit it, and block the machine.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    scheduling = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *scheduling)


@default_priority()
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
    codec: str = "libx264",
    pixels: str = "yuv420p",
    look: Look = "grey",
    starts_ms: Sequence[int] | None = None,
    aspect: Fraction = Fraction(1),
) -> Path:
    """Write a video, by default H.264.

    `faststart` puts the index before the frames, `still` repeats the first frame, `starts_ms` are start times of the
    frames instead of `fps`, `aspect` is the width of a pixel in heights.
    """
    flags = {"movflags": "faststart"} if faststart and path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=flags) as file:
        video = file.add_stream(codec, rate=fps, options=_ENCODERS[codec](gop, bframes, open_gop))
        video.width, video.height, video.pix_fmt = *size, pixels
        video.codec_context.sample_aspect_ratio = aspect
        if starts_ms is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        audio = file.add_stream("aac", rate=16000, layout="mono") if sound else None
        for index in range(num_frames):
            image = _image(0 if still else index, size, look)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if starts_ms is not None:
                frame.pts, frame.time_base = starts_ms[index], Fraction(1, 1000)
            file.mux(video.encode(frame))
        file.mux(video.encode())
        if audio is not None:
            _mux_sound(file, audio, num_frames / fps)
    return path


def write_sound(path: Path, seconds: float = 0.5) -> Path:
    """Write an mp4 without a video stream."""
    with av.open(str(path), "w") as file:
        _mux_sound(file, file.add_stream("aac", rate=16000, layout="mono"), seconds)
    return path


def write_recording(
    path: Path,
    *,
    pictures: tuple[float, float],
    sound: Sequence[tuple[float, float]] = (),
    fps: int = 10,
    aspect: Fraction = Fraction(1),
    matrix: Sequence[int] | None = None,
) -> Path:
    """Write a video whose pictures and sound, a loud tone, fill half-open spans of seconds of its clock.

    `aspect` is the width of a pixel in heights; `matrix` the display matrix.
    """
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as file:
        video = file.add_stream("libx264", rate=fps, options=_x264(12, 0, False))
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.codec_context.sample_aspect_ratio = aspect
        if matrix is not None:
            video.set_display_matrix(list(matrix))
        audio = file.add_stream("aac", rate=16000, layout="mono") if sound else None
        packets = []
        for index in range(round((pictures[1] - pictures[0]) * fps)):
            frame = av.VideoFrame.from_ndarray(_image(index, SIZE, "grey"), format="rgb24")
            frame.pts, frame.time_base = round(pictures[0] * fps) + index, Fraction(1, fps)
            packets += video.encode(frame)
        packets += video.encode()
        for start, end in sound:
            for position in range(round(start * 16000), round(end * 16000), 1024):
                times = np.arange(position, position + 1024) / 16000
                wave = (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)[None]
                tone = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                tone.sample_rate, tone.pts, tone.time_base = 16000, position, Fraction(1, 16000)
                assert audio
                packets += audio.encode(tone)
        packets += audio.encode() if audio else []
        for packet in sorted(packets, key=lambda packet: (packet.dts or 0) * packet.time_base):
            file.mux_one(packet)
    return path


def remuxed(source: Path, path: Path, kind: str | None = None, **options: str) -> Path:
    """Copy the packets of a video into another container.

    Args:
        source: The video.
        path: The copy.
        kind: FFmpeg's name of the container; by default that of the suffix.
        options: Of the container.
    """
    with av.open(str(source)) as file, av.open(str(path), "w", kind, options) as output:
        stream = output.add_stream_from_template(file.streams.video[0])
        for packet in file.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    return path


def joined(path: Path, *parts: Path) -> Path:
    """Put the bytes of recordings behind one another, as `cat` does."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def cut_without_encoding(source: Path, path: Path, start_frame: int, *, hide: bool = True) -> Path:
    """Cut a video like `ffmpeg -ss ... -c copy`: keep all frames from the key frame before `start_frame`.

    `hide` gives frames before `start_frame` negative timestamps, so that an edit list hides them.
    """
    with (
        av.open(str(source)) as file,
        av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as output,
    ):
        video = file.streams.video[0]
        stream = output.add_stream_from_template(video)
        assert video.average_rate
        assert video.time_base
        start = round(Fraction(start_frame) / video.average_rate / video.time_base)
        packets = [packet for packet in file.demux(video) if packet.size]
        first = max(
            index
            for index, packet in enumerate(packets)
            if packet.is_keyframe and packet.pts is not None and packet.pts <= start
        )
        zero = start if hide else packets[first].pts
        for packet in packets[first:]:
            assert packet.pts is not None
            assert packet.dts is not None
            assert zero is not None
            packet.pts, packet.dts, packet.stream = packet.pts - zero, packet.dts - zero, stream
            output.mux(packet)
    return path


def write_copy(source: Path, path: Path) -> Path:
    """Copy an mp4 and append its name in a box that players skip, so that no two copies have equal bytes.

    Source: ISO/IEC 14496-12, section 8.1.2, "free".
    """
    name = os.fsencode(path)
    box = struct.pack(">I4s", 8 + len(name), b"free") + name
    path.write_bytes(source.read_bytes() + box)
    return path


def repeated(source: Path, path: Path, times: int) -> Path:
    """Repeat a video by copying its packets."""
    with av.open(str(source)) as file, av.open(str(path), "w") as output:
        video = file.streams.video[0]
        stream = output.add_stream_from_template(video)
        packets = [packet for packet in file.demux(video) if packet.size]
        assert video.duration
        content = [
            (bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in packets
        ]
        for repetition in range(times):
            for data, pts, dts, is_keyframe in content:
                packet = av.Packet(data)
                packet.pts, packet.dts = (
                    pts + repetition * video.duration,
                    dts + repetition * video.duration,
                )
                packet.time_base, packet.stream, packet.is_keyframe = (
                    video.time_base,
                    stream,
                    is_keyframe,
                )
                output.mux(packet)
    return path


def turn(path: Path, degrees: int = 90) -> Path:
    """Mark a video as filmed with a rotated camera; the frames stay the same."""
    content = path.read_bytes()
    header = content.index(b"tkhd")
    position = content.index(_UPRIGHT, header)
    turned = _TURNS[degrees]
    path.write_bytes(content[:position] + turned + content[position + len(turned) :])
    return path


def forget_display_order(path: Path) -> Path:
    """Remove the display order; the remaining timestamps are in decoding order."""
    path.write_bytes(path.read_bytes().replace(b"ctts", b"free").replace(b"edts", b"free"))
    return path


def change_format(path: Path) -> Path:
    """Declare a video codec that does not exist."""
    path.write_bytes(path.read_bytes().replace(b"avc1", b"none"))
    return path


def change_sound(path: Path) -> Path:
    """Declare an audio codec that does not exist."""
    content = path.read_bytes().replace(b"mp4a", b"zzzz").replace(b"esds", b"free")
    path.write_bytes(content)
    return path


def truncate(path: Path, percent: int) -> Path:
    """Keep only the first `percent` of the bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * percent // 100)])
    return path


def hide_end(path: Path, num_frames: int, fps: int = 30) -> Path:
    """Hide the last frames by the edit list, while the index still declares them; one frame in RAVDESS."""
    content = bytearray(path.read_bytes())
    # durations of the edit list are in the timescale of the movie header
    ticks_a_second = struct.unpack_from(">I", content, content.index(b"mvhd") + 16)[0]
    position = content.index(b"elst") + 12
    duration = struct.unpack_from(">I", content, position)[0]
    struct.pack_into(">I", content, position, duration - round(num_frames * ticks_a_second / fps))
    path.write_bytes(content)
    return path


def empty_middle(path: Path) -> Path:
    """Zero the file from 40 % to 60 %, as after a broken download."""
    content = bytearray(path.read_bytes())
    start, stop = len(content) * 2 // 5, len(content) * 3 // 5
    content[start:stop] = bytes(stop - start)
    path.write_bytes(content)
    return path


def damage_sound(path: Path, start: float, end: float) -> Path:
    """Overwrite the packets of sound that begin in an interval, in seconds."""
    content = bytearray(path.read_bytes())
    with av.open(path) as file:
        for packet in file.demux(audio=0):
            if (
                packet.pos is not None
                and packet.size
                and start <= packet.pts * packet.time_base < end
            ):
                content[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(content)
    return path


def flip_bits(path: Path, count: int, seed: int = 0) -> Path:
    """Flip single bits of the frames, but not of the index."""
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    for position in np.random.default_rng(seed).integers(start, len(content), count):
        content[position] ^= 1
    path.write_bytes(content)
    return path


def reference_frames(path: Path) -> Frames:
    """Return all frames (N, H, W, C) as PyAV, an independent decoder, decodes them."""
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def shown_indices(frames: Frames) -> list[int]:
    """Return the index of each frame, from its grey level."""
    levels = frames[:, : frames.shape[1] // 2 - 4].mean(axis=(1, 2, 3))
    return [round(float(value) / GREY_STEP) for value in levels]


def _image(index: int, size: tuple[int, int], look: Look) -> Frames:
    width, height = size
    if look == "gradient":
        across, down = np.linspace(0, 1, width), np.linspace(0, 1, height)[:, None]
        colours = np.stack(np.broadcast_arrays(across, down, 1 - across * down), axis=2)
        return (40 + 100 * colours + 2 * index).astype(np.uint8)
    image = np.full((height, width, 3), GREY_STEP * index, dtype=np.uint8)
    lower = (height // 2, width, 1 if look == "grey" else 3)
    noise = np.random.default_rng(index).integers(0, 256, lower, dtype=np.uint8)
    image[height - height // 2 :] = noise
    return image


def _mux_sound(file: OutputContainer, stream: AudioStream, seconds: float) -> None:
    times = np.arange(int(seconds * 16000)) / 16000
    wave = (0.3 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    frame.sample_rate = 16000
    file.mux(stream.encode(frame))
    file.mux(stream.encode())
