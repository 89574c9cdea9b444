"""The files of a Zenodo record.

Source: https://developers.zenodo.org, "Records" and "Files".
"""

import os

from emorec.data.download.http import RemoteFile, get_json
from emorec.errors import UserError

ZENODO_VARIABLE = "EMOREC_ZENODO"
"""Environment variable that names a mirror of Zenodo, as in `https://zenodo.example.org`."""


def zenodo_url() -> str:
    """Return the address of Zenodo, or of the mirror that `EMOREC_ZENODO` names."""
    return (os.environ.get(ZENODO_VARIABLE) or "https://zenodo.org").rstrip("/")


def record_files(record: int) -> dict[str, RemoteFile]:
    """Return the files of a published record by name, with their sizes and checksums.

    Raises:
        UserError: When Zenodo can't be reached, refuses, or answers with something else.
    """
    url = f"{zenodo_url()}/api/records/{record}"
    answer = get_json(url, f"the list of files of Zenodo's record {record}")
    try:
        return {
            file["key"]: RemoteFile(
                file["key"], file["links"]["self"], int(file["size"]), file["checksum"]
            )
            for file in answer["files"]
        }
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(
            f"{url} does not answer with a list of files ({type(error).__name__}: {error}); "
            f"is it a login page of your network, or {ZENODO_VARIABLE} wrong?"
        ) from error
