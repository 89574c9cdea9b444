"""Whether an mp4 file is all there, without decoding it.

Source: ISO/IEC 14496-12, section 4.2: a file is a row of boxes, each starting with its length and its type.
"""

import struct
from pathlib import Path

_NEEDED = {b"ftyp": "type", b"moov": "index", b"mdat": "pictures"}


def what_is_missing(path: Path) -> str | None:
    """What an mp4 file lacks, such as its end; `None` when it has what a clip needs and nothing is cut off.

    Raises:
        OSError: When it can't be read.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "clip.mp4")
    >>> _ = path.write_bytes(b"".join(struct.pack(">I4s8x", 16, kind) for kind in _NEEDED))
    >>> what_is_missing(path)
    >>> _ = path.write_bytes(path.read_bytes()[:-1])
    >>> what_is_missing(path)
    'its end'
    """
    size = path.stat().st_size
    found: set[bytes] = set()
    place = 0
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            header = file.read(16).ljust(16, b"\0")
            length, kind, long_length = struct.unpack(">I4sQ", header)
            if length == 1:
                length = long_length
            elif length == 0:  # to the end of the file
                length = size - place
            if not found and kind != b"ftyp":
                return "the beginning of an mp4"
            if length < 8:
                return f"a box at byte {place:,}"
            found.add(kind)
            place += length
    lacking = [_NEEDED[kind] for kind in _NEEDED if kind not in found]
    if place != size:
        return "its end"
    return f"its {lacking[0]}" if lacking else None
