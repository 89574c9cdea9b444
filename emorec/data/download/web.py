"""Asking a server, under a name of our own; what goes wrong is either worth another try or said in one line."""

import re
from collections.abc import Iterator, Mapping

import requests
from urllib3.exceptions import HTTPError

from emorec import __version__
from emorec.errors import UserError

TIMEOUT_SECONDS = (15.0, 60.0)
"""To be connected; without a single byte."""

CHUNK_BYTES = 1 << 20

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Too many requests, and servers in trouble; those from 520 on are Cloudflare's."""

_ADVICE = {
    403: "it turns this computer or network away: try another network, or a browser",
    404: "there is no such file",
    407: "a proxy wants a password: see the environment variable HTTPS_PROXY",
    410: "the file was withdrawn",
}


class TroubleError(Exception):
    """A connection broke, or a server is in trouble: worth another try.

    Args:
        reason: What went wrong, for people.
        retry_after: When the server wants to be asked again, as its header says; empty when it does not say.
    """

    def __init__(self, reason: str, retry_after: str = "") -> None:
        super().__init__(reason)
        self.retry_after = retry_after


def new_session() -> requests.Session:
    """Connections that are kept between requests of one thread.

    They call themselves emorec: Zenodo at times turns away what calls itself `python-requests`, and asks tools for
    names of their own. Files are to come as they are, not compressed on the way, so that their bytes can be counted.
    """
    session = requests.Session()
    session.headers.update({"User-Agent": f"emorec/{__version__}", "Accept-Encoding": "identity"})
    return session


def ask(
    session: requests.Session, url: str, what: str, headers: Mapping[str, str] | None = None
) -> requests.Response:
    """A server's answer, whose content has yet to be read, when it is a success or a refusal of the range asked for.

    Args:
        session: From `new_session`.
        url: The address.
        what: What is there, as messages name it.
        headers: What is sent along.

    Raises:
        TroubleError: When the connection fails, or the server is in trouble.
        UserError: When asking again would end the same way.
    """
    try:
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS)
    except requests.exceptions.SSLError as error:
        raise UserError(
            f"can't get {what}: the certificate of {url} can't be verified "
            "(the environment variable REQUESTS_CA_BUNDLE can name the certificates of your network)"
        ) from error
    except (OSError, HTTPError) as error:
        if isinstance(error, ValueError):  # an address that no server was asked for
            raise UserError(f"can't get {what}: {error}") from error
        raise TroubleError(in_short(error)) from error
    status = response.status_code
    told = f"{status} {response.reason or ''}".strip()
    if status in _PASSING:
        response.close()
        raise TroubleError(f"the server says {told}", response.headers.get("Retry-After", ""))
    if status >= 400 and status != requests.codes.requested_range_not_satisfiable:
        response.close()
        advice = _ADVICE.get(status, "asking again would not help")
        raise UserError(f"can't get {what}: {url} says {told} ({advice})")
    return response


def chunks(response: requests.Response, *, decode: bool = False) -> Iterator[bytes]:
    """The content as it comes in, each time what is there by then: nothing is held back that a broken line would lose.

    Args:
        response: From `ask`.
        decode: Unpack what was compressed on the way, as some servers do unasked.

    Raises:
        TroubleError: When the connection breaks.
    """
    try:
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=decode):
            yield chunk
    except (OSError, HTTPError) as error:
        raise TroubleError(in_short(error)) from error


def in_short(error: BaseException) -> str:
    """What lies at the bottom of an error of requests, without its wrappings.

    >>> in_short(requests.ConnectionError(HTTPError("HTTPConnection(host='a.b', port=80): Connection refused")))
    'Connection refused'
    """
    inner = getattr(error, "reason", None)
    deeper = [each for each in (inner, *reversed(error.args)) if isinstance(each, BaseException)]
    if deeper:
        return in_short(deeper[0])
    if "IncompleteRead" in type(error).__name__:
        return "the connection broke off"
    text = re.sub(r"^\w+\(host=[^)]*\): ", "", " ".join(str(error).split()))
    return text or type(error).__name__
