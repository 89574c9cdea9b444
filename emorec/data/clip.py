"""What travels through the chain: a clip on disk, then a batch of clips in memory.

The axes, used in every docstring of the package:

    B clips, T frames, C channels, H x W pixels, D features, K emotions, R numbers such as valence and arousal
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NotRequired, TypeAlias, TypedDict

if TYPE_CHECKING:
    from torch import Tensor


Person: TypeAlias = int | str
"""Who is in the picture: RAVDESS numbers its actors, other data sets name them."""

Half: TypeAlias = Literal["left", "right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One labelled take on disk.

    Attributes:
        path: The video file.
        label: The class's position in the data set's class names, or the numbers to predict (valence, arousal).
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


class Batch(TypedDict):
    """What the loader hands to the network.

    Attributes:
        frames: (B, T, C, H, W) uint8, RGB, 0 to 255. The memory is (B, T, H, W, C), as decoded.
        label: (B,) int64 classes, or (B, R) float32 numbers.
        index: (B,) int64 positions of the clips in their data set.
        sound: (B, samples) float32, where the data set has it.
        views: N times (B, T, C, H, W) uint8, where a clip is looked at more than once; the first are the frames.
    """

    frames: "Tensor"
    label: "Tensor"
    index: "Tensor"
    sound: NotRequired["Tensor"]
    views: NotRequired[list["Tensor"]]
