"""What is unpacked is whole, lies where it should, and comes from an archive without a bad member."""

import io
import random
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from emorec.data.download.archive import Limits, contents, unpack
from emorec.errors import UserError
from tests.zenodo_server import tree, zipped

NAMES = {"a.mp4", "b.mp4"}
LIMITS = Limits(member_bytes=10_000, total_bytes=15_000)
A, B = random.Random(0).randbytes(5000), b"b" * 300

CENTRAL = b"PK\x01\x02"
"""How the entry of a member in the list at the end of a zip file starts."""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes an archive from its members, or from the bytes it is to have."""

    def written(*members: tuple[str | zipfile.ZipInfo, bytes] | bytes) -> Path:
        path = tmp_path / "a.zip"
        if members and isinstance(members[0], bytes):
            path.write_bytes(members[0])
            return path
        with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as file:
            warnings.simplefilter("ignore", UserWarning)  # of doubled names
            for name, content in members:
                file.writestr(name, content)
        return path

    return written


def out_of(path: Path, *names: str) -> dict[str, bytes]:
    """What lies beside the archive when some of it was unpacked."""
    folder = path.parent / "to"
    try:
        unpack(path, {name: folder / name for name in names}, NAMES, LIMITS)
    finally:
        left = {name: content for name, content in tree(path.parent).items() if name != "a.zip"}
        assert {f"to/{name}" for name in NAMES} >= set(left), "something else was written"
    return left


def refused(path: Path, *names: str) -> str:
    """The line about an archive that is refused; nothing of it was unpacked, half or whole."""
    with pytest.raises(UserError) as error:
        out_of(path, *(names or ("a.mp4",)))
    assert list(tree(path.parent)) == ["a.zip"]
    assert str(path) in str(error.value)
    return str(error.value)


def entry(content: bytes, field: int, value: bytes, member: int = 0) -> bytes:
    """A zip file in whose list one field of a member is changed."""
    place = [i for i in range(len(content)) if content.startswith(CENTRAL, i)][member] + field
    return content[:place] + value + content[place + len(value) :]


def info(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


def test_the_files_asked_for_are_unpacked_wherever_the_archive_has_them(
    write: Callable[..., Path],
) -> None:
    path = write(("Actor_01/", b""), ("Actor_01/a.mp4", A), ("deep/er/b.mp4", B))
    assert contents(path, NAMES, LIMITS) == {"a.mp4": len(A), "b.mp4": len(B)}
    assert out_of(path, "b.mp4") == {"to/b.mp4": B}
    assert out_of(path, "a.mp4", "b.mp4") == {"to/a.mp4": A, "to/b.mp4": B}


def test_what_operating_systems_leave_in_archives_is_passed_over(
    write: Callable[..., Path],
) -> None:
    path = write(
        ("a.mp4", A),
        ("__MACOSX/._a.mp4", b"x"),
        ("__MACOSX/Actor_01/._a.mp4", b"x"),
        (".DS_Store", b"x"),
        ("Actor_01/.DS_Store", b"x"),
        ("Thumbs.db", b"x"),
        ("Actor_01/desktop.ini", b"x"),
    )
    assert out_of(path, "a.mp4") == {"to/a.mp4": A}


@pytest.mark.parametrize(
    "name",
    [
        "/a.mp4",
        "/etc/a.mp4",
        "../a.mp4",
        "Actor_01/../../a.mp4",
        "Actor_01/..",
        "C:/a.mp4",
        "c:a.mp4",
        "..\\a.mp4",
        "Actor_01\\a.mp4",
        "\\\\host\\share\\a.mp4",
        "a.mp4\x1b[2J",
        "../.DS_Store",
        "/__MACOSX/a",
        "../",
    ],
)
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_member_that_would_leave_the_folder_is_refused_and_all_the_archive_with_it(
    write: Callable[..., Path], name: str, place: str
) -> None:
    members = [(name, b"x"), ("b.mp4", B)]
    said = refused(write(*(members if place == "first" else members[::-1])), "b.mp4")
    assert f"its member {name!r} would leave the folder; download it again" in said


def test_a_name_with_a_hidden_end_is_refused(write: Callable[..., Path]) -> None:
    content = zipped([("a.mp4_.exe", A)]).replace(b"a.mp4_.exe", b"a.mp4\0.exe")
    assert "would leave the folder" in refused(write(content))


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (stat.S_IFLNK | 0o777, "is a link"),
        (stat.S_IFBLK | 0o644, "is no file"),
        (stat.S_IFCHR | 0o644, "is no file"),
        (stat.S_IFIFO | 0o644, "is no file"),
        (stat.S_IFSOCK | 0o644, "is no file"),
    ],
)
def test_what_is_neither_a_file_nor_a_folder_is_refused(
    write: Callable[..., Path], mode: int, reason: str
) -> None:
    assert reason in refused(write((info("a.mp4", mode), b"/etc/passwd"), ("b.mp4", B)), "b.mp4")


def test_an_encrypted_member_is_refused(write: Callable[..., Path]) -> None:
    content = entry(zipped([("a.mp4", A)]), 8, struct.pack("<H", 1))
    assert "'a.mp4' is encrypted" in refused(write(content))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 99])
def test_an_unusual_packing_is_refused(write: Callable[..., Path], method: int) -> None:
    content = entry(zipped([("a.mp4", A)]), 10, struct.pack("<H", method))
    assert f"is packed in an unusual way ({method})" in refused(write(content))


@pytest.mark.parametrize("second", ["a.mp4", "elsewhere/a.mp4"])
def test_a_file_that_is_there_twice_is_refused(write: Callable[..., Path], second: str) -> None:
    said = refused(write(("a.mp4", A), (second, b"other")))
    assert f"{second!r} is there twice, also as a.mp4" in said


@pytest.mark.parametrize("name", ["c.mp4", "a.mp4.exe", "README.txt", "a.MP4", "x/a.wav"])
def test_a_file_that_does_not_belong_there_is_refused(
    write: Callable[..., Path], name: str
) -> None:
    assert f"{name!r} does not belong there" in refused(write(("a.mp4", A), (name, b"x")))


def test_a_member_that_is_too_large_is_refused_before_it_is_unpacked(
    write: Callable[..., Path],
) -> None:
    said = refused(write(zipped([("a.mp4", bytes(10_001))])))
    assert "'a.mp4' has 10,001 bytes, and 10,000 are more than it can have" in said


def test_members_that_are_too_large_together_are_refused(write: Callable[..., Path]) -> None:
    said = refused(write(zipped([("a.mp4", bytes(9000)), ("b.mp4", bytes(9000))])))
    assert "would unpack to 18,000 bytes, and 15,000 are more than it can be" in said


@pytest.mark.parametrize("size", [len(A) - 1, 0, len(A) + 1, 9999])
def test_a_member_that_is_longer_or_shorter_than_it_says_is_damaged(
    write: Callable[..., Path], size: int
) -> None:
    content = entry(zipped([("a.mp4", A)]), 24, struct.pack("<I", size))
    assert "is damaged" in refused(write(content))


def test_a_wrong_byte_is_found(write: Callable[..., Path]) -> None:
    path = write(("a.mp4", A), ("b.mp4", B))
    content = path.read_bytes()
    path.write_bytes(content.replace(A[2000:2100], bytes(100)))
    said = refused(path)
    assert "is damaged (Bad CRC-32 for file 'a.mp4'): delete it and download it again" in said
    assert out_of(path, "b.mp4") == {"to/b.mp4": B}


@pytest.mark.parametrize("content", [b"", b"no zip", bytes(5000), b"PK\x05\x06" + bytes(17)])
def test_what_is_no_zip_is_damaged(write: Callable[..., Path], content: bytes) -> None:
    assert "is damaged" in refused(write(content))


@pytest.mark.parametrize("percent", [1, 50, 90, 99])
def test_half_a_zip_is_damaged(write: Callable[..., Path], percent: int) -> None:
    content = zipped([("a.mp4", A), ("b.mp4", B)])
    assert "is damaged" in refused(write(content[: len(content) * percent // 100]))


def test_a_file_that_the_archive_lacks_is_named_and_the_others_stay_packed(
    write: Callable[..., Path],
) -> None:
    said = refused(write(("a.mp4", A)), "a.mp4", "b.mp4")
    assert "lacks 1 of 2 files, such as b.mp4" in said


def test_an_archive_that_cant_be_read_is_said(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.zip", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UserError, match=f"can't use .*: {reason}"):
            unpack(path, {}, NAMES, LIMITS)


def test_what_is_stopped_in_the_middle_leaves_nothing_half_written(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    path = write(("a.mp4", A))
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "a.mp4").touch()
    with pytest.raises(KeyboardInterrupt):
        unpack(path, {"a.mp4": tmp_path / "to" / "a.mp4"}, NAMES, LIMITS, stop)
    assert tree(tmp_path / "to") == {"a.mp4": b""}


def test_progress_counts_what_was_written(write: Callable[..., Path], tmp_path: Path) -> None:
    written: list[int] = []
    path = write(("a.mp4", A), ("b.mp4", B))
    unpack(path, {name: tmp_path / name for name in NAMES}, NAMES, LIMITS, written.append)
    assert sum(written) == len(A) + len(B)


def test_a_place_that_cant_be_written_is_said(write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "to").touch()
    with pytest.raises(UserError, match=r"can't use .*to"):
        unpack(write(("a.mp4", A)), {"a.mp4": tmp_path / "to" / "a.mp4"}, NAMES, LIMITS)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_changed_in_a_zip_gives_the_right_files_or_one_line(
    write: Callable[..., Path], seed: int
) -> None:
    right = zipped([("Actor_01/", b""), ("Actor_01/a.mp4", A[:200]), ("Actor_01/b.mp4", B)])
    draw = random.Random(seed)
    lines = []
    for _ in range(150):
        content = bytearray(right)
        for _ in range(draw.choice((1, 1, 3, 10))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path = write(bytes(content))
        try:
            found = out_of(path, "a.mp4", "b.mp4")
        except UserError as error:
            lines.append(str(error))
        else:
            assert found == {"to/a.mp4": A[:200], "to/b.mp4": B}
        for name in NAMES:
            (path.parent / "to" / name).unlink(missing_ok=True)
    assert 0 < len(lines) < 150
    assert not [line for line in lines if "\n" in line]


def test_a_bomb_of_members_that_share_their_bytes_is_refused(write: Callable[..., Path]) -> None:
    content = zipped([("a.mp4", A), ("b.mp4", B)])
    # the second entry of the list points to the bytes of the first
    assert "is damaged" in refused(write(entry(content, 42, struct.pack("<I", 0), 1)), "b.mp4")


def test_zip64_is_no_trouble(write: Callable[..., Path]) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file, file.open("a.mp4", "w", force_zip64=True) as member:
        member.write(A)
    assert out_of(write(stream.getvalue()), "a.mp4") == {"to/a.mp4": A}
