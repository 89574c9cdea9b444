"""How often something is tried again, and after how long."""

import logging
import threading

from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry

from emorec.data.download.web import TroubleError
from emorec.errors import UserError

log = logging.getLogger(__name__)

BACKOFF_SECONDS = 1.0
"""Waits are 0, 2, 4, 8, ... times this long, and as random a second longer, up to `LONGEST_BACKOFF_SECONDS`."""

LONGEST_BACKOFF_SECONDS = 60.0

LONGEST_RETRY_AFTER_SECONDS = 600.0
"""Whoever is sent away for longer had better come back than wait."""


class StoppedError(Exception):
    """Another thread wants this one to end."""


class Patience:
    """What is left of the willingness to try one thing again; urllib3's `Retry` decides.

    The waiting is done here and not within urllib3, so that it is told and can be stopped, and so that a line that
    breaks in the middle of a file counts like one that was never there.

    Args:
        what: What is tried, as messages name it.
        tries: How often in a row.
        stop: Ends every wait when set.
    """

    def __init__(self, what: str, *, tries: int, stop: threading.Event | None = None) -> None:
        self._what = what
        self._tries = tries
        self._stop = stop or threading.Event()
        self._fresh = Retry(
            total=tries - 1,
            backoff_factor=BACKOFF_SECONDS,
            backoff_jitter=min(1.0, BACKOFF_SECONDS),
            backoff_max=LONGEST_BACKOFF_SECONDS,
        )
        self._left = self._fresh

    def renew(self) -> None:
        """Forgets what went wrong: something was gained since."""
        self._left = self._fresh

    def check_stopped(self) -> None:
        """Ends what is to be stopped.

        Raises:
            StoppedError: When it is.
        """
        if self._stop.is_set():
            raise StoppedError

    def wait(self, trouble: TroubleError) -> None:
        """Returns when it is time to try again.

        Raises:
            UserError: When it has been tried often enough, or the server asks to wait very long.
            StoppedError: When there is no use in waiting any more.
        """
        try:
            self._left = self._left.increment("GET", "")
        except MaxRetryError:
            raise UserError(
                f"can't get {self._what}: {trouble} (tried {self._tries} times; try again later)"
            ) from trouble
        seconds = self._asked_for(trouble) or self._left.get_backoff_time()
        if seconds > LONGEST_RETRY_AFTER_SECONDS:
            raise UserError(
                f"can't get {self._what}: {trouble} and asks to wait {seconds / 60:.0f} minutes: try again then"
            ) from trouble
        soon = f" in {seconds:.0f} s" if seconds >= 1 else ""
        log.warning("%s: %s; trying again%s", self._what, trouble, soon)
        if self._stop.wait(seconds):
            raise StoppedError

    def _asked_for(self, trouble: TroubleError) -> float | None:
        try:
            return (
                self._fresh.parse_retry_after(trouble.retry_after) if trouble.retry_after else None
            )
        except HTTPError:  # neither seconds nor a date
            return None
