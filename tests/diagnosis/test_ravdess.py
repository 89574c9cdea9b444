import pytest

from emorec.diagnosis.ravdess import CLIPS_PER_KIND, look_at_ravdess


@pytest.fixture
def folder(tmp_path):
    for name in (
        "01-01-03-01-01-01-01.mp4",
        "02-01-03-01-01-01-01.mp4",
        "01-02-03-01-01-01-02.mp4",
        "01-01-03-01-01-01-04.mp4",
        "notes.txt",
    ):
        (tmp_path / name).touch()
    return tmp_path


def test_clips_are_counted_by_kind_and_missing_actors_named(folder):
    found = [value for _, value in look_at_ravdess(str(folder)).rows]
    assert found == [
        f"4 clips in {folder}",
        "song with sound: 1 of 1,012",
        "speech with sound: 2 of 1,440",
        "speech without sound: 1 of 1,440",
        "actors 1-2, 4",
        "missing actors 3, 5-24",
        "1 other files, such as notes.txt: not seven two-digit fields joined by '-'",
    ]


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_named_folder_without_clips_is_a_failure(tmp_path, name):
    root = str(tmp_path / name)
    (failure,) = look_at_ravdess(root).failures
    assert str(tmp_path) in failure


def test_nothing_is_wrong_where_nobody_named_a_folder():
    findings = look_at_ravdess(None)
    assert not findings.failures
    assert "--data_root" in findings.rows[0][1]


@pytest.mark.real
def test_the_real_clips_are_no_more_than_ravdess_has(ravdess_root):
    rows = look_at_ravdess(str(ravdess_root)).rows
    speech = next(value for _, value in rows if value.startswith("speech with sound"))
    count, _, total = speech.removeprefix("speech with sound: ").partition(" of ")
    assert (
        0 < int(count.replace(",", "")) <= int(total.replace(",", "")) == CLIPS_PER_KIND["speech"]
    )
