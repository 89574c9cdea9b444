"""The Hugging Face Hub: networks fetched by their address, `hf://USER/NAME[@REVISION]`, and files uploaded.

Only the files named here travel, and none of them is a pickle. The token is that of `hf auth login` or of `HF_TOKEN`.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from rich.status import Status
from rich.text import Text
from typing_extensions import override

from emorec import __version__
from emorec.console import make_console
from emorec.errors import UserError
from emorec.io import sha256
from emorec.pretrained import FAMILIARITY_SUFFIX
from emorec.text import first_few

WEIGHTS = "model.safetensors"
RECORD = "model.json"
"""All that a checkpoint says besides its tensors, and under `DIGEST` the SHA-256 of their file."""

DIGEST = "sha256"

CONFIG = "config.yaml"
CARD = "README.md"
FAMILIARITY = f"model{FAMILIARITY_SUFFIX}"
"""Statistics of the training clips, for the few networks that have them."""

FILES = (WEIGHTS, RECORD, CONFIG, CARD, FAMILIARITY)

OF_THE_HUB = {".gitattributes", CARD}
"""Files that a new repository may have."""

USER_AGENT = {"library_name": "emorec", "library_version": __version__}

LOG_IN = "log in with hf auth login, or set HF_TOKEN"

REPOSITORY = r"[\w.-]+/[\w.-]+"
"""Pattern of USER/NAME."""

_ADDRESS = re.compile(rf"hf:/{{1,2}}({REPOSITORY})(?:@(.+))?")  # pathlib makes one slash of two


class Address(NamedTuple):
    """The address of a network.

    Attributes:
        repository: USER/NAME.
        revision: A branch, a tag, or a commit.
    """

    repository: str
    revision: str = "main"

    @property
    def page(self) -> str:
        """Where a browser shows the files."""
        return f"{endpoint()}/{self.repository}/tree/{self.revision}"

    @property
    def name(self) -> str:
        """The last part of the repository's name."""
        return self.repository.partition("/")[2]

    @override
    def __str__(self) -> str:
        revision = "" if self.revision == "main" else f"@{self.revision}"
        return f"hf://{self.repository}{revision}"


def parse_address(path: str | Path) -> Address | None:
    """Return the address of a network on the Hub; `None` for the path of a file.

    Raises:
        UserError: When it begins like an address and is none.

    >>> parse_address("hf://ann/faces@v2"), parse_address(Path("hf://ann/faces")).revision, parse_address("a.ckpt")
    (Address(repository='ann/faces', revision='v2'), 'main', None)
    """
    text = Path(path).as_posix()
    if not text.startswith("hf:"):
        return None
    match = _ADDRESS.fullmatch(text)
    if match is None:
        shown = re.sub("^hf:/*", "hf://", text)
        raise UserError(
            f"{shown} is not an address: write hf://USER/NAME, or hf://USER/NAME@REVISION"
        )
    return Address(match[1], match[2] or "main")


def endpoint() -> str:
    """Return where the Hub is: https://huggingface.co, or what HF_ENDPOINT names."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


@cache
def fetch(address: Address) -> Path:
    """Return the file of a network's tensors; the others lie beside it, in the folder of the commit.

    Looked up once a process, in the cache of the Hub's library: a commit that is there needs no connection, and without
    one a branch or a tag is what it was at the last time.

    Raises:
        UserError: When the repository or the revision does not exist, is private, holds something else or can't be
            reached, or a file is damaged.
    """
    folder = _download(address)
    if _is_damaged(folder, address):
        folder = _download(address, force=True)
        if _is_damaged(folder, address):
            raise UserError(
                f"{WEIGHTS} of {address} does not have the SHA-256 that {RECORD} states, also after a second download: "
                "try another connection; if it stays so, whoever made the repository has to push it again"
            )
    return folder / WEIGHTS


def _download(address: Address, *, force: bool = False) -> Path:
    hub = import_hub(f"{address} needs")
    with _download_errors(address, hub), _status(f"fetching {address}"):
        folder = hub.snapshot_download(
            address.repository,
            revision=address.revision,
            allow_patterns=[*FILES],
            endpoint=endpoint(),
            force_download=force,
            **USER_AGENT,
        )
    return Path(folder)


def _is_damaged(folder: Path, address: Address) -> bool:
    """Return whether the tensors are others than those that were pushed.

    Raises:
        UserError: When the repository is none that `emorec push` made.
    """
    try:
        expected: str = json.loads((folder / RECORD).read_text(encoding="utf-8"))[DIGEST]
        return sha256(folder / WEIGHTS) != expected
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{address} holds something else than a network of emorec ({WEIGHTS} with {RECORD}): "
            f"look at {address.page}"
        ) from None


def check_repository(repository: str, *, private: bool) -> None:
    """Refuse what an upload would fail at or spoil, before the work for it; nothing is made or changed.

    Args:
        repository: USER/NAME.
        private: Whether it has to be private.

    Raises:
        UserError: When the user is not logged in, the Hub can't be reached, or the repository holds something else, or
            is public and should not be.
    """
    hub = import_hub("emorec push needs")
    if not hub.get_token():
        raise UserError(f"the Hub has to know who pushes: {LOG_IN}")
    page = f"{endpoint()}/{repository}"
    with _upload_errors(repository, hub):
        try:
            info = hub.HfApi(endpoint=endpoint(), **USER_AGENT).model_info(repository)
        except hub.errors.RepositoryNotFoundError:
            return  # it will be made
    others = {each.rfilename for each in info.siblings or ()} - OF_THE_HUB
    if others and RECORD not in others:
        listed = first_few(sorted(others), limit=3)
        raise UserError(f"{page} holds something else ({listed}): choose another name")
    if private and not info.private:
        raise UserError(
            f"{page} exists and is public: make it private in its settings, or choose another name"
        )


def upload(folder: Path, repository: str, *, private: bool) -> tuple[str, bool]:
    """Upload the files of a folder as one commit; the repository is made where there is none.

    Args:
        folder: With some of `FILES`; those that it lacks are removed from the repository.
        repository: USER/NAME, checked by `check_repository`.
        private: Make a private repository.

    Returns:
        The address of its page, and whether it is private.

    Raises:
        UserError: When the Hub refuses or can't be reached.
    """
    hub = import_hub("emorec push needs")
    api = hub.HfApi(endpoint=endpoint(), **USER_AGENT)
    page = f"{endpoint()}/{repository}"
    with _upload_errors(repository, hub), _status(f"pushing to {page}"):
        # without --private an organisation's own default holds
        api.create_repo(repository, private=private or None, exist_ok=True)
        info = api.model_info(repository)
        present = {each.rfilename for each in info.siblings or ()}
        files = [name for name in FILES if (folder / name).is_file()]
        api.create_commit(
            repository,
            [
                *(hub.CommitOperationAdd(name, folder / name) for name in files),
                *(hub.CommitOperationDelete(it) for it in sorted({*FILES} & present - {*files})),
            ],
            commit_message="Push a network with emorec",
        )
    return page, bool(info.private)


def import_hub(purpose: str) -> ModuleType:
    """Import the Hub's library, without its reports and its three progress bars for a small file.

    Args:
        purpose: What needs it, as the beginning of the message.

    Raises:
        UserError: When it is not installed.
    """
    try:
        hub = import_module("huggingface_hub")
        for name in ("constants", "errors", "utils"):
            import_module(f"huggingface_hub.{name}")
    except ImportError as error:
        raise UserError(
            f"{purpose} huggingface_hub, which this Python can't import ({error}): pip install 'emorec[hub]'"
        ) from None
    # not by the environment: albumentations may have imported the library before
    hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    hub.utils.disable_progress_bars()
    return hub


def _status(text: str) -> Status:
    """Return what shows in a terminal that there is something to wait for."""
    return make_console(stderr=True).status(Text(text))


@contextmanager
def _download_errors(address: Address, hub: ModuleType) -> Iterator[None]:
    try:
        yield
    except hub.errors.GatedRepoError:
        raise UserError(
            f"{address} asks for consent: give it at {endpoint()}/{address.repository}, and {LOG_IN}"
        ) from None
    except hub.errors.RepositoryNotFoundError:
        raise UserError(
            f"there is no {address}, or it is private: check the name, and {LOG_IN}"
        ) from None
    except hub.errors.RevisionNotFoundError:
        raise UserError(
            f"{address.repository} has no revision {address.revision}: choose a branch, a tag or a commit of "
            f"{endpoint()}/{address.repository}/commits/main"
        ) from None
    except hub.errors.HFValidationError as error:
        raise UserError(f"{address}: {_reason(error)}") from None
    except Exception as error:  # of httpx, which no other file here knows
        raise UserError(
            f"can't get {address} ({_reason(error)}): try again, or put {WEIGHTS} and {RECORD} of {address.page} into "
            "a folder and name that"
        ) from error


@contextmanager
def _upload_errors(repository: str, hub: ModuleType) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except hub.errors.HFValidationError as error:
        raise UserError(f"{repository}: {_reason(error)}") from None
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        remedy = "try again, or write the files into a folder with --to"
        if status in (401, 403):
            remedy = f"{LOG_IN}, with a token that may write to {repository.partition('/')[0]}"
        raise UserError(f"can't push to {repository} ({_reason(error)}): {remedy}") from error


def _reason(error: BaseException) -> str:
    """Return the first line of what went wrong at first: the library wraps errors of the connection."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].partition(". ")[0].rstrip(".: ")
