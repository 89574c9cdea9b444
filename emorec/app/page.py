"""The page itself, in Gradio: what stands where, and what happens when a video arrives."""

from pathlib import Path

import gradio as gr

from emorec.app.account import Account
from emorec.app.answer import Answerer
from emorec.app.limits import Limits
from emorec.app.rooms import Rooms
from emorec.app.shown import rendered, text_of
from emorec.app.upload import take_only_uploads
from emorec.report import uses

TITLE = "emorec: what does the network say?"
WAITING = 20
"""Visitors who may wait in line; the next ones are told to come back."""

API = "look"
"""What programs call it."""


TO_THE_RESULT = (
    "() => { if (window.innerWidth < 900) "
    "document.getElementById('result').scrollIntoView({behavior: 'smooth', block: 'start'}); }"
)
"""On a small screen what is said lies below what was asked."""


def page(
    answerer: Answerer, rooms: Rooms, limits: Limits, account: Account, *, where: str
) -> gr.Blocks:
    """The page.

    Args:
        answerer: Answers a video.
        rooms: Where videos lie.
        limits: What is taken.
        account: What is said of the network.
        where: Where videos are looked at, such as "on this machine".
    """

    def arrived(video: str | None, request: gr.Request) -> None:
        if video:
            rooms.hold(Path(video), str(request.session_hash))

    def look(
        video: str | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - it is how Gradio hands it in
    ) -> tuple[object, object, object]:
        if not video:
            return gr.skip(), gr.skip(), gr.skip()
        session = str(request.session_hash)
        html = answerer.answer(Path(video), session, lambda what, share: progress(share, desc=what))
        return html, gr.update(value=None), gr.update(visible="er-result" in html)

    def forget(request: gr.Request) -> tuple[str, object]:
        rooms.forget(str(request.session_hash))
        return text_of("empty.html"), gr.update(visible=False)

    def left(request: gr.Request) -> None:
        rooms.leave(str(request.session_hash))

    blocks: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False)
    with blocks:
        gr.HTML(rendered("head.html", account=account, where=where, refused=uses.IN_SHORT))
        with gr.Row(elem_id="er-grid"):
            with gr.Column(elem_id="er-video"):
                video = gr.Video(
                    label="Your video", sources=["upload", "webcam"], include_audio=True, height=340
                )
                take_only_uploads(video, rooms)
                gr.HTML(rendered("limits.html", sentence=limits.sentence))
            with gr.Column(elem_id="er-shown"):
                result = gr.HTML(text_of("empty.html"), elem_id="result")
                button = gr.Button("Delete this result now", visible=False, size="sm")
            with gr.Column(elem_id="er-before"):
                gr.HTML(rendered("before.html", account=account, uses=uses))
        answered = gr.on(
            [video.upload, video.stop_recording],
            arrived,
            inputs=video,
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        ).then(
            look,
            inputs=video,
            outputs=[result, video, button],
            concurrency_limit=1,  # the network and the face detector are one
            show_progress="full",
            show_progress_on=result,
            api_name=API,
            api_visibility="undocumented",
        )
        answered.then(fn=None, js=TO_THE_RESULT)
        button.click(forget, outputs=[result, button], queue=False, api_visibility="private")
        blocks.unload(left)
    blocks.queue(max_size=WAITING, default_concurrency_limit=1)
    return blocks
