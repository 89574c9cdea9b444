"""A local stand-in for Zenodo: the part of its API that emorec uses, small archives, and failures."""

import gzip
import hashlib
import io
import json
import random
import re
import struct
import sys
import threading
import time
import zipfile
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from emorec.data.download.ravdess import RECORD, RavdessArchive

PIECE_BYTES = 2048


def clip_content(stem: str, num_bytes: int = 400) -> bytes:
    """Return the content of a clip: the boxes of an mp4 around noise, without a video."""
    noise = random.Random(stem).randbytes(num_bytes)
    boxes = ((b"ftyp", b"isom\0\0\0\0"), (b"moov", bytes(8)), (b"mdat", noise))
    return b"".join(struct.pack(">I4s", 8 + len(inside), kind) + inside for kind, inside in boxes)


def zipped(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a zip file with fixed timestamps."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def ravdess_zip(archive: RavdessArchive, num_bytes: int = 400) -> bytes:
    """Return an archive of RAVDESS with clips of about `num_bytes` each."""
    folder = f"Actor_{archive.actor:02d}/"
    clips = (
        (f"{folder}{name}.mp4", clip_content(str(name), num_bytes)) for name in archive.clips()
    )
    return zipped([(folder, b""), *clips])


def tree(root: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, hidden ones included."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if not path.is_dir()
    }


@dataclass
class Answer:
    """A response, before it is sent.

    Attributes:
        content: The whole file.
        status: HTTP status.
        headers: HTTP headers.
        body: The part of the file to send.
        drop_after: Number of bytes after which the connection breaks.
    """

    content: bytes
    status: int
    headers: dict[str, str]
    body: bytes
    drop_after: int | None = None


Misbehaviour = Callable[[Answer], None]


def drop(after: int) -> Misbehaviour:
    """Break the connection after `after` bytes of the body."""

    def modify(answer: Answer) -> None:
        answer.drop_after = after

    return modify


def ignore_range(answer: Answer) -> None:
    """Send the whole file in spite of a range."""
    answer.status, answer.body = 200, answer.content
    answer.headers = {"Content-Length": str(len(answer.body))}


def wrong_range(answer: Answer) -> None:
    """Send and declare another range than the requested one."""
    size = len(answer.content)
    answer.status, answer.body = 206, answer.content[1:]
    answer.headers = {
        "Content-Length": str(size - 1),
        "Content-Range": f"bytes 1-{size - 1}/{size}",
    }


def wrong_byte(answer: Answer) -> None:
    """Change the byte in the middle."""
    middle = len(answer.body) // 2
    changed = bytes([answer.body[middle] ^ 1])
    answer.body = answer.body[:middle] + changed + answer.body[middle + 1 :]


def announce(more: int) -> Misbehaviour:
    """State a longer or shorter length than that of the body; of a shorter one the rest is not sent."""

    def modify(answer: Answer) -> None:
        length = len(answer.body) + more
        answer.headers["Content-Length"] = str(length)
        answer.drop_after = min(length, len(answer.body))

    return modify


def append(extra: bytes) -> Misbehaviour:
    """Send more than the file."""

    def modify(answer: Answer) -> None:
        answer.body += extra
        answer.headers["Content-Length"] = str(len(answer.body))

    return modify


def without_length(answer: Answer) -> None:
    """State no length; the body ends with the connection."""
    del answer.headers["Content-Length"]
    answer.drop_after = len(answer.body)


def chunked(answer: Answer) -> None:
    """Send the body in chunked transfer encoding."""
    del answer.headers["Content-Length"]
    answer.headers["Transfer-Encoding"] = "chunked"
    parts = [answer.body[start : start + 1000] for start in range(0, len(answer.body), 1000)]
    answer.body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


def compressed(answer: Answer) -> None:
    """Send the body compressed without a request for it."""
    answer.body = gzip.compress(answer.body)
    answer.headers |= {"Content-Length": str(len(answer.body)), "Content-Encoding": "gzip"}


def respond_with(status: int, body: bytes = b"", **headers: str) -> Misbehaviour:
    """Respond with a status and a body."""

    def modify(answer: Answer) -> None:
        answer.status, answer.body = status, body
        answer.headers = {"Content-Length": str(len(body))}
        answer.headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    return modify


@dataclass
class ZenodoServer:
    """A running server.

    Attributes:
        address: Its URL.
        files: Content of all files of the record by name.
        misbehave: Misbehaviours for the next requests of a file ("" is the list of files), one for each.
        always: Misbehaviour for every request of a file.
        requests: Name and range of every request.
        agents: User agents of the clients.
        bytes_a_second: Speed of each response; `None` for no limit.
        sent: Number of bytes of files sent in all.
    """

    address: str
    files: dict[str, bytes]
    misbehave: dict[str, deque[Misbehaviour]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Misbehaviour] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    bytes_a_second: float | None = None
    sent: int = 0

    def listing(self) -> bytes:
        """Return the record as in Zenodo's API."""
        files = [
            {
                "id": hashlib.sha1(name.encode()).hexdigest(),
                "key": name,
                "size": len(content),
                "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
                "links": {"self": self.url(name)},
            }
            for name, content in self.files.items()
        ]
        return json.dumps({"id": RECORD, "title": "RAVDESS", "files": files}).encode()

    def url(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self.address}/api/records/{RECORD}/files/{name}/content"

    def answer(self, path: str, range_header: str | None) -> Answer:
        """Return the response to a request."""
        if path == f"/api/records/{RECORD}":
            name, content = "", self.listing()
        else:
            match = re.fullmatch(rf"/api/records/{RECORD}/files/([^/]+)/content", path)
            name = match[1] if match else path
            content = self.files.get(name, b"")
        self.requests.append((name, range_header))
        answer = Answer(content, 200, {"Content-Length": str(len(content))}, content)
        if name and name not in self.files:
            respond_with(404)(answer)
        elif range_header:
            self._cut(answer, int(range_header.removeprefix("bytes=").removesuffix("-")))
        if name in self.always:
            self.always[name](answer)
        elif self.misbehave[name]:
            self.misbehave[name].popleft()(answer)
        return answer

    @staticmethod
    def _cut(answer: Answer, start: int) -> None:
        size = len(answer.content)
        if start >= size:
            respond_with(416, Content_Range=f"bytes */{size}")(answer)
            return
        answer.status, answer.body = 206, answer.content[start:]
        answer.headers = {
            "Content-Length": str(size - start),
            "Content-Range": f"bytes {start}-{size - 1}/{size}",
        }


@contextmanager
def zenodo(files: dict[str, bytes]) -> Iterator[ZenodoServer]:
    """Serve files until the context exits."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.agents.add(self.headers["User-Agent"])
            answer = server.answer(self.path, self.headers["Range"])
            with suppress(ConnectionError):  # the client was killed
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.send_body(answer)

        def send_body(self, answer: Answer) -> None:
            body = memoryview(answer.body)[: answer.drop_after]
            for start in range(0, len(body), PIECE_BYTES):
                piece = body[start : start + PIECE_BYTES]
                server.sent += len(piece)  # first: with the last piece the client may be done
                self.wfile.write(piece)
                if server.bytes_a_second:
                    time.sleep(len(piece) / server.bytes_a_second)
            if answer.drop_after is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):  # of a client that was killed
                super().handle_error(request, client_address)

    with Server(("127.0.0.1", 0), Handler) as http:
        server = ZenodoServer(f"http://127.0.0.1:{http.server_port}", files)
        threading.Thread(
            target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        try:
            yield server
        finally:
            http.shutdown()
