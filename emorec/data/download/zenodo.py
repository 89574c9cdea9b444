"""What a record of Zenodo holds, as Zenodo's API tells it.

Source: https://developers.zenodo.org, "Records" and "Files".
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from emorec.data.download.download import RemoteFile
from emorec.data.download.patience import Patience
from emorec.data.download.web import TroubleError, ask, chunks, new_session
from emorec.errors import UserError

ZENODO_VARIABLE = "EMOREC_ZENODO"
"""Names a mirror of Zenodo, as in `https://zenodo.example.org`."""

TRIES = 4


def zenodo_address() -> str:
    """Zenodo, or the mirror that `EMOREC_ZENODO` names."""
    return (os.environ.get(ZENODO_VARIABLE) or "https://zenodo.org").rstrip("/")


def record_files(record: int) -> dict[str, RemoteFile]:
    """The files of a published record, by their names.

    Raises:
        UserError: When Zenodo can't be reached, refuses, or answers with something else.
    """
    url = f"{zenodo_address()}/api/records/{record}"
    what = f"the list of files of Zenodo's record {record}"
    patience = Patience(what, tries=TRIES)
    with new_session() as session:
        while True:
            try:
                answer = b"".join(chunks(ask(session, url, what), decode=True))
                break
            except TroubleError as trouble:
                patience.wait(trouble)
    try:
        return files_of(json.loads(answer))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"{url} answers with something that is no list of files ({type(error).__name__}: {error}); "
            f"a login page of your network, or a wrong {ZENODO_VARIABLE}?"
        ) from error


def files_of(record: Mapping[str, Any]) -> dict[str, RemoteFile]:
    """The files in a record as Zenodo's API gives it.

    Raises:
        LookupError: When something is missing.
        ValueError: When something is not what it should be.

    >>> files = [{"key": "a.zip", "size": 3, "checksum": "md5:" + 32 * "0", "links": {"self": "https://z.org/a.zip"}}]
    >>> files_of({"files": files})["a.zip"].size
    3
    """
    files = {}
    for file in record["files"]:
        size = int(file["size"])
        if size <= 0:
            raise ValueError(f"{file['key']} has {size} bytes")
        files[str(file["key"])] = RemoteFile(
            str(file["links"]["self"]), size, str(file["checksum"])
        )
    return files
