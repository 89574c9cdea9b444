"""Download files over HTTP: retried, resumed where they broke off, and checked against size and hash."""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from emorec import __version__
from emorec.errors import UserError
from emorec.io import disk_errors

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = (15.0, 60.0)
"""To connect; between two bytes."""

RETRIES = 5
"""Retries of a request, or of a download that gains nothing, before it is given up."""

JSON_RETRIES = 3
"""Retries of a short request, which the user waits for."""

BACKOFF_SECONDS = 1.0
"""Waits before retries double from here, up to `MAX_WAIT_SECONDS`."""

MAX_WAIT_SECONDS = 120.0

RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)

MAX_CORRUPT_FILES = 3
"""How often a complete file may have a wrong size or hash."""

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on a server.

    Attributes:
        name: How messages name it.
        url: Its address.
        size: In bytes.
        hash: Algorithm and hexadecimal digest, as in `md5:d41d8cd98f00b204e9800998ecf8427e`.
    """

    name: str
    url: str
    size: int
    hash: str

    def mismatch(self, path: Path) -> str | None:
        """Return how a local file differs in size or hash; `None` when it is this one."""
        size = path.stat().st_size
        if size != self.size:
            return f"expected {self.size:,} bytes, got {size:,}"
        algorithm, _, expected = self.hash.partition(":")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, algorithm).hexdigest()
        return None if digest == expected else f"expected {algorithm} {expected}, got {digest}"


def part_path(target: Path) -> Path:
    """Return where a download is kept until it is complete.

    >>> part_path(Path("clips/a.zip")).as_posix()
    'clips/a.zip.part'
    """
    return target.with_name(f"{target.name}.part")


def download(
    remote: RemoteFile,
    target: Path,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Download a file, unless it is there already; it takes its name only once its size and hash are right.

    An incomplete download stays in `part_path(target)`, and the next call resumes it. One call per target at a time.

    Args:
        remote: The file.
        target: Where to store it; the folder is created when missing.
        progress: Called with the number of bytes present, which drops when the server makes the download start over;
            may raise to stop it.

    Raises:
        UserError: When the server refuses, the disk fails, or the file keeps coming with a wrong size or hash.
    """
    part = part_path(target)
    with disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file() and remote.mismatch(target) is None:
            return
        for _ in range(MAX_CORRUPT_FILES):
            _complete(remote, part, progress)
            mismatch = remote.mismatch(part)
            if mismatch is None:
                part.replace(target)
                return
            log.warning("%s: %s; downloading it again", remote.name, mismatch)
            part.unlink()
    raise UserError(
        f"{remote.name}: {mismatch}, {MAX_CORRUPT_FILES} times: "
        f"try again later, or download {remote.url} yourself"
    )


def get_json(url: str, name: str) -> Any:
    """Return the JSON document at an address.

    Args:
        url: The address.
        name: How messages name it.

    Raises:
        UserError: When the server can't be reached, refuses, or does not answer with JSON.
    """
    with _session(JSON_RETRIES) as session:
        response = _get(session, url, name)
    try:
        return response.json()
    except ValueError as error:
        raise UserError(f"can't get {name}: {url} does not answer with JSON ({error})") from error


class _LoggedRetry(Retry):
    """Retries that are logged, and wait no longer than `MAX_WAIT_SECONDS` whatever a server asks for."""

    @override
    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        seconds = super().get_retry_after(response)
        return seconds and min(seconds, MAX_WAIT_SECONDS)

    @override
    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        failure = self.history[-1]
        reason = f"the server answers {failure.status}" if failure.status else failure.error
        log.warning("%s; trying again", reason)
        super().sleep(response)


def _session(retries: int) -> requests.Session:
    retry = _LoggedRetry(
        total=retries,
        other=0,  # a certificate that can't be verified stays so
        backoff_factor=BACKOFF_SECONDS,
        backoff_max=MAX_WAIT_SECONDS,
        status_forcelist=RETRIED_STATUSES,
        raise_on_status=False,
        respect_retry_after_header=True,
    )
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    # Zenodo at times rejects python-requests, and asks tools for names of their own; uncompressed bytes can be counted
    session.headers.update({"User-Agent": f"emorec/{__version__}", "Accept-Encoding": "identity"})
    return session


def _get(
    session: requests.Session,
    url: str,
    name: str,
    *,
    headers: Mapping[str, str] | None = None,
    stream: bool = False,
) -> requests.Response:
    try:
        response = session.get(url, headers=headers, stream=stream, timeout=TIMEOUT_SECONDS)
    except requests.exceptions.SSLError as error:
        raise UserError(
            f"can't get {name}: the certificate of {url} can't be verified "
            "(the environment variable REQUESTS_CA_BUNDLE can name the certificates of your network)"
        ) from error
    except requests.RequestException as error:
        raise UserError(f"can't get {name}: {_root_cause(error)}; try again later") from error
    if response.status_code >= 400 and response.status_code != requests.codes.range_not_satisfiable:
        response.close()
        raise UserError(
            f"can't get {name}: {url} answers {response.status_code} {response.reason}; try again later"
        )
    return response


def _root_cause(error: requests.RequestException) -> str:
    """The innermost message of an error: `requests` wraps those of urllib3 with pools and retries."""
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    return " ".join(str(cause).split())


def _complete(remote: RemoteFile, part: Path, progress: Callable[[int], None] | None) -> None:
    """Resume a partial file until it has its full size, right or wrong."""
    failures = 0
    with _session(RETRIES) as session:
        while (start := _size(part)) < remote.size:
            try:
                _request_rest(session, remote, part, progress)
                reason = "the connection closed early"
            except HTTPError as error:
                reason = str(error) or type(error).__name__
            if _size(part) >= min(start + CHUNK_BYTES, remote.size):
                failures = 0
            elif (failures := failures + 1) > RETRIES:
                raise UserError(
                    f"can't get {remote.name}: {reason} ({failures} times; try again later)"
                )
            else:
                time.sleep(min(BACKOFF_SECONDS * 2 ** (failures - 1), MAX_WAIT_SECONDS))
    part.touch()


def _request_rest(
    session: requests.Session,
    remote: RemoteFile,
    part: Path,
    progress: Callable[[int], None] | None,
) -> None:
    """Request what is missing of a partial file, and append it.

    Raises:
        urllib3.exceptions.HTTPError: When the connection breaks or the answer is of no use; another try may help.
        UserError: When the server refuses.
    """
    start = _size(part)
    headers = {"Range": f"bytes={start}-"} if start else None
    with _get(session, remote.url, remote.name, headers=headers, stream=True) as response:
        offset, size = _offset_and_size(response)
        if size not in (None, remote.size):  # such as a login page
            raise HTTPError(f"the server sends {size:,} bytes instead of {remote.size:,}")
        if offset not in (0, start):
            part.unlink(missing_ok=True)
            raise HTTPError("the server sends another part of the file than was requested")
        with part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            while offset <= remote.size and (chunk := response.raw.read1(CHUNK_BYTES)):
                offset += file.write(chunk)
                if progress is not None:
                    progress(offset)


def _offset_and_size(response: requests.Response) -> tuple[int, int | None]:
    """First byte of the body within the file, -1 where unknown, and the size of the whole file, if stated."""
    if response.status_code == requests.codes.ok:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    sent = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    return (int(sent[1]), int(sent[2])) if sent else (-1, None)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
