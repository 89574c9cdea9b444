"""Specifications for tests: one misbehaves as the name of a clip says, one counts its passes."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from emorec.data.clip import Clip
from emorec.data.preprocessing import FrameSpec
from emorec.data.video.reader import ClipError, DecodedClip


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaving(FrameSpec):
    """Append the process and the name of each clip to `log`."""

    log: str
    num_frames: int = 2
    size: tuple[int, int] = (8, 8)

    @override
    def decode(self, clip: Clip) -> DecodedClip:
        name = clip.path.name
        with Path(self.log).open("a") as log:
            log.write(f"{os.getpid()} {name}\n")
        if "hang" in name:
            time.sleep(60)
        if "crash" in name:
            os._exit(3)
        if "killed" in name:
            os.kill(os.getpid(), 9)
        if "damaged" in name:
            raise ClipError.of(clip.path, "damaged")
        frames = np.full(self.shape, len(name), dtype=np.uint8)
        return DecodedClip(frames, indices=[0, 1], video_frames=2, promised=2)

    def decoded(self) -> list[str]:
        """Return the names of the clips decoded since the last call."""
        log = Path(self.log)
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return sorted(line.partition(" ")[2] for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingPasses(FrameSpec):
    """Append the number of clips of each pass through a video to `log`."""

    log: str

    @override
    def decode(self, clip: Clip) -> DecodedClip:
        self._count(1)
        return FrameSpec.decode(self, clip)

    @override
    def decode_spans(self, clips: Sequence[Clip]) -> list[DecodedClip | None]:
        self._count(len(clips))
        return FrameSpec.decode_spans(self, clips)

    def passes(self) -> list[int]:
        """Return the sorted numbers of clips."""
        return sorted(map(int, Path(self.log).read_text().split()))

    def _count(self, num_clips: int) -> None:
        with Path(self.log).open("a") as log:
            log.write(f"{num_clips}\n")


def clips_of(paths: Sequence[Path]) -> list[Clip]:
    return [Clip(path=path, label=0, actor=1, take=path.name) for path in paths]


def write_files(folder: Path, *names: str) -> list[Path]:
    """Write files of different content."""
    paths = [folder / name for name in names]
    for path in paths:
        path.write_text(f"pictures of {path.name}")
    return paths
