"""What travels through the chain: a clip on disk, then a batch of clips in memory.

The axes, used in every docstring of the package:

    B clips, T frames, C channels, H x W pixels, D features, K emotions, R numbers such as valence and arousal
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NotRequired, TypeAlias, TypedDict

if TYPE_CHECKING:
    from torch import Tensor


Person: TypeAlias = int | str
"""Who is in the picture: RAVDESS numbers its actors, other data sets name them."""

Half: TypeAlias = Literal["left", "right"]

UNLABELLED = -1
"""The label of a clip of which nobody said the class: it is on no side of a split and can be predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One labelled take on disk.

    Attributes:
        path: The video file.
        label: The class's position in the data set's class names, or the numbers to predict (valence, arousal);
            `UNLABELLED` where nobody said.
        actor: The person in the picture. No person is ever in training and in test.
        take: What was filmed; two files of one take (with and without sound) hold the same pictures.
        span_seconds: The part of the file that is the clip, half-open; `None` is the whole file.
        half: The half of the picture that is the clip, where two people are filmed side by side.
        sound_path: The file of the clip's sound, the whole of it; `None` where the video file has it.
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
        """The path, and in the words of a web address which part of the file it is.

        >>> Clip(path=Path("a.mp4"), label=0, actor=1, take="a", span_seconds=(0.5, 2), half="right").address
        'a.mp4#t=0.5,2&xywh=percent:50,0,50,100'
        """
        return f"{self.path}{self.fragment}"

    @property
    def fragment(self) -> str:
        """What of the address follows the path; empty for the whole of a file, a name where the take has one.

        >>> Clip(path=Path("a.avi"), label=0, actor=1, take="a_F000", span_seconds=(0.5, 2)).fragment
        '#id=a_F000'

        Source: W3C Media Fragments URI 1.0, sections 4.2.1 (seconds), 4.2.2 (part of the picture) and 4.2.4 (name).
        """
        if self.span_seconds is not None and Path(self.take).stem != self.path.stem:
            return f"#id={self.take}"
        parts = []
        if self.span_seconds is not None:
            start, end = self.span_seconds
            parts.append(f"t={_short(start)}" + (f",{_short(end)}" if math.isfinite(end) else ""))
        if self.half is not None:
            parts.append(f"xywh=percent:{0 if self.half == 'left' else 50},0,50,100")
        return f"#{'&'.join(parts)}" if parts else ""


def _short(seconds: float) -> str:
    """Seconds to the millisecond.

    >>> _short(12345.5), _short(2)
    ('12345.5', '2')
    """
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


class Batch(TypedDict):
    """What the loader hands to the network.

    Attributes:
        frames: (B, T, C, H, W) uint8, RGB, 0 to 255. The memory is (B, T, H, W, C), as decoded.
        label: (B,) int64 classes, or (B, R) float32 numbers.
        index: (B,) int64 positions of the clips in their data set.
        sound: (B, samples) float32 from -1 to 1, where it was asked for.
        heard: (B,) bool, whether a clip has sound; where it has none, its sound is silence.
        views: N times (B, T, C, H, W) uint8, where a clip is looked at more than once; the first are the frames.
    """

    frames: "Tensor"
    label: "Tensor"
    index: "Tensor"
    sound: NotRequired["Tensor"]
    heard: NotRequired["Tensor"]
    views: NotRequired[list["Tensor"]]
