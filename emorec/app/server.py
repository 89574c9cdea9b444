"""Web server of the page: its routes and security headers, start and shutdown."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware
from typing_extensions import override

from emorec.app.handler import Limits, Predict, predict_upload
from emorec.app.page import CSS, ModelInfo, build_page, model_info
from emorec.app.sessions import Sessions
from emorec.errors import UserError
from emorec.inference.predictor import Predictor

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1", "[::1]")
"""Addresses of this machine that no other machine reaches."""

SHUTDOWN_SECONDS = 2

CONTENT_SECURITY_POLICY = "; ".join(
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
"""Browsers load nothing from other addresses. Gradio's page needs inline scripts.

Source: W3C Content Security Policy Level 3, section 6.
"""

BLOCKED_PATHS = ("/gradio_api/process_recording", "/monitoring")
"""Gradio's paths that the page does not need; the first one writes files that are never deleted."""

SYSTEM_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"]


def serve(predictor: Predictor, path: Path, limits: Limits, *, host: str, port: int) -> None:
    """Serve the page until Ctrl-C.

    Args:
        predictor: Of the network.
        path: File of the network.
        limits: Of uploads.
        host: Address to serve at.
        port: To serve at; 0: any free one.

    Raises:
        UserError: When the address is not available, or temporary files can't be written.
    """
    listener = bind(host, port)
    with contextlib.closing(listener), Sessions() as sessions:
        app = create_app(
            partial(predict_upload, predictor, limits),
            model_info(predictor.spec, path),
            sessions,
            limits,
            host=host,
        )
        address = f"[{host}]" if ":" in host else host
        print(
            f"open http://{address}:{listener.getsockname()[1]} in a browser; Ctrl-C stops it",
            flush=True,
        )
        Server(app, sessions).run(sockets=[listener])
    print("stopped; all videos and results are deleted")


def create_app(
    predict: Predict,
    info: ModelInfo,
    sessions: Sessions,
    limits: Limits,
    *,
    host: str = "127.0.0.1",
) -> FastAPI:
    """Create the web application.

    Args:
        predict: Predicts an upload.
        info: About the network.
        sessions: Files of visitors.
        limits: Of uploads.
        host: Address it is served at; a local one is reached by no other name.
    """
    # before Gradio is imported: uploads into the sessions' folder
    os.environ["GRADIO_TEMP_DIR"] = str(sessions.uploads)
    import gradio as gr

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def set_headers(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if request.url.path in BLOCKED_PATHS:
            return Response(status_code=404)
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.url.path.startswith("/gradio_api/file"):
            response.headers["Cache-Control"] = "no-store"
        return response

    if host in LOCAL_HOSTS:
        # against DNS rebinding
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOCAL_HOSTS))
    location = "on this machine" if host in LOCAL_HOSTS else "on the machine that serves this page"
    blocks = build_page(predict, sessions, limits, info, location=location)
    blocks.has_launched = True  # Gradio restricts files by path only after launch
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
            font=SYSTEM_FONTS,
            font_mono=["ui-monospace", "monospace"],
        ).set(  # for a contrast of 4.5
            body_text_color_subdued="*neutral_500",
            button_primary_background_fill="*primary_600",
            button_primary_background_fill_hover="*primary_700",
        ),
        css=CSS,
    )
    return app


class Server(uvicorn.Server):
    """Server that ends sessions at Ctrl-C or SIGTERM, and returns so that files are deleted.

    Args:
        app: The application.
        sessions: Files of visitors.
    """

    def __init__(self, app: FastAPI, sessions: Sessions) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
        )
        self._sessions = sessions

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(*_: object) -> None:
            self.force_exit = self.should_exit
            self.should_exit = True
            self._sessions.stop()  # or the server would wait for running predictions

        previous = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in previous.items():
                signal.signal(each, handler)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address.

    Raises:
        UserError: When the port is taken or out of range, or the address is not of this machine.
    """
    if not 0 <= port <= 65535:
        raise UserError(f"--port is {port}: choose 0 to 65535")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let two programs share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"can't serve at {host}:{port}: {error.strerror or error} (choose another --port or --host)"
        ) from None
    return listener
