"""Unpacking a zip file that nobody has to trust.

Nothing is written but the members asked for, each to the place that the caller names, so no name in an archive decides
where anything lands. An archive with a member that tries to is refused whole all the same: it is not what it should be.
"""

import errno
import re
import stat
import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from emorec.data.download.disk import disk_errors, remember_names
from emorec.errors import UserError
from emorec.files import whole_file

CHUNK_BYTES = 1 << 20

_DAMAGED = (
    *(BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, UnicodeError, OverflowError),
)
"""What zipfile raises about files that are none, or that were changed."""

_ENCRYPTED = 0x1
_LEAVES_FOLDER = re.compile(r"^/|\\|^[A-Za-z]:|(^|/)\.\.(/|$)|[\x00-\x1f\x7f]")
_LITTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}
"""Left by the systems that people pack on, like all that starts with a dot."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may be at most.

    Attributes:
        member_bytes: Of one member when unpacked.
        total_bytes: Of all members when unpacked.
    """

    member_bytes: int
    total_bytes: int


def contents(path: Path, names: Collection[str], limits: Limits) -> dict[str, int]:
    """The files in an archive, in whatever folders it has them, and the bytes of each when unpacked.

    Args:
        path: A zip file.
        names: File names that may be in it.
        limits: What is too much.

    Raises:
        UserError: When it can't be read or is damaged, or a member is not what it should be.
    """
    with _opened(path) as archive:
        return {name: info.file_size for name, info in _members(archive, names, limits).items()}


def unpack(
    path: Path,
    targets: Mapping[str, Path],
    names: Collection[str],
    limits: Limits,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Writes files of an archive; each takes its name only when it is whole and its checksum right.

    Args:
        path: A zip file.
        targets: File name -> where it is written; folders are made when missing.
        names: File names that may be in it.
        limits: What is too much.
        progress: Called with the bytes of each piece as it is written; may raise so as to end the unpacking.

    Raises:
        UserError: When the archive can't be read, is damaged, lacks one of the files or holds what it should not, or
            when a file can't be written.
    """
    with _opened(path) as archive:
        members = _members(archive, names, limits)
        if missing := [name for name in targets if name not in members]:
            raise UserError(
                f"{path} lacks {len(missing)} of {len(targets)} files, such as {missing[0]}"
            )
        for name, target in targets.items():
            with disk_errors(target), whole_file(target) as file:
                for piece in _pieces(archive, members[name]):
                    file.write(piece)
                    if progress is not None:
                        progress(len(piece))
    for folder in {target.parent for target in targets.values()}:
        remember_names(folder)


@contextmanager
def _opened(path: Path) -> Iterator[ZipFile]:
    try:
        with ZipFile(path) as archive:
            yield archive
    except _DAMAGED as error:
        raise _damage(path, error) from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # it points to before its own beginning
            raise _damage(path, error) from error
        with disk_errors(path):
            raise


def _damage(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"{path} is damaged ({reason}): delete it and download it again")


def _members(archive: ZipFile, names: Collection[str], limits: Limits) -> dict[str, ZipInfo]:
    members: dict[str, ZipInfo] = {}
    for info in archive.infolist():
        place = PurePosixPath(info.filename)
        reason = _unsafe(info)
        if not reason and (info.filename.endswith("/") or _is_litter(place)):
            continue
        reason = reason or _unfit(info, place.name, names, limits)
        if not reason and place.name in members:
            reason = f"is there twice, also as {members[place.name].filename}"
        if reason:
            raise UserError(
                f"{archive.filename} is refused: its member {info.orig_filename!r} {reason}; "
                "download it again from where it is published"
            )
        members[place.name] = info
    total = sum(info.file_size for info in members.values())
    if total > limits.total_bytes:
        raise UserError(
            f"{archive.filename} is refused: it would unpack to {total:,} bytes, "
            f"and {limits.total_bytes:,} are more than it can be"
        )
    return members


def _unsafe(info: ZipInfo) -> str | None:
    """What is wrong with a member, whatever it is called."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if _LEAVES_FOLDER.search(info.orig_filename):
        return "would leave the folder"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link" if kind == stat.S_IFLNK else "is no file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return f"is packed in an unusual way ({info.compress_type})"
    return None


def _unfit(info: ZipInfo, name: str, names: Collection[str], limits: Limits) -> str | None:
    """What is wrong with a file of the archive."""
    if name not in names:
        return "does not belong there"
    if info.file_size > limits.member_bytes:
        return (
            f"has {info.file_size:,} bytes, and {limits.member_bytes:,} are more than it can have"
        )
    return None


def _is_litter(place: PurePosixPath) -> bool:
    """Whether a member is none of the packer's intention.

    >>> _is_litter(PurePosixPath("__MACOSX/Actor_01/._a.mp4")), _is_litter(PurePosixPath("Actor_01/a.mp4"))
    (True, False)
    """
    return place.name.startswith(".") or not _LITTER.isdisjoint(place.parts)


def _pieces(archive: ZipFile, info: ZipInfo) -> Iterator[bytes]:
    """The content of a member, as long as it is no longer than it says."""
    left = info.file_size
    with archive.open(info) as member:
        while piece := member.read(CHUNK_BYTES):  # checks the CRC at the end
            left -= len(piece)
            if left < 0:
                raise BadZipFile(f"{info.filename} is longer than it says")
            yield piece
    if left:
        raise BadZipFile(f"{info.filename} is shorter than it says")
