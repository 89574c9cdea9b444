"""Serves the page on this machine until Ctrl-C; all files go when it ends."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from emorec.app.account import account_of, tested_of
from emorec.app.answer import Answerer, Look
from emorec.app.limits import Limits
from emorec.app.rooms import Rooms
from emorec.app.shown import KEPT_MINUTES
from emorec.errors import UserError
from emorec.inference.facts import Facts
from emorec.inference.predictor import Predictor

LOCAL = ("127.0.0.1", "localhost", "::1")
SWEEP_SECONDS = 60
PATIENCE_SECONDS = 2
"""For answers that are on their way when the page ends."""


def serve(predictor: Predictor, path: Path, limits: Limits, *, host: str, port: int) -> None:
    """Serves the page until Ctrl-C.

    Args:
        predictor: Says something of videos.
        path: The file it was read from.
        limits: What is taken.
        host: The address the page is served at.
        port: And its port, 0 for any.

    Raises:
        UserError: When it can't be served there.
    """
    from emorec.app.look import LookWith

    place = place_of(host, port)
    with contextlib.closing(place), swept(rooms_of()) as rooms:
        app = application_of(
            LookWith(predictor, limits),
            predictor.facts,
            rooms,
            limits,
            host=host,
            tested=tested_of(path),
        )
        shown = f"[{host}]" if ":" in host else host
        print(
            f"open http://{shown}:{place.getsockname()[1]} in a browser; Ctrl-C ends it", flush=True
        )
        server_of(app, rooms).run(sockets=[place])
    print("ended; all videos and results are deleted")


def rooms_of() -> Rooms:
    """Where uploads and results lie.

    Raises:
        UserError: When there is no place for them.
    """
    try:
        return Rooms()
    except OSError as error:
        raise UserError(
            f"no place for videos: {error.strerror} (the variable TMPDIR names another folder)"
        ) from None


def application_of(
    look: Look,
    facts: Facts,
    rooms: Rooms,
    limits: Limits,
    *,
    host: str = "127.0.0.1",
    tested: str | None = None,
) -> FastAPI:
    """The whole page for something that looks at videos.

    Args:
        look: What looks at them.
        facts: Of its network.
        rooms: Where videos lie.
        limits: What is taken.
        host: The address the page is served at.
        tested: How well the network did.
    """
    no_calling_home(rooms)
    from emorec.app.application import application
    from emorec.app.page import page

    account = account_of(facts, tested)
    where = "on this machine" if host in LOCAL else "on the machine that serves this page"
    answerer = Answerer(look, rooms, limits, f"{account.meaning}.")
    return application(page(answerer, rooms, limits, account, where=where), rooms, limits, host)


def no_calling_home(rooms: Rooms) -> None:
    """Before Gradio is imported: it reports nothing, looks for no newer version, and puts uploads into the rooms."""
    os.environ.update(
        GRADIO_ANALYTICS_ENABLED="False",
        GRADIO_TEMP_DIR=str(rooms.uploads),
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_OFFLINE="1",
    )


class Server(uvicorn.Server):
    """Ends at Ctrl-C or SIGTERM without a word, so that whoever started it can clear up.

    Args:
        settings: What it serves and how.
        rooms: Whose visitors are gone then.
    """

    def __init__(self, settings: uvicorn.Config, rooms: Rooms) -> None:
        super().__init__(settings)
        self._rooms = rooms

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def end(*_: object) -> None:
            self.force_exit = self.should_exit
            self.should_exit = True
            self._rooms.stop()  # who is being answered would be waited for

        former = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in former.items():
                signal.signal(each, handler)


def server_of(app: FastAPI, rooms: Rooms) -> Server:
    """What serves the page."""
    settings = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE_SECONDS,
    )
    return Server(settings, rooms)


def place_of(host: str, port: int) -> socket.socket:
    """The address, taken.

    Raises:
        UserError: When it is taken already or is not this machine's.
    """
    place = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let two programs have one port
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
    return place


@contextlib.contextmanager
def swept(rooms: Rooms) -> Iterator[Rooms]:
    """The rooms, in which what is old is deleted meanwhile, and everything at the end."""
    done = threading.Event()

    def sweep() -> None:
        while not done.wait(SWEEP_SECONDS):
            rooms.sweep(60 * KEPT_MINUTES)

    sweeper = threading.Thread(target=sweep, daemon=True)
    sweeper.start()
    try:
        yield rooms
    finally:
        done.set()
        sweeper.join()
        rooms.close()
