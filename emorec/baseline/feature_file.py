"""The features of clips on disk, beside the frames that they were made of."""

import logging
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from emorec.baseline.pooling import Floats
from emorec.data.cache.store import file_digests
from emorec.data.clip import Clip
from emorec.data.preprocessing import FrameSpec
from emorec.files import whole_file

log = logging.getLogger(__name__)

PATIENT_SECONDS = 2.0
"""Until it says that it waits for another process."""


class FeatureFile:
    """Features by the keys of clips, in one file that is written anew when there are more.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Floats]:
        """Clip key -> (D,) features; nothing where there is no file or it is damaged, for they can be made again."""
        try:
            with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return dict(zip(file["clips"].tolist(), file["features"], strict=True))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            log.warning("features in %s can't be read, they are made anew: %s", self.path, error)
            return {}

    def write(self, features: Mapping[str, Floats]) -> None:
        """Replaces the file; where it can't be written that is told, and the work goes on."""
        try:
            with whole_file(self.path) as file:
                np.savez(
                    file, clips=np.array(list(features)), features=np.stack([*features.values()])
                )
        except OSError as error:
            log.warning("features are not kept: can't write %s: %s", self.path, error.strerror)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds off other processes that would make the same features.

        Where no lock can be made nothing can be kept either: nobody is held off.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path.with_suffix(".lock"))
            try:
                held = lock.acquire(timeout=PATIENT_SECONDS)
            except Timeout:
                log.warning("another process makes %s: waiting for it", self.path)
                held = lock.acquire()
        except OSError:
            yield
            return
        with held:
            yield


def clip_keys(folder: Path, clips: Sequence[Clip]) -> list[str]:
    """The names of clips by the content of their files, which the cache in a folder knows of most."""
    digests = file_digests(folder, {clip.path for clip in clips})
    return [FrameSpec.key(clip, digests[clip.path]) for clip in clips]
