from emorec.diagnosis.csv_clips import is_csv, look_at_csv


def test_clips_classes_and_people_are_counted_and_missing_videos_named(tmp_path):
    (tmp_path / "a.mp4").touch()
    path = tmp_path / "clips.csv"
    path.write_text("path;label;group\na.mp4;sad;ann\nb.mp4;happy;bo\nb.mp4;happy;bo\n")
    found = look_at_csv(str(tmp_path))
    assert [value for _, value in found.rows] == [
        f"2 in {path} (utf-8, separated by ';')",
        "classes happy 1, sad 1",
        "people 2",
    ]
    assert found.warnings == [f"{path}: duplicate rows were left out: line 4 (as line 3)"]
    assert found.failures == [f"1 of 2 videos are not there: {tmp_path / 'b.mp4'}"]


def test_hacer_is_known_by_its_columns(hacer_clips):
    found = look_at_csv(str(hacer_clips))
    assert found.rows[1][1] == "classes angry 10, disgust 10, happy 10, neutral 10, sad 10"
    assert not found.failures


def test_who_lacks_hacer_is_told_where_it_is(tmp_path):
    path = str(tmp_path / "HACER_dataset.csv")
    assert is_csv(path)
    (failure,) = look_at_csv(path).failures
    assert failure.endswith("unpack HACER_dataset.csv with the folder HACER beside it")
    assert not is_csv(str(tmp_path))
