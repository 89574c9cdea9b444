"""A clip on disk, and a batch of clips in memory.

The axes, used in every docstring of the package:

    B clips, T frames, C channels, H x W pixels, D features, K emotions, R numbers such as valence and arousal
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal, NotRequired, TypeAlias, TypedDict

from emorec.text import normalize

if TYPE_CHECKING:
    from torch import Tensor


Person: TypeAlias = int | str
"""The person in the picture: RAVDESS numbers its actors, other data sets name them."""

Half: TypeAlias = Literal["left", "right"]

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""The eight classes of RAVDESS speech; the label of a class is its position here.

Source: Livingstone & Russo 2018, PLOS ONE 13(5):e0196391, Table 1; the order is that of the RAVDESS file names.
"""

SONG_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful")
"""The six classes of RAVDESS song."""

VIDEO_SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v", ".lrv", ".insv"),
        *(".mkv", ".webm", ".avi", ".divx", ".wmv", ".asf", ".flv", ".ogv", ".ogm", ".rm", ".rmvb"),
        *(".ts", ".m2ts", ".mts", ".m2t", ".trp", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v"),
        *(".vob", ".mod", ".tod", ".dv", ".mxf", ".wtv", ".h264", ".264", ".hevc", ".265", ".y4m"),
    )
)
"""Suffixes of the files that are searched for as videos, lower case."""

AUDIO_SUFFIXES = frozenset(
    (
        *(".wav", ".mp3", ".m4a", ".m4b", ".aac", ".flac", ".ogg", ".oga", ".opus", ".wma", ".mka"),
        *(".aiff", ".aif", ".aifc", ".ac3", ".amr", ".au", ".caf", ".mp2", ".spx", ".w64", ".weba"),
    )
)
"""Suffixes of the files that are searched for as sound, lower case."""

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif")
)
"""Suffixes of the files that are searched for as pictures, lower case."""

UNLABELLED = -1
"""The label of an unlabelled clip: it is in no subset of a split, and can be predicted."""

MAX_PROBED = 32
"""Number of clips, evenly spaced, from which the median length of many is estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A labelled recording on disk.

    Attributes:
        path: The video file.
        label: Index of the class in the data set's class names, or the numbers to predict (valence, arousal);
            `UNLABELLED` where there is none.
        actor: The person in the picture. No person is in training and in test.
        take: The recording; two files of one take (with and without sound) show the same pictures.
        span_seconds: The part of the file that is the clip, half-open; `None` is the whole file.
        half: The half of the picture that is the clip, where two people are filmed side by side.
        sound_path: A separate sound file, used in full; `None` where the video file holds the sound.
    """

    path: Path
    label: int | tuple[float, ...]
    actor: Person
    take: str
    span_seconds: tuple[float, float] | None = None
    half: Half | None = None
    sound_path: Path | None = None

    @property
    def address(self) -> str:
        """The path, with the part of the file as a URI fragment.

        >>> Clip(path=Path("a.mp4"), label=0, actor=1, take="a", span_seconds=(0.5, 2), half="right").address
        'a.mp4#t=0.5,2&xywh=percent:50,0,50,100'
        """
        return f"{self.path}{self.fragment}"

    @property
    def fragment(self) -> str:
        """The URI fragment of the address; empty for a whole file, a name where the take has one.

        >>> Clip(path=Path("a.avi"), label=0, actor=1, take="a_F000", span_seconds=(0.5, 2)).fragment
        '#id=a_F000'

        Source: W3C Media Fragments URI 1.0, sections 4.2.1 (seconds), 4.2.2 (part of the picture) and 4.2.4 (name).
        """
        named = normalize(Path(self.take).stem) != normalize(self.path.stem)
        if self.span_seconds is not None and named:
            return f"#id={self.take}"
        parts = []
        if self.span_seconds is not None:
            start, end = self.span_seconds
            parts.append(
                f"t={_decimal(start)}" + (f",{_decimal(end)}" if math.isfinite(end) else "")
            )
        if self.half is not None:
            parts.append(f"xywh=percent:{0 if self.half == 'left' else 50},0,50,100")
        return f"#{'&'.join(parts)}" if parts else ""

    @property
    def title(self) -> Path:
        """The path for messages and records, followed by the span where the clip is not the whole file.

        >>> str(Clip(path=Path("films/a.avi"), label=0, actor=1, take="a", span_seconds=(0.5, 2)).title)
        'films/a.avi from 0.5 to 2 s'
        """
        if self.span_seconds is None:
            return self.path
        start, end = self.span_seconds
        return self.path.with_name(f"{self.path.name} from {start:g} to {end:g} s")


class Sample(TypedDict):
    """One clip as the data set returns it.

    Attributes:
        frames: (T, H, W, C) uint8, RGB.
        label: Class, or (R,) float32.
        index: Position of the clip in its data set.
        landmarks: (T, 478, 3) float32, with `data.landmarks`; this and the next three are explained at `FACE`.
        blendshapes: (T, 52) float32.
        pose: (T, 3) float32.
        face_present: (T,) bool.
        sound: (samples,) float32 from -1 to 1, with `data.sound`.
        embedding: (S, D) float32 of the sound, with `data.sound_embedding`.
        heard: Whether the clip has sound; `sound` is silence, and `embedding` zeros, where it has none.
        uncropped: (T, H, W, C) uint8 in place of the frames, from which test-time views are cropped.
        mirrored: With `uncropped` and `landmarks`, the landmarks and the next three of the mirrored clip.
        features: (T, D) float32 in place of the frames, for networks that take precomputed features.
    """

    label: "int | Tensor"
    index: int
    frames: NotRequired["Tensor"]
    landmarks: NotRequired["Tensor"]
    blendshapes: NotRequired["Tensor"]
    pose: NotRequired["Tensor"]
    face_present: NotRequired["Tensor"]
    sound: NotRequired["Tensor"]
    embedding: NotRequired["Tensor"]
    heard: NotRequired[bool]
    uncropped: NotRequired["Tensor"]
    mirrored: NotRequired[dict[str, "Tensor"]]
    features: NotRequired["Tensor"]


class Batch(TypedDict):
    """What the loader passes to the network.

    Attributes:
        frames: (B, T, C, H, W) uint8, RGB, 0 to 255. The memory layout is (B, T, H, W, C), as decoded.
        label: (B,) int64 classes, or (B, R) float32 numbers.
        index: (B,) int64 positions of the clips in their data set.
        landmarks: (B, T, 478, 3) float32, x, y and z in pixels of the decoded frames, with `data.landmarks`.
        blendshapes: (B, T, 52) float32, 0 to 1.
        pose: (B, T, 3) float32, yaw, pitch and roll of the head in degrees.
        face_present: (B, T) bool, whether the face was found in a frame; if not, its values are those of the nearest
            frame with a face.
        sound: (B, samples) float32 from -1 to 1, with `data.sound`.
        embedding: (B, S, D) float32 of the sound, D features of S windows, with `data.sound_embedding`.
        heard: (B,) bool, whether a clip has sound; `sound` is silence, and `embedding` zeros, where it has none.
        views: N test-time views, each (B, T, C, H, W) uint8; the first one is `frames`, every second one mirrored.
        mirrored: With `views` and `landmarks`, the landmarks and the next three of the mirrored clips.
    """

    frames: "Tensor"
    label: "Tensor"
    index: "Tensor"
    landmarks: NotRequired["Tensor"]
    blendshapes: NotRequired["Tensor"]
    pose: NotRequired["Tensor"]
    face_present: NotRequired["Tensor"]
    sound: NotRequired["Tensor"]
    embedding: NotRequired["Tensor"]
    heard: NotRequired["Tensor"]
    views: NotRequired[list["Tensor"]]
    mirrored: NotRequired[dict[str, "Tensor"]]


def label_name(label: int | tuple[float, ...], class_names: Sequence[str]) -> str:
    """Return the name of a class, or format the numbers of a regression label.

    >>> label_name(1, ("calm", "sad")), label_name((0.126, -1.0), ())
    ('sad', '(0.13, -1.00)')
    """
    if isinstance(label, int):
        return class_names[label]
    return f"({', '.join(f'{value:.2f}' for value in label)})"


def settings_digest(settings: Mapping[str, object]) -> str:
    """Return 8 hexadecimal digits that stand for plain settings, whatever their order.

    >>> settings_digest({"a": 1, "b": None}) == settings_digest({"b": None, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def content_key(
    digest: str, span_seconds: tuple[float, float] | None = None, half: Half | None = None
) -> str:
    """Return the name of a clip by the content of its file, so that it is recognised wherever the file lies.

    >>> content_key("e3b0", (0.5, 2)), content_key("e3b0", (1234.561, 1234.564), "left")
    ('e3b0@0.5-2', 'e3b0@1234.561-1234.564-left')
    """
    span = "" if span_seconds is None else "@{:.9g}-{:.9g}".format(*span_seconds)
    return f"{digest}{span}{f'-{half}' if half else ''}"


def median_seconds(clips: Sequence[Clip]) -> float | None:
    """Return the median length of clips, estimated from `MAX_PROBED` of them; `None` when no length is known.

    >>> from dataclasses import replace
    >>> clip = Clip(path=Path("a.avi"), label=0, actor=1, take="a", span_seconds=(1.0, 2.0))
    >>> median_seconds([clip, replace(clip, span_seconds=(0.0, 3.0)), replace(clip, span_seconds=(0.0, 2.0))])
    2.0
    """
    step = max(1, -(-len(clips) // MAX_PROBED))
    lengths = [clip_seconds(clips[index]) for index in range(0, len(clips), step)]
    known = [seconds for seconds in lengths if seconds is not None and seconds > 0]
    return round(median(known), 3) if known else None


def clip_seconds(clip: Clip) -> float | None:
    """Return the length of a clip: of its span, else as the header of its file declares; `None` when unknown."""
    start, end = clip.span_seconds or (0.0, float("inf"))
    if end < float("inf"):
        return end - start
    whole = video_seconds(clip.path)
    return None if whole is None else whole - start


def video_seconds(path: Path) -> float | None:
    """Return the length that the header of a video file declares; `None` when it can't be opened or declares none."""
    # PyAV takes long to import
    from emorec.data.media import open_media, video_stream
    from emorec.data.video.reader import ClipError

    try:
        with open_media(path) as container:
            stream = video_stream(container)
            if stream is not None and stream.duration and stream.time_base:
                return float(stream.duration * stream.time_base)
            return container.duration / 1e6 if container.duration else None
    except (ClipError, OSError):
        return None


def _decimal(seconds: float) -> str:
    """Format seconds to the millisecond.

    >>> _decimal(12345.5), _decimal(2)
    ('12345.5', '2')
    """
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
