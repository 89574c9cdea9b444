"""A video becomes windows: its frames go once through decoding and the search for faces."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

from emorec.data.audio.decode import NO_SOUND
from emorec.data.decoding.decode import TIME_TOLERANCE_SECONDS, ClipError
from emorec.inference.camera import Camera
from emorec.inference.cutting import Cutting
from emorec.inference.facts import Facts
from emorec.inference.live import windows_of_camera
from emorec.inference.looks import Looks, looks_of
from emorec.inference.schedule import Span, has_gap, longest_shown, schedule, span
from emorec.inference.sound_windows import SoundWindows, sound_recipe
from emorec.inference.stopwatch import Stopwatch
from emorec.inference.video_file import VideoFile
from emorec.inference.window import Hole, Window


def windows_of(
    video: VideoFile | Camera, facts: Facts, cutting: Cutting, clock: Stopwatch | None = None
) -> Iterator[Window | Hole]:
    """The windows of a video in order of their start, then of persons; memory holds those that are open.

    A window one of whose frames can't be decoded is a hole, as is one that for more than half of it shows a frame which
    stood too long; holes that touch are one.

    Args:
        video: Where the frames come from.
        facts: Of the network that is to see or hear them.
        cutting: How the video is cut.
        clock: Counts frames, and what decoding and finding faces take.

    Raises:
        ClipError: When a network that only hears is given what has no sound.
        UserError: When it is given a camera, or a camera gives less than a window.
    """
    clock = clock or Stopwatch()
    if isinstance(video, Camera):
        return windows_of_camera(video, facts, cutting, clock)
    if facts.sees:
        windows = _seen(video, facts, cutting, clock)
    elif video.has_sound:
        windows = (
            Window(start=start, end=end, person=1) for start, end in _schedule(video, cutting)
        )
    else:
        raise ClipError.of(video.path, f"{NO_SOUND}, and this network only hears")
    if video.promised_seconds > video.seconds + 1 / video.frames_per_second:
        windows = chain(windows, [Hole(video.seconds, video.promised_seconds)])
    return joined(_heard(video, facts, windows, clock) if facts.hears else windows)


def joined(windows: Iterable[Window | Hole]) -> Iterator[Window | Hole]:
    """The same, with holes that touch made one.

    >>> list(joined([Hole(0.0, 1.2), Hole(6 * 0.2, 1.4)]))  # 6 * 0.2 is a little more than 1.2
    [Hole(start=0.0, end=1.4)]
    >>> list(joined([Hole(0.0, 4.0), Hole(2.0, 6.0), Hole(8.0, 9.0)]))
    [Hole(start=0.0, end=6.0), Hole(start=8.0, end=9.0)]
    """
    hole: Hole | None = None
    for each in windows:
        if (
            isinstance(each, Hole)
            and hole is not None
            and each.start <= hole.end + TIME_TOLERANCE_SECONDS
        ):
            hole = Hole(hole.start, max(hole.end, each.end))
            continue
        if hole is not None:
            yield hole
            hole = None
        if isinstance(each, Hole):
            hole = each
        else:
            yield each
    if hole is not None:
        yield hole


def _schedule(video: VideoFile, cutting: Cutting) -> Iterator[tuple[float, float]]:
    return schedule(
        video.seconds, window_seconds=cutting.window_seconds, hop_seconds=cutting.hop_seconds
    )


def _seen(
    video: VideoFile, facts: Facts, cutting: Cutting, clock: Stopwatch
) -> Iterator[Window | Hole]:
    """The windows, silent so far."""
    windows = _looked_at(video, facts, cutting, clock, video.frames_in_file)
    first = list(islice(windows, 1))
    if isinstance(first[0], Hole) and first[0].end == video.seconds and not video.damaged:
        # one window, whose frames end earlier than any file should: now it is known where
        yield from _looked_at(video, facts, cutting, clock, max(1, video.end))
        return
    yield from chain(first, windows)


def _looked_at(
    video: VideoFile, facts: Facts, cutting: Cutting, clock: Stopwatch, promised: int
) -> Iterator[Window | Hole]:
    """The windows of a video of which so many frames come, or one less."""
    looks = looks_of(facts, cutting, clock)

    def spans() -> Iterator[Span]:
        starts = video.starts[:promised]
        longest = longest_shown(starts)
        for start, end in _schedule(video, cutting):
            if end - start < video.seconds and has_gap(start, end, starts, longest):
                yield Span(start, end, {})
            else:
                yield span(start, end, starts, num_frames=facts.num_frames)

    needed = {index for each in spans() for index in each.frames}
    gone_by = 0
    open_spans = spans()
    current = next(open_spans, None)
    for index, seconds, frame in clock.each("decode", video.frames(needed)):
        clock.frames, gone_by = clock.frames + index + 1 - gone_by, index + 1
        clock.looked_at += 1
        looks.add(index, seconds, frame)
        while current is not None and current.last <= index:
            yield from _composed(current, looks)
            current = next(open_spans, None)
            if current is not None:
                looks.forget(current.first)
    while current is not None:
        yield from _composed(current, looks)
        current = next(open_spans, None)


def _composed(span: Span, looks: Looks) -> Iterator[Window | Hole]:
    indices = span.indices(looks.there())
    if indices is None:
        yield Hole(span.start, span.end)
    else:
        yield from looks.windows(span.start, span.end, indices)


def _heard(
    video: VideoFile, facts: Facts, windows: Iterable[Window | Hole], clock: Stopwatch
) -> Iterator[Window | Hole]:
    """The windows with their sound; for a network that only hears those without any are holes."""
    sounds = SoundWindows(video.path, sound_recipe(facts))
    for window in windows:
        if isinstance(window, Hole):
            yield window
            continue
        whole = (window.start, window.end) == (0.0, video.seconds)
        with clock.during("decode"):
            sound, heard = sounds.whole() if whole else sounds(window.start, window.end)
        if heard or facts.sees:
            yield replace(window, sound=sound, heard=heard)
        else:
            yield Hole(window.start, window.end)
