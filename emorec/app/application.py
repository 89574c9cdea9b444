"""The page, the files of its results, and what browsers and strangers may not ask for."""

from collections.abc import Awaitable, Callable

import gradio as gr
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from emorec.app.answer import RESULTS
from emorec.app.limits import Limits
from emorec.app.rooms import Rooms
from emorec.app.shown import text_of

THIS_MACHINE = ("127.0.0.1", "localhost", "::1", "[::1]")

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""What a browser may ask for: nothing that is elsewhere. Gradio's own page needs inline scripts.

Source: W3C Content Security Policy Level 3, section 6.
"""

CLOSED = ("/gradio_api/process_recording", "/monitoring")
"""Of Gradio's addresses those that the page does not need; the first writes files that nobody deletes."""

NOT_TO_BE_KEPT = (f"/{RESULTS}/", "/gradio_api/file")
"""Beginnings of the addresses whose content no browser is to keep."""

FONTS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Helvetica Neue",
    "Arial",
    "sans-serif",
)
"""Of the visitor's own machine."""


def application(blocks: gr.Blocks, rooms: Rooms, limits: Limits, host: str) -> FastAPI:
    """What is served.

    Args:
        blocks: The page.
        rooms: Where uploads and results lie.
        limits: How large an upload may be.
        host: The address it is served at; on this machine alone no other name leads to it.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get(f"/{RESULTS}/{{token}}/{{name}}")
    def result(token: str, name: str) -> FileResponse:
        path = rooms.file(token, name)
        if path is None:
            raise HTTPException(404)
        return FileResponse(path)

    @app.middleware("http")
    async def guarded(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if request.url.path in CLOSED:
            return Response(status_code=404)
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.url.path.startswith(NOT_TO_BE_KEPT):
            response.headers["Cache-Control"] = "no-store"
        return response

    if host in THIS_MACHINE:
        # somebody else's page may give its own name this address
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(THIS_MACHINE))
    blocks.has_launched = True  # or it would give away files by their paths
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=host,
        max_file_size=limits.bytes,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        theme=gr.themes.Base(
            primary_hue="blue",
            neutral_hue="slate",
            font=list(FONTS),
            font_mono=["ui-monospace", "monospace"],
        ),
        css=text_of("page.css"),
        js=text_of("page.js").replace("MEGABYTES", f"{limits.megabytes:g}"),
    )
    return app
