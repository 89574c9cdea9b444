"""Serves the page on this machine: no other address is asked for anything, and all files go when it ends."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware
from typing_extensions import override

from emorec.app.answer import RESULTS
from emorec.app.limits import Limits
from emorec.app.rooms import Rooms
from emorec.app.shown import KEPT_MINUTES, text_of
from emorec.errors import UserError

if TYPE_CHECKING:
    import gradio as gr

LOCAL = ("127.0.0.1", "localhost", "::1")
SWEEP_SECONDS = 60

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""What browsers may ask for: nothing that is elsewhere. Gradio's own page needs inline scripts."""

CLOSED = ("/gradio_api/process_recording", "/gradio_api/info", "/monitoring", "/docs", "/openapi.json")
"""Of Gradio's addresses those that the page does not need."""


def no_calling_home() -> None:
    """Has to be called before Gradio is imported: it then reports nothing and looks for no newer version."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")


def application(blocks: "gr.Blocks", rooms: Rooms, limits: Limits, host: str) -> FastAPI:
    """The page, the files of its results, and what is refused.

    Args:
        blocks: The page.
        rooms: Where uploads and results lie.
        limits: How large an upload may be.
        host: The address it is served at; on this machine alone no other name leads to it.
    """
    import gradio as gr

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get(f"/{RESULTS}/{{token}}/{{name}}")
    def result(token: str, name: str) -> FileResponse:
        path = rooms.file(token, name)
        if path is None:
            raise HTTPException(404)
        return FileResponse(path)

    @app.middleware("http")
    async def guarded(request: Request, call_next):  # type: ignore[no-untyped-def]
        if request.url.path in CLOSED:
            return Response(status_code=404)
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.url.path.startswith((f"/{RESULTS}/", "/gradio_api/file")):
            response.headers["Cache-Control"] = "no-store"
        return response

    if host in LOCAL:
        # a page of somebody else's may give its own name this address
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL, "[::1]"])
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
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
            primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=["ui-monospace", "monospace"]
        ),
        css=text_of("page.css"),
    )
    return app


class Server(uvicorn.Server):
    """Ends at Ctrl-C or SIGTERM without a word, so that whoever started it can clear up."""

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def end(number: int, frame: FrameType | None) -> None:
            self.force_exit = self.should_exit
            self.should_exit = True

        former = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in former.items():
                signal.signal(each, handler)


def server_of(app: FastAPI, host: str, port: int) -> tuple[Server, socket.socket]:
    """What serves the page, and the place that it has taken.

    Raises:
        UserError: When the port is taken or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = socket.socket(family, socket.SOCK_STREAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind((host, port))
    except OSError as error:
        place.close()
        raise UserError(
            f"can't serve at {host}:{port}: {error.strerror or error} (choose another --port or --host)"
        ) from None
    except OverflowError:
        place.close()
        raise UserError(f"--port is {port}: it has to be from 0 to 65535") from None
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=2, server_header=False
    )
    return Server(settings), place


@contextlib.contextmanager
def swept(rooms: Rooms) -> Iterator[None]:
    """Deletes what is old meanwhile, and everything at the end."""
    done = threading.Event()

    def sweep() -> None:
        while not done.wait(SWEEP_SECONDS):
            rooms.sweep(60 * KEPT_MINUTES)

    sweeper = threading.Thread(target=sweep, daemon=True)
    sweeper.start()
    try:
        yield
    finally:
        done.set()
        sweeper.join()
        rooms.close()
