"""The page, in Gradio: its components, the texts about the network, and what happens on an upload."""

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from emorec.app.handler import Answer, Limits, Predict, handle_upload, sample_clip
from emorec.app.sessions import MAX_RESULT_MINUTES, Sessions
from emorec.data.datasheets import datasheet
from emorec.data.split import format_people
from emorec.errors import UserError
from emorec.inference.plot import UNCERTAIN_COLOR, colors_of
from emorec.inference.results import ANNOTATED_MP4, TIMELINE_CSV, TIMELINE_PNG
from emorec.inference.spec import ModelSpec
from emorec.inference.timeline import (
    NO_FACE,
    Timeline,
    Window,
    format_gaps,
    format_means,
    format_time,
    format_unfamiliar,
)
from emorec.pretrained import card_result, is_built_in
from emorec.report import uses
from emorec.report.templating import escape_markdown
from emorec.text import plural

if TYPE_CHECKING:  # importing Gradio is slow, and reads variables that `server` sets first
    import gradio as gr

TITLE = "emorec: emotion recognition in video"

MAX_WAITING = 20
"""Visitors in the queue; Gradio refuses more."""

SCROLL_TO_RESULT = (
    "() => { if (window.innerWidth < 900) "
    "document.getElementById('result').scrollIntoView({behavior: 'smooth', block: 'start'}); }"
)
"""On a small screen the result is below the upload."""

ANNOUNCE_RESULT = (
    "() => document.querySelector('#result .prose').setAttribute('aria-live', 'polite')"
)
"""For screen readers; the progress beside it changes too often."""

MAX_ROWS = 500
"""Rows of the table; the file has all."""

MAX_NARROW_COLUMNS = 3
"""Classes or numbers with a column each on a narrow screen; of more, the prediction's value alone is shown."""

UNFAMILIAR = "unfamiliar"
"""Heading of the last column, where a window is."""

SAMPLE_NOTE = (
    "A drawn face and a synthetic voice: this shows how the page works, and nothing about accuracy"
)

SIDEWAYS = '<p class="sideways">The timeline scrolls sideways; click it for the whole picture.</p>'

EMPTY_HTML = (
    '<p class="empty">Your video will appear here '
    "with the predictions drawn on it, a timeline and a table.</p>"
)
"""Placeholder of a result."""

CSS = """
.gradio-container { max-width: min(82rem, 100vw) !important; margin: 0 auto !important; }
.gradio-container main, .contain, #details, #details > * { min-width: 0 !important; max-width: 100%; }
.notice, .error { border-left: 4px solid #d9822b; padding: .6rem .9rem; overflow-wrap: anywhere; }
.error { border-color: #c8372d; }
.empty { border: 1.5px dashed var(--border-color-primary); border-radius: .75rem; padding: 4rem 2rem; }
.label { font-size: 2rem; font-weight: 700; display: flex; align-items: center; gap: .6rem; }
.dot { width: .72em; height: .72em; border-radius: 50%; }
#result > .wrap:not(.hide) ~ .html-container { visibility: hidden; }
#result:has(> .wrap:not(.hide)) + #details { opacity: .3; }
#annotated video { max-height: 26rem; }
.windows { overflow: auto; max-height: 22rem; }
.windows img { display: block; min-width: 42rem; width: 100%; }
.windows table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.windows :is(th, td) { padding: .3rem; text-align: left; white-space: nowrap; }
.windows th { position: sticky; top: 0; background: var(--body-background-fill); }
.windows tr { border-bottom: 1px solid var(--border-color-primary); }
.narrow, .sideways { display: none; }
@media (max-width: 79.9rem) { .narrow { display: table-cell; } .sideways { display: block; } .wide { display: none; } }
.windows .narrow { white-space: normal !important; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """Description of a network for visitors, in sentences without full stops.

    Attributes:
        network: Name and class of the network and what it predicts.
        subject: What a video has to show.
        takes_sound_files: Whether sound without pictures will do.
        trained_on: Its training data.
        test_result: Protocol and score of its test; `None` where unknown.
        meaning: What its predictions mean.
        licence: Of its training data.
    """

    network: str
    subject: str
    takes_sound_files: bool
    trained_on: str
    test_result: str | None
    meaning: str
    licence: str


def model_info(spec: ModelSpec, path: Path | None = None) -> ModelInfo:
    """Describe a network for visitors; its path has the test."""
    sheet = datasheet(spec.data, spec.split)
    people = format_people(len(spec.split.get("train", ())), spec.split)
    num_clips = spec.split.get("num_clips", {}).get("train")
    clips = f"{num_clips:,} clips" if num_clips else "clips"
    about = f": {sheet.in_short}" if sheet.in_short else ""
    network = spec.network.rpartition(".")[2]
    if path and is_built_in(path):
        network = f"{path} ({network})"
    one_of = "one of " if spec.task == "classes" else ""
    return ModelInfo(
        network=f"{network}, predicts {one_of}{', '.join(spec.names)}",
        subject="a person speaking" if spec.uses_sound else "a face",
        takes_sound_files=not spec.uses_video or spec.can_do_without_pictures,
        trained_on=f"{clips} of {people}, from {sheet.name}{about}",
        test_result=read_test_result(path) if path else None,
        meaning=f"What the network predicts is {sheet.meaning}",
        licence=sheet.licence,
    )


def read_test_result(path: Path) -> str | None:
    """Return the result of the test of a checkpoint's run; `None` without a test, and for exported files."""
    if is_built_in(path):
        return card_result(str(path))
    if path.suffix.lower() in (".onnx", ".pt2"):
        return None
    from emorec import checkpoint
    from emorec.report.card_facts import headline, read_test

    try:
        tested = read_test(checkpoint.read(path))
    except UserError:
        return None
    return None if isinstance(tested, str) else headline(tested)


def build_page(
    predict: Predict, sessions: Sessions, limits: Limits, info: ModelInfo, *, location: str
) -> "gr.Blocks":
    """Build the page.

    Args:
        predict: Predicts an upload.
        sessions: Files of visitors.
        limits: Of uploads.
        info: About the network.
        location: Where videos are processed, such as "on this machine".
    """
    import gradio as gr

    def on_upload(video: str | None, request: gr.Request) -> None:
        if video:
            sessions.add_upload(Path(video), str(request.session_hash))

    def on_predict(
        video: str | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio's way of passing it in
    ) -> tuple[Any, ...]:
        if not video:
            return (gr.skip(),) * 6
        return (*result_values(predict_file(Path(video), request, progress), info), None)

    def on_sample(
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - as above
    ) -> tuple[Any, ...]:
        progress(0.0, desc="drawing")
        upload = sessions.write_upload(sample_clip(), "sample.mp4", str(request.session_hash))
        return result_values(predict_file(upload, request, progress), info, note=SAMPLE_NOTE)

    def predict_file(path: Path, request: gr.Request, progress: gr.Progress) -> Answer:
        return handle_upload(
            path,
            str(request.session_hash),
            predict=predict,
            sessions=sessions,
            limits=limits,
            progress=lambda step, share: progress(share, desc=step),
        )

    def on_delete(request: gr.Request) -> tuple[Any, ...]:
        sessions.delete_results(str(request.session_hash))
        return result_values(Answer(), info)

    def on_leave(request: gr.Request) -> None:
        sessions.end(str(request.session_hash))

    kind = "video or sound" if info.takes_sound_files else "video"
    blocks: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False)
    with blocks:
        gr.Markdown(
            "# Emotion recognition in video\n"
            f"Upload or record a short {kind} of {info.subject}. It is processed {location} and then deleted."
        )
        gr.HTML(f'<p class="notice"><b>{uses.IN_SHORT[0]}.</b> {uses.IN_SHORT[1]}.</p>')
        with gr.Row():
            with gr.Column(scale=5):
                uploads = add_uploads(info, sessions)
                gr.Markdown(f"{limits.describe()}. The round symbol below the box is the camera.")
                sample = gr.Button("Try the sample clip", variant="primary")
                gr.Markdown(f"{SAMPLE_NOTE}.")
            with gr.Column(scale=7):
                headline = gr.HTML(EMPTY_HTML, elem_id="result")
                *details, delete = add_details()
                results = [headline, *details]
        gr.Markdown(info_markdown(info))
        with gr.Accordion("Intended and refused uses", open=False):
            gr.Markdown(uses_markdown())
        running: dict[str, Any] = {
            "concurrency_limit": 1,  # a predictor is not thread-safe
            "concurrency_id": "predictor",
            "show_progress": "full",
            "show_progress_on": headline,
        }
        for upload, name in zip(uploads, ("predict", "predict_sound"), strict=False):
            gr.on(
                [upload.upload, upload.stop_recording],
                on_upload,
                inputs=upload,
                queue=False,
                show_progress="hidden",
                api_visibility="private",
            ).then(
                on_predict,
                inputs=upload,
                outputs=[*results, upload],
                api_name=name,
                api_visibility="undocumented",
                **running,
            )
            gr.on([upload.upload, upload.stop_recording], fn=None, js=SCROLL_TO_RESULT)
        sample.click(on_sample, outputs=results, api_visibility="private", **running)
        sample.click(fn=None, js=SCROLL_TO_RESULT)
        delete.click(on_delete, outputs=results, queue=False, api_visibility="private")
        blocks.load(fn=None, js=ANNOUNCE_RESULT)
        blocks.unload(on_leave)
    blocks.queue(max_size=MAX_WAITING, default_concurrency_limit=1)
    return blocks


def add_uploads(info: ModelInfo, sessions: Sessions) -> "list[gr.Video | gr.Audio]":
    """Add the box for a video, and one for sound where that will do."""
    import gradio as gr

    uploads: list[gr.Video | gr.Audio] = [
        gr.Video(
            label="Your video",
            sources=["upload", "webcam"],
            include_audio=True,
            height=280,
        )
    ]
    if info.takes_sound_files:
        uploads.append(
            gr.Audio(
                label="Or your sound",
                sources=["upload", "microphone"],
                type="filepath",
                editable=False,
            )
        )
    for upload in uploads:
        refuse_downloads(upload, sessions)
    return uploads


def add_details() -> list[Any]:
    """Add what is shown of a prediction: its column, video, windows and file, and the button that deletes it."""
    import gradio as gr

    with gr.Column(visible=False, elem_id="details") as details:
        annotated = gr.Video(
            label="Annotated video",
            show_label=False,
            interactive=False,
            buttons=["download"],
            elem_id="annotated",
        )
        windows = gr.HTML(apply_default_css=False)
        table_file = gr.DownloadButton("Download the table (CSV)", size="sm")
        gr.Markdown(
            "Your file is deleted already. This result is deleted when you close the page, with your "
            f"next file, or after {MAX_RESULT_MINUTES} minutes."
        )
        delete = gr.Button("Delete this result now", size="sm")
    return [details, annotated, windows, table_file, delete]


def refuse_downloads(upload: "gr.Video | gr.Audio", sessions: Sessions) -> None:
    """Make a component refuse everything but uploads: Gradio 6 downloads any address that a client names.

    The instance is changed, because Gradio writes a stub file beside the source of each subclass.
    """
    import gradio as gr

    async def uploaded(path: str | Path | None) -> str:
        if not sessions.is_upload(Path(path or "")):
            raise gr.Error("only uploaded videos are predicted", print_exception=False)
        return str(path)

    upload.async_move_resource_to_block_cache = uploaded  # type: ignore[assignment, method-assign]


def result_values(answer: Answer, info: ModelInfo, note: str = "") -> tuple[Any, ...]:
    """Return the values of headline, details, video, windows and their file; a sound file has no annotated video."""
    import gradio as gr

    timeline, folder = answer.timeline, answer.folder
    if timeline is None or folder is None:
        text = EMPTY_HTML if answer.error is None else error_html(answer.error)
        return text, gr.update(visible=False), None, None, None
    files = [folder / name for name in (ANNOTATED_MP4, TIMELINE_PNG, TIMELINE_CSV)]
    video, plot, csv = (str(path) if path.is_file() else None for path in files)
    headline = headline_html(timeline, info, (*answer.notes, note))
    annotated = gr.update(value=video, visible=video is not None)
    return headline, gr.update(visible=True), annotated, windows_html(timeline, plot), csv


def info_markdown(info: ModelInfo) -> str:
    """Describe the network, in Markdown."""
    test_result = (
        info.test_result or "unknown; see the model card (emorec card) of a tested checkpoint"
    )
    return "\n".join(
        [
            "## Before you interpret the result",
            f"**{info.meaning}.** A face is not a feeling, and the network is often wrong.",
            "",
            f"- **Network:** {escape_markdown(info.network)}",
            f"- **Trained on:** {escape_markdown(info.trained_on)}",
            f"- **Tested:** {test_result}",
            f"- **Licence of the data:** {info.licence}",
        ]
    )


def uses_markdown() -> str:
    """Describe intended and refused uses, in Markdown."""
    return "\n".join(
        [
            *("For:\n", *(f"- {use}" for use in uses.INTENDED)),
            *("\nNot for:\n", *(f"- **{at}:** {what}" for at, what in uses.REFUSED)),
            f"\n{uses.LAW}. This is not legal advice.",
        ]
    )


def error_html(error: str) -> str:
    """Return an error message, escaped."""
    return (
        f'<div class="error" role="alert"><p>{html.escape(error)}.</p>'
        "<p>Your file is deleted. Please choose another one.</p></div>"
    )


def headline_html(timeline: Timeline, info: ModelInfo, notes: Sequence[str] = ()) -> str:
    """Return the most frequent label or the mean numbers, counts, remarks and notes."""
    label = timeline.most_frequent
    color = dict(zip(timeline.names, colors_of(timeline.names), strict=True)).get(
        label or "", UNCERTAIN_COLOR
    )
    dot = f'<span class="dot" style="background:{color}"></span>' if label else ""
    scope = "Prediction for the whole clip"
    if len(timeline.windows) > 1:
        scope = "Mean of all windows" if timeline.task == "numbers" else "Most frequent prediction"
    lines = [summarize(timeline), *remarks(timeline), info.meaning, *filter(None, notes)]
    return "\n".join(
        [
            f'<p>{scope}</p><p class="label">{dot}'
            f"{html.escape(label or format_means(timeline) or NO_FACE)}</p>",
            *(f"<p>{html.escape(line)}.</p>" for line in lines),
        ]
    )


def summarize(timeline: Timeline) -> str:
    """Summarize length, windows, persons and labels in a line."""
    parts = [
        format_time(round(timeline.seconds, 1), timeline.seconds),
        plural(len(timeline.windows), "window"),
    ]
    if len(timeline.persons) > 1:
        parts.append(plural(len(timeline.persons), "person"))
    summary = ", ".join(parts)
    if timeline.task == "numbers" or len(timeline.windows) < 2:
        return summary
    labels = Counter(window.predicted for window in timeline.windows).most_common()
    return f"{summary}: {', '.join(f'{count} {label}' for label, count in labels)}"


def remarks(timeline: Timeline) -> list[str]:
    """Return remarks on unfamiliar windows, adaptation, damage and missing faces."""
    lines = [line] if (line := format_unfamiliar(timeline)) else []
    if timeline.adapted_by:
        lines.append(f"Adapted to each person by {timeline.adapted_by}")
    if timeline.gaps:
        lines.append(f"Damaged, without a prediction: {format_gaps(timeline)}")
    coverage = timeline.face_coverage
    if timeline.most_frequent == NO_FACE:
        lines.append("No face found; the network needs faces that look into the camera")
    elif coverage is not None and coverage < 1:
        lines.append(f"A face was found in {coverage:.0%} of the windows")
    return lines


def table_of(timeline: Timeline) -> dict[str, Any]:
    """Return headers and rows of the table of windows."""
    is_classifier, several = timeline.task == "classes", len(timeline.persons) > 1
    marked = any(window.unfamiliar for window in timeline.windows)
    headers = [
        *("from", "to"),
        *(["person"] if several else []),
        *(["predicted"] if is_classifier else []),
        *timeline.names,
        *([UNFAMILIAR] if marked else []),
    ]
    rows = []
    for window in timeline.windows:
        times = [format_time(round(t, 1), timeline.seconds) for t in (window.start, window.end)]
        person = "" if window.person is None else f"{window.person}"
        values = window.values or (None,) * len(timeline.names)
        number = "{:.0%}" if is_classifier else "{:.2f}"
        rows.append(
            [
                *times,
                *([person] if several else []),
                *([window.predicted] if is_classifier else []),
                *("" if value is None else number.format(value) for value in values),
                *([", ".join(window.unfamiliar or ())] if marked else []),
            ]
        )
    return {"headers": headers, "data": rows}


def windows_html(timeline: Timeline, plot: str | None = None) -> str:
    """Return plot and table of the windows in boxes that scroll; on narrow screens one value stands for many."""
    table = table_of(timeline)
    marked = table["headers"][-1] == UNFAMILIAR
    first = len(table["headers"]) - marked - len(timeline.names)  # column of the values
    fold = timeline.task == "classes" and len(timeline.names) > MAX_NARROW_COLUMNS

    def row(tag: str, cells: list[str], confidence: str) -> str:
        wide = ' class="wide"' if fold else ""
        return "".join(
            [
                *(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells[:first]),
                f'<{tag} class="narrow">{confidence}</{tag}>' if fold else "",
                *(f"<{tag}{wide}>{html.escape(cell)}</{tag}>" for cell in cells[first:]),
            ]
        )

    def confidence_of(window: Window) -> str:
        confidence = "" if window.confidence is None else f"{window.confidence:.0%}"
        streams = f", {UNFAMILIAR}: {', '.join(window.unfamiliar)}" if window.unfamiliar else ""
        return f"{confidence}{streams}"

    rows = [
        row("td", cells, confidence_of(window))
        for cells, window in zip(table["data"][:MAX_ROWS], timeline.windows, strict=False)
    ]
    more = len(table["data"]) - MAX_ROWS
    url = html.escape(f"gradio_api/file={quote(plot)}") if plot else ""
    image = f'<a href="{url}" target="_blank"><img src="{url}" alt="Timeline, as in the table below"></a>'
    return (
        (
            f'<div class="windows" role="region" aria-label="Timeline">{image}</div>{SIDEWAYS}'
            if plot
            else ""
        )
        + '<div class="windows" role="region" aria-label="Windows" tabindex="0"><table>'
        f"<thead><tr>{row('th', table['headers'], 'confidence')}</tr></thead>"
        f"<tbody>{''.join(f'<tr>{each}</tr>' for each in rows)}</tbody></table></div>"
        + (f"<p>The file below has {plural(more, 'more window')}.</p>" if more > 0 else "")
    )
