"""Archives of four actors, and what comes out of them."""

from collections.abc import Callable

from emorec.data.download.ravdess_archives import RavdessArchive, archives_of
from tests.zenodo_server import (
    clip_content,
    ravdess_zip,
)

NO_FRAMES = ("--cache", "none")
"""The clips of these archives are bytes that no decoder takes; see test_prepare_frames for those that are videos."""


FIRST = RavdessArchive(1, "speech").name


ARCHIVES = {archive.name: ravdess_zip(archive) for archive in archives_of(range(1, 5), "both")}


def clips(actors: range, channel: str = "speech", modality: str = "av") -> dict[str, bytes]:
    """What lies in the root in the end."""
    return {
        f"Actor_{name.actor:02d}/{name}.mp4": clip_content(str(name))
        for archive in archives_of(actors, channel)
        for name in archive.clips(modality)
    }


Said = Callable[..., str]
