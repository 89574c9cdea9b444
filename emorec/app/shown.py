"""What the page shows: HTML of answers, of what went wrong, and of what the network is."""

from collections import Counter
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from emorec.inference.colours import colours_of
from emorec.inference.prediction import NO_FACE, WindowPrediction
from emorec.inference.timeline import Timeline, means_in_words
from emorec.inference.timeline_picture import clock_time

KEPT_MINUTES = 30
"""How long a result is kept at most."""

NO_COLOUR = "#b5bcc4"


def text_of(name: str) -> str:
    """A file that lies beside this one."""
    return files("emorec.app").joinpath(name).read_text(encoding="utf-8")


def rendered(name: str, **values: Any) -> str:
    """A template that lies beside this one, filled; what comes from outside is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text_of(name)).render(**values)


def result_html(timeline: Timeline, *, place: str, meaning: str) -> str:
    """An answer.

    Args:
        timeline: What was said.
        place: Address of the folder with its files.
        meaning: What such words mean.
    """
    colours = dict(zip(timeline.names, colours_of(timeline.names), strict=True))
    word = timeline.most_frequent
    return rendered(
        "result.html",
        says=timeline.says,
        names=timeline.names,
        word=word,
        colour=colours.get(word or "", NO_COLOUR),
        means=means_in_words(timeline) or NO_FACE,
        counted=counted(timeline),
        remarks=remarks(timeline),
        meaning=meaning,
        place=place,
        picture=f"What the network says over time. {counted(timeline)}",
        several=len(timeline.persons) > 1,
        windows=[_row(said, timeline, colours) for said in timeline.windows],
        minutes=KEPT_MINUTES,
    )


def trouble_html(sentence: str) -> str:
    """What went wrong, in a sentence."""
    return rendered("trouble.html", sentence=sentence)


def counted(timeline: Timeline) -> str:
    """How much was looked at and how often each word was said."""
    long = clock_time(round(timeline.seconds, 1), timeline.seconds)
    windows = len(timeline.windows)
    stretches = "1 window" if windows == 1 else f"{windows} windows"
    people = len(timeline.persons)
    whom = f", {people} people" if people > 1 else ""
    if timeline.says == "numbers":
        return f"{long}, {stretches}{whom}"
    words = Counter(said.predicted for said in timeline.windows).most_common()
    told = ", ".join(f"{number} {word}" for word, number in words)
    return f"{long}, {stretches}{whom}: {told}" if windows > 1 else f"{long}, {stretches}{whom}"


def remarks(timeline: Timeline) -> list[str]:
    """What is not as one would wish."""
    lines = []
    for hole in timeline.holes[:5]:
        start, end = (clock_time(round(at, 1), 60) for at in (hole.start, hole.end))
        lines.append(f"From {start} to {end} the file is damaged: nothing is said of that")
    if len(timeline.holes) > 5:
        lines.append(f"It is damaged in {len(timeline.holes) - 5} more places")
    if timeline.most_frequent == NO_FACE:
        lines.append("No face was found: the network knows faces that look into the camera")
    elif (coverage := timeline.face_coverage) is not None and coverage < 1:
        lines.append(f"A face was found in {coverage:.0%} of the windows")
    return lines


def _row(said: WindowPrediction, timeline: Timeline, colours: dict[str, str]) -> dict[str, Any]:
    longest = max(timeline.seconds, said.end)
    start, end = (clock_time(round(at, 1), longest) for at in (said.start, said.end))
    values = said.values or ()
    return {
        "start": start,
        "end": end,
        "person": said.person or "",
        "predicted": said.predicted,
        "confidence": "" if said.confidence is None else f"{said.confidence:.0%}",
        "colour": colours.get(said.predicted, NO_COLOUR),
        "numbers": [f"{value:.2f}" for value in values] or [NO_FACE] * len(timeline.names),
        "parts": [
            {"name": name, "width": f"{100 * value:.1f}", "colour": colours[name]}
            for name, value in zip(timeline.names, values, strict=False)
        ],
    }
