"""Many spans of one video, decoded in one pass: nothing here seeks, so each by itself would begin at the start."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emorec.data.decoding.decode import (
    DecodedClip,
    Decoder,
    Sampler,
    frames_of_span,
    likely_ends_of,
    open_video,
)


def decode_spans(
    path: Path,
    sampler: Sampler,
    spans_seconds: Sequence[tuple[float, float]],
    decoder: Decoder = "decord",
) -> list[DecodedClip | None]:
    """Of each span what `decode` gives of it alone, bit for bit, from one pass that ends with the last of them.

    Memory holds the frames that may be wanted of all of them.

    Args:
        path: The video file.
        sampler: Chooses from the frames of each span.
        spans_seconds: The spans, half-open, in any order; they may overlap.
        decoder: The library that reads the file.

    Returns:
        A clip for each span; `None` where the video does not end where it seemed to, so that others of its frames are
        wanted: let `decode` find them.

    Raises:
        ClipError: When the file can't be read, is no video, is damaged before the last span ends, or has no frame in
            one of them.
        UserError: When the decoder can't be used.
    """
    reader = open_video(path, decoder)
    spans = [frames_of_span(path, reader.starts, span) for span in spans_seconds]

    def wanted(first: int, end: int) -> list[int]:
        return [first + int(index) for index in sampler(end - first)]

    keep = {
        index
        for first, stop in spans
        for end in likely_ends_of(reader, first, stop)
        for index in (*wanted(first, end), end - 1)
    }
    kept, end = reader.read(keep, max(stop for _, stop in spans))

    def clip(first: int, stop: int) -> DecodedClip | None:
        own_end = min(stop, end)
        indices = wanted(first, own_end) if own_end > first else []
        if not indices or not kept.keys() >= set(indices):
            return None
        frames = np.stack([kept[index] for index in indices])
        return DecodedClip(frames, indices, own_end - first, reader.promised)

    return [clip(first, stop) for first, stop in spans]
