"""Cells become clips; what can't be used, repeats or contradicts is told with its line."""

import math
from pathlib import Path
from typing import Any

import pytest

from emorec.data.csv_file import Sheet
from emorec.data.csv_rows import Columns, Row, Rows, read_rows
from emorec.errors import UserError


def rows(text: str, *, skip: bool = False, **more: Any) -> Rows:
    (_, *head), *lines = ((number, *line.split(",")) for number, line in enumerate(text.split(), 1))
    full = tuple((line, tuple(cells)) for line, *cells in lines)
    columns = more.pop("columns", Columns())
    separator = more.pop("separator", ",")
    sheet = Sheet(Path("clips.csv"), tuple(head), full, more.pop("encoding", "utf-8"), separator)
    return read_rows(sheet, columns, skip=skip, **more)


def test_a_row_holds_what_its_cells_say() -> None:
    (row, other) = rows(
        "split,end,path,group,label,start VAL,2.5,x\\..\\a.mp4,ann,sad,0.5 Train,,b.mp4,bo,happy,1"
    ).used
    assert row == Row(
        line=2, path="a.mp4", label="sad", group="ann", side="val", span_seconds=(0.5, 2.5)
    )
    assert (other.side, other.span_seconds) == ("train", (1.0, math.inf))


@pytest.mark.parametrize(
    ("word", "side"),
    [
        *((word, "train") for word in ("train", "Training")),
        *((word, "val") for word in ("val", "valid", "Validation", "DEV", "development")),
        *((word, "test") for word in ("test", "Testing")),
    ],
)
def test_sides_go_by_their_usual_names(word: str, side: str) -> None:
    assert rows(f"path,label,split a,x,{word}").used[0].side == side


def test_a_file_without_people_makes_every_video_one() -> None:
    found = rows("path,label,start,end a.mp4,x,0,1 a.mp4,y,1,2 b.mp4,y,,")
    assert [row.group for row in found.used] == ["a.mp4", "a.mp4", "b.mp4"]
    assert (found.has_groups, found.has_sides, found.has_labels) == (False, False, True)


def test_other_names_of_columns_are_obeyed_and_none_leaves_one_out() -> None:
    text = "file_name,emotion,person,split a,sad,ann,train b,sad,bo,oops"
    columns = Columns("file_name", "emotion", "person", "none")
    found = rows(text, columns=columns)
    assert [(row.path, row.label, row.group, row.side) for row in found.used] == [
        ("a", "sad", "ann", None),
        ("b", "sad", "bo", None),
    ]
    assert not rows(text, columns=Columns("file_name", "emotion", "none", "none")).has_groups


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (Columns(), "clips.csv has no column label, but path, emotion: name it with --data.label_"),
        (Columns("file", "emotion"), "no column file, but path, emotion: .* --data.path_column$"),
        (Columns(label="emotion", group="who"), "no column who, .* --data.group_column, or none"),
    ],
)
def test_a_missing_column_is_told_with_those_that_are_there(columns: Columns, said: str) -> None:
    with pytest.raises(UserError, match=said):
        rows("path,emotion a,b", columns=columns)


def test_labels_may_be_missing_where_the_classes_are_known() -> None:
    found = rows("path a b", labels=["x", "y"])
    assert ([row.label for row in found.used], found.has_labels) == (["", ""], False)


WRONG = (
    "path,label,group,split,start,end "
    "a,x,p,train,, ,x,p,train,, b,x,,train,, c,x,p,holdout,, d,x,p,,, "
    "e,x,p,val,2,2 f,x,p,val,a,2 g,x,p,val,-1,2 h,x,p,val,nan,2 ok,x,p,val,1,2"
)


def test_rows_that_cannot_be_used_are_told_all_in_one_go() -> None:
    with pytest.raises(UserError) as refused:
        rows(WRONG)
    assert str(refused.value) == (
        "clips.csv: 8 of 10 rows can't be used: line 3 (no path); "
        "line 4 (nobody named in the column of people); "
        "line 5 (its side is holdout, not train, val or test); "
        "line 6 (its side is empty, not train, val or test); "
        "line 7 (start 2 is not before end 2); line 8 (start is a, not a number of seconds); "
        "line 9 (start is -1: seconds count from 0); line 10 (start is nan: seconds count from 0); "
        "mend them or leave them out with --data.on_error skip"
    )


def test_rows_that_cannot_be_used_can_be_left_out_with_a_remark() -> None:
    found = rows(WRONG, skip=True)
    assert [row.path for row in found.used] == ["a", "ok"]
    assert found.remarks[0].endswith("they were left out")
    with pytest.raises(UserError, match=r"1 of 1 rows can't be used: .*; mend them$"):
        rows("path,label ,x", skip=True)


def test_seconds_may_have_a_comma_where_the_cells_have_another_separator() -> None:
    sheet = Sheet(
        Path("a.csv"), ("path", "label", "end"), ((2, ("a", "x", "1,5")),), "latin-1", ";"
    )
    found = read_rows(sheet, Columns(), skip=False)
    assert found.used[0].span_seconds == (0.0, 1.5)
    assert found.remarks == ("a.csv is neither UTF-8 nor UTF-16 and was read as Latin-1",)


def test_a_row_that_stands_twice_counts_once_but_another_span_is_another_clip() -> None:
    found = rows("path,label,start,end a,x,0,1 ./a,x,0,1 a,x,1,2 a,x,0,1")
    assert [row.line for row in found.used] == [2, 4]
    assert found.remarks == (
        "clips.csv: rows that repeat others count once: line 3 (as line 2); line 5 (as line 2)",
    )


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("a,sad,ann,train", "line 3 (a is sad, and in line 2 happy)"),
        ("a,happy,bo,train", "line 3 (a is bo, and in line 2 ann)"),
        ("a,happy,ann,test", "line 3 (a is test, and in line 2 train)"),
        ("a,,ann,train", "line 3 (a is empty, and in line 2 happy)"),
    ],
)
def test_rows_that_contradict_each_other_are_refused(second: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        rows(f"path,label,group,split a,happy,ann,train {second}", skip=True)
    assert said in str(refused.value)


def test_people_and_classes_that_differ_in_case_alone_are_the_same() -> None:
    found = rows("path,label,group a,Sad,j b,sad,J c,SAD,k", labels=["sad", "happy"])
    assert [(row.label, row.group) for row in found.used] == [
        ("sad", "j"),
        ("sad", "j"),
        ("sad", "k"),
    ]
    assert found.remarks == (
        "taken for the same group: j and J",
        "taken for the same label: sad and Sad; sad and SAD",
    )
