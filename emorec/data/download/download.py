"""A file from the network, whole and right or not at all."""

import hashlib
import logging
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import requests

from emorec.data.download.disk import disk_errors, remember_names
from emorec.data.download.lock import locked
from emorec.data.download.patience import Patience
from emorec.data.download.web import TroubleError, ask, chunks, new_session
from emorec.errors import UserError

log = logging.getLogger(__name__)

TRIES = 7
"""Without anything gained; with the waits between them a little more than two minutes."""

WORTHWHILE_BYTES = 1 << 20
"""What an attempt has to bring so as to count as a gain."""

WRONG_FILES = 3
"""How often a file that is whole may be a wrong one."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on a server.

    Attributes:
        url: Its address.
        size: Bytes, when known.
        hash: "md5:" or "sha256:" and the hexadecimal digits.

    >>> RemoteFile("http://a.org/files/weights%20v2.bin?download=1", None, "md5:d41d8cd98f00b204e9800998ecf8427e").name
    'weights v2.bin'
    """

    url: str
    size: int | None
    hash: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", self.hash):
            raise ValueError(f"{self.hash!r} is no md5:... or sha256:... of a file")

    @property
    def name(self) -> str:
        """The file's name, as its address ends; Zenodo's end in `/content`."""
        path = self.url.partition("?")[0].removesuffix("/content")
        return unquote(path.rpartition("/")[2])

    def difference(self, path: Path) -> str | None:
        """What is wrong with a file that should be this one, as "expected this, got that"; `None` when it is right."""
        size = path.stat().st_size
        if self.size not in (None, size):
            return f"expected {self.size:,} bytes, got {size:,}"
        kind, _, digits = self.hash.partition(":")
        with path.open("rb") as file:
            found = hashlib.file_digest(
                file, lambda: hashlib.new(kind, usedforsecurity=False)
            ).hexdigest()
        return None if found == digits else f"expected {kind} {digits}, got {found}"


def part_of(target: Path) -> Path:
    """Where a download is kept until it is whole.

    >>> part_of(Path("clips/a.zip")).as_posix()
    'clips/a.zip.part'
    """
    return target.with_name(f"{target.name}.part")


def lock_of(target: Path) -> Path:
    """What keeps downloads of one target apart; it is gone when they are done, unless they were killed."""
    return target.with_name(f".{target.name}.lock")


def download(
    remote: RemoteFile,
    target: Path,
    progress: Callable[[int], None] | None = None,
    *,
    stop: threading.Event | None = None,
) -> None:
    """Brings a file here, unless it is here already; it takes its name only when its hash is right.

    What an attempt brought is kept in `target` + ".part", and the next one, of this call or of another, goes on from
    there. Downloads of one target at once wait for each other.

    Args:
        remote: What to download.
        target: Where it will lie; its folder is made when missing.
        progress: Called with the bytes that are there by now, which are fewer again when a server makes it start over.
        stop: Ends the download when set, also while it waits.

    Raises:
        UserError: When the server or the disk refuses, or what comes is not what was promised.
        StoppedError: When `stop` was set.
    """
    with disk_errors(target.parent), locked(lock_of(target), wait=True):
        if target.is_file() and remote.difference(target) is None:
            _tell(progress, target.stat().st_size)
            return
        _Download(remote, part_of(target), progress, stop).run()
        part_of(target).replace(target)
        remember_names(target.parent)


class _Download:
    """One file on its way to `part`."""

    def __init__(
        self,
        remote: RemoteFile,
        part: Path,
        progress: Callable[[int], None] | None,
        stop: threading.Event | None,
    ) -> None:
        self.remote, self.part, self.progress = remote, part, progress
        self.patience = Patience(remote.name, tries=TRIES, stop=stop)
        self.furthest = self.there

    @property
    def there(self) -> int:
        """Bytes that were brought so far."""
        return self.part.stat().st_size if self.part.exists() else 0

    def run(self) -> None:
        """Leaves the right file under the part's name."""
        wrong = None
        for _ in range(WRONG_FILES):
            if wrong:
                log.warning("%s: %s; downloading it again", self.remote.name, wrong)
            with new_session() as session:
                self._complete(session)
            self.part.touch()  # an empty file needs no request
            wrong = self.remote.difference(self.part)
            if wrong is None:
                return
            self.part.unlink()
        raise UserError(
            f"{self.remote.name}: {wrong}, {WRONG_FILES} times: "
            f"try again later, or get {self.remote.url} by other means"
        )

    def _complete(self, session: requests.Session) -> None:
        """Leaves a file under the part's name that is as long as it is to be, be it right or wrong."""
        while self.remote.size is None or self.there < self.remote.size:
            try:
                if self._attempt(session):
                    return
                raise TroubleError("the connection broke off")
            except TroubleError as trouble:
                if self.there >= self.furthest + WORTHWHILE_BYTES:
                    self.patience.renew()
                self.furthest = max(self.furthest, self.there)
                self.patience.wait(trouble)

    def _attempt(self, session: requests.Session) -> bool:
        """Whether all is there after another request."""
        headers = {"Range": f"bytes={self.there}-"} if self.there else None
        with ask(session, self.remote.url, self.remote.name, headers) as response:
            start, end = self._span(response)
            _tell(self.progress, start)
            with self.part.open("r+b" if start else "wb") as file:
                file.seek(start)
                for chunk in chunks(response):
                    self.patience.check_stopped()
                    start += file.write(chunk)
                    _tell(self.progress, start)
                    if end is not None and start > end:
                        break  # too long already: a wrong file
                file.flush()
                os.fsync(file.fileno())
        return end is None or start >= end

    def _span(self, response: requests.Response) -> tuple[int, int | None]:
        """Where the content of an answer starts in the file, and where the file ends.

        Raises:
            TroubleError: When it is not what was asked for.
        """
        size = self.remote.size
        if response.status_code == requests.codes.ok:  # all of it, asked for or not
            length = response.headers.get("Content-Length", "")
            told = int(length) if length.isdecimal() else size
            if size not in (None, told):  # an error page, say: nothing to put into the file
                raise TroubleError(f"the server sends {told:,} bytes, and {size:,} were promised")
            return 0, told
        sent = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        start, end = map(int, sent.groups()) if sent else (-1, -1)
        if start != self.there or size not in (None, end):
            self.part.unlink(missing_ok=True)
            raise TroubleError("the server sends another part of the file than it was asked for")
        return start, end


def _tell(progress: Callable[[int], None] | None, num_bytes: int) -> None:
    if progress is not None:
        progress(num_bytes)
