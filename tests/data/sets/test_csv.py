"""CSV files of clips: reading, parsing, and splitting by person."""

import math
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from emorec.data.sets.csv.parser import (
    ClipTable,
    Columns,
    Row,
    class_indices,
    infer_class_names,
    locate_videos,
    parse_rows,
)
from emorec.data.sets.csv.split import (
    make_folds,
    rare_class_warning,
    select_share,
    split_by_column,
    split_by_fold,
    split_by_share,
)
from emorec.data.sets.csv.table import find_csv, read_table
from emorec.data.split import SUBSETS, Split
from emorec.errors import UserError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes `clips.csv`."""

    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "clips.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.fixture
def parse(write: Write) -> Callable[..., ClipTable]:
    def parse(rows: str, *, encoding: str = "utf-8", **arguments: Any) -> ClipTable:
        path = write(rows.replace(" ", "\n"), encoding)
        columns = arguments.pop("columns", Columns())
        settings = {"skip_invalid": False, **arguments}
        return parse_rows(read_table(path, columns.names), columns, **settings)

    return parse


# Reading


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_every_encoding_delimiter_and_line_break_gives_the_same_rows(
    encoding: str, delimiter: str, line_break: str, write: Write
) -> None:
    lines = (("path", "label"), ("Zoë/1.mp4", "happy"), ('"a, b.mp4"', "sad"))
    text = line_break.join(delimiter.join(cells) for cells in lines) + line_break
    table = read_table(write(text, encoding), ["path", "label"])
    assert (table.encoding, table.delimiter) == (encoding, delimiter)
    assert table.columns == ("path", "label")
    assert table.rows == (
        (2, {"path": "Zoë/1.mp4", "label": "happy"}),
        (3, {"path": "a, b.mp4", "label": "sad"}),
    )


def test_a_byte_order_mark_identifies_big_endian_utf_16(write: Write) -> None:
    table = read_table(write("\ufeffpath\nZoë.mp4\n", "utf-16-be"))
    assert table.rows == ((2, {"path": "Zoë.mp4"}),)


def test_spaces_and_empty_lines_are_ignored_and_missing_cells_are_empty(write: Write) -> None:
    table = read_table(
        write('\n path , LABEL,group\n\n a.mp4, "sad, very"\n,,\nb.mp4,,bo\n'), ["path"]
    )
    assert table.has_column("Label")
    assert not table.has_column("split")
    assert table.rows == (
        (4, {"path": "a.mp4", "label": "sad, very", "group": ""}),
        (6, {"path": "b.mp4", "label": "", "group": "bo"}),
    )


def test_the_delimiter_line_of_excel_is_used(write: Write) -> None:
    table = read_table(write("sep=;\r\npath;label\r\na,b;c\r\n"))
    assert table.rows == ((3, {"path": "a,b", "label": "c"}),)


def test_a_folder_is_replaced_by_its_only_table(tmp_path: Path, write: Write) -> None:
    with pytest.raises(UserError, match="no CSV file in"):
        find_csv(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".hidden.csv").write_text("")
    path = write("")
    assert find_csv(tmp_path) == find_csv(path) == path
    (tmp_path / "other.CSV").write_text("")
    with pytest.raises(UserError, match=r"2 .csv files \(clips.csv, other.CSV\): name one"):
        find_csv(tmp_path)
    with pytest.raises(UserError, match=r"no such file: .*missing"):
        find_csv(tmp_path / "missing")


# Rows


def test_a_row_contains_the_values_of_its_cells(parse: Callable[..., ClipTable]) -> None:
    row, second_row = parse(
        "split,end,path,group,label,start VAL,2.5,x\\..\\a.mp4,ann,sad,0.5 Train,,b.mp4,bo,happy,1"
    ).rows
    assert row == Row(
        line=2, path="a.mp4", label="sad", group="ann", subset="val", span_seconds=(0.5, 2.5)
    )
    assert (second_row.subset, second_row.span_seconds) == ("train", (1.0, math.inf))


@pytest.mark.parametrize(
    ("subset", "names"),
    [
        ("train", ("train", "Training")),
        ("val", ("val", "valid", "Validation", "DEV", "development")),
        ("test", ("test", "Testing")),
    ],
)
def test_subsets_may_have_any_common_name(
    subset: str, names: tuple[str, ...], parse: Callable[..., ClipTable]
) -> None:
    for name in names:
        assert parse(f"path,label,split a,x,{name}").rows[0].subset == subset


def test_without_a_column_of_people_each_video_is_a_person(
    parse: Callable[..., ClipTable],
) -> None:
    table = parse("path,label,start,end a.mp4,x,0,1 a.mp4,y,1,2 b.mp4,y,,")
    assert [row.group for row in table.rows] == ["a.mp4", "a.mp4", "b.mp4"]
    assert not table.has_groups
    assert not table.has_subsets


def test_columns_can_be_renamed_or_ignored(
    parse: Callable[..., ClipTable],
) -> None:
    text = "file_name,emotion,person,split a,sad,ann,train b,sad,bo,oops"
    table = parse(text, columns=Columns("file_name", "emotion", "person", "none"))
    assert [(row.path, row.label, row.group, row.subset) for row in table.rows] == [
        ("a", "sad", "ann", None),
        ("b", "sad", "bo", None),
    ]
    assert not parse(text, columns=Columns("file_name", "emotion", "none", "none")).has_groups


def test_labels_may_be_missing_if_the_classes_are_known(parse: Callable[..., ClipTable]) -> None:
    assert [row.label for row in parse("path a b", class_names=["x", "y"]).rows] == ["", ""]


FIRST_ROW = "path,label,group,split a,happy,ann,train"


@pytest.mark.parametrize(
    ("text", "columns", "value", "remedy"),
    [
        ("", Columns(), "is empty", "its first line names the columns"),
        ("  ", Columns(), "is empty", "its first line names the columns"),
        (",,", Columns(), "only empty cells", "its first line names the columns"),
        ("path,label", Columns(), "column names but no row", "add a row"),
        ("path,label,Path a,b,c", Columns(), "2 columns path", "rename one"),
        ("path,label a,b c,d,e", Columns(), "line 3 has 3 cells for 2 columns", "quote cells"),
        ('path,label a,"b', Columns(), "line 2 can't be read", "unexpected end"),
        ("path\0,label", Columns(), "is not a text file", "save the table as CSV"),
        ("v/a.MP4,x,x v/b.mp4,y,x", Columns(), "no header, .* clip v/a.MP4", "a line above it"),
        ("#R path,label a,x", Columns(), "begins with a comment, '#R'", "remove the lines"),
        ("#path,label a,x", Columns(), "begins with a comment, '#path'", "names the columns"),
        ("path,label a,x #new b,y", Columns(), "line 3 is a comment, '#new'", "remove the lines"),
        (
            "path,emotion a,b",
            Columns(),
            "no column label, but path, emotion",
            "label_column, or none",
        ),
        ("path,emotion a,b", Columns("file", "emotion"), "no column file", "--data.path_column"),
        ("path,x a,b", Columns(label="x", group="who"), "no column who", "group_column, or none"),
        (f"{FIRST_ROW} a,sad,ann,train", Columns(), "a is sad, but happy in line 2", "keep one"),
        (f"{FIRST_ROW} a,happy,bo,train", Columns(), "a is bo, but ann in line 2", "keep one"),
        (f"{FIRST_ROW} a,happy,ann,test", Columns(), "a is test, but train in line 2", "keep one"),
        (f"{FIRST_ROW} a,,ann,train", Columns(), "a is empty, but happy in line 2", "keep one"),
    ],
)
def test_a_mistake_in_the_file_is_refused_in_one_line(
    text: str, columns: Columns, value: str, remedy: str, parse: Callable[..., ClipTable]
) -> None:
    with pytest.raises(UserError, match=f"{value}.*{remedy}") as error:
        parse(text, columns=columns, skip_invalid=True)
    assert "\n" not in str(error.value)


INVALID = (
    "path,label,group,split,start,end "
    "a,x,p,train,, ,x,p,train,, b,x,,train,, c,x,p,holdout,, d,x,p,,, "
    "e,x,p,val,2,2 f,x,p,val,a,2 g,x,p,val,-1,2 h,x,p,val,inf,2 ok,x,p,val,1,2"
)


def test_all_invalid_rows_are_reported_together(parse: Callable[..., ClipTable]) -> None:
    with pytest.raises(UserError, match=r"8 of 10 rows are invalid: .* --data.on_error skip") as e:
        parse(INVALID)
    for reason in (
        "line 3 (no path)",
        "line 4 (no person)",
        "line 5 (split is holdout, not train, val or test)",
        "line 6 (split is empty,",
        "line 7 (start 2 is not before end 2)",
        "line 8 (start is a, not a number of seconds)",
        "line 9 (start is -1:",
        "line 10 (start is inf:",
    ):
        assert reason in str(e.value)


def test_invalid_rows_can_be_skipped_unless_all_are(parse: Callable[..., ClipTable]) -> None:
    table = parse(INVALID, skip_invalid=True)
    assert [row.path for row in table.rows] == ["a", "ok"]
    assert "8 of 10 rows are invalid" in table.warnings[0]
    with pytest.raises(UserError, match="1 of 1 rows are invalid"):
        parse("path,label ,x", skip_invalid=True)


def test_seconds_may_have_a_decimal_comma_unless_commas_separate_cells(
    parse: Callable[..., ClipTable],
) -> None:
    table = parse("path;label;end ä;x;1,5", encoding="latin-1")
    assert table.rows[0].span_seconds == (0.0, 1.5)
    assert "read as Latin-1" in table.warnings[0]


def test_duplicates_are_dropped_but_another_span_is_another_clip(
    parse: Callable[..., ClipTable],
) -> None:
    table = parse("path,label,start,end a,x,0,1 ./a,x,0,1 a,x,1,2 a,x,0,1")
    assert [row.line for row in table.rows] == [2, 4]
    assert "line 3 (as line 2); line 5 (as line 2)" in table.warnings[0]


def test_names_of_people_and_classes_are_case_insensitive(
    parse: Callable[..., ClipTable],
) -> None:
    table = parse(
        "path,label,group a,Sad,j b,sad,J c,SAD,k d,sad,\uff4a", class_names=["sad", "happy"]
    )
    assert [row.label for row in table.rows] == ["sad"] * 4
    assert [row.group for row in table.rows] == ["j", "j", "k", "j"]
    assert table.warnings[0].endswith("j and J; j and \uff4a")
    assert table.warnings[1].endswith("sad and Sad; sad and SAD")


def test_names_that_look_the_same_are_the_same(parse: Callable[..., ClipTable]) -> None:
    table = parse(
        "path,la\u200bbel,GRO\u0308SSE a.mp4,mu\u0308de,Zoe\u0308 b.mp4,müde\u200b,Zoë "
        "c.mp4,\u00a0müde,Zo\u00adë\u2060 e\u0301.mp4,müde,Zoë é.mp4,müde,Zoë",
        columns=Columns(group="Größe"),
    )
    assert {(row.label, row.group) for row in table.rows} == {("müde", "Zoë")}
    assert [row.path for row in table.rows] == ["a.mp4", "b.mp4", "c.mp4", "e\u0301.mp4"]
    (warning,) = table.warnings
    assert "line 6 (as line 5)" in warning


def test_missing_value_words_are_empty_cells_and_counted(parse: Callable[..., ClipTable]) -> None:
    words = ("NA", "nan", "NaN", "#N/A", "None", "NULL", "n/a", "?", "-")
    rows = " ".join(f"{number}.mp4,{word},p,NA,-" for number, word in enumerate(words))
    table = parse(f"path,label,group,start,end {rows} x.mp4,sad,p,nan,2 y.mp4,Happy,p,0,2")
    assert [row.label for row in table.rows] == [""] * len(words) + ["sad", "Happy"]
    assert [row.span_seconds for row in table.rows[-2:]] == [(0.0, 2.0)] * 2
    assert {row.span_seconds for row in table.rows[:-2]} == {None}
    (warning,) = table.warnings
    assert "NA in 9 rows" in warning
    assert "nan in 2 rows, NaN in 1 row, #N/A in 1 row" in warning


def test_a_listed_class_may_be_a_missing_value_word(parse: Callable[..., ClipTable]) -> None:
    text = "path,label,group a,None,p b,sad,p c,nan,p"
    assert [row.label for row in parse(text).rows] == ["", "sad", ""]
    table = parse(text, class_names=["none", "sad"])
    assert [row.label for row in table.rows] == ["none", "sad", ""]


def test_a_missing_person_is_nobody(parse: Callable[..., ClipTable]) -> None:
    text = "path,label,group a,x,nan b,y,nan c,x,ann"
    with pytest.raises(UserError, match=r"line 2 \(no person\).*nan in 2 rows.*on_error skip"):
        parse(text)
    assert [row.group for row in parse(text, skip_invalid=True).rows] == ["ann"]


def test_numeric_labels_are_class_indices_or_class_names() -> None:
    assert infer_class_names(["sad", "Happy", "angry", "", "sad"]) == ("angry", "Happy", "sad")
    assert infer_class_names(["10", "2", "1"]) == ("1", "2", "10")
    assert infer_class_names(["10", "2", "x"]) == ("10", "2", "x")
    assert class_indices(["2", "0", ""], ["a", "b", "c"]) == {"2": 2, "0": 0, "": -1}
    assert class_indices(["2", "10"], ["2", "10"]) == {"2": 0, "10": 1}


@pytest.mark.parametrize(
    ("labels", "unknown"), [(["joy", "a", "fun"], "joy, fun"), (["3", "0"], "3"), (["0", "a"], "0")]
)
def test_unknown_labels_are_reported_with_the_classes(labels: list[str], unknown: str) -> None:
    with pytest.raises(UserError, match=f"labels {unknown}; the classes are a, b, c"):
        class_indices(labels, ["a", "b", "c"])


# Videos


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_paths_are_relative_to_the_folder_of_the_file(tmp_path: Path) -> None:
    touch(tmp_path, "here/a.mp4", "b.mp4", "here/in/b.mp4")
    paths = locate_videos(tmp_path / "here", ["a.mp4", "../b.mp4", str(tmp_path / "b.mp4")])
    assert [path.resolve().relative_to(tmp_path).as_posix() for path in paths.values()] == [
        "here/a.mp4",
        "b.mp4",
        "b.mp4",
    ]


def test_folder_and_suffix_may_be_missing_and_a_missing_video_keeps_its_name(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "in/deep/a.avi", "in/b.MP4", "x/c.mov", ".old/a.avi", "in/a.txt")
    paths = locate_videos(tmp_path, ["a", "b.MP4", "x/c", "a.avi", "nowhere", "x/b.mp4", "a" * 300])
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in paths.items()} == {
        "a": "in/deep/a.avi",
        "b.MP4": "in/b.MP4",
        "x/c": "x/c.mov",
        "a.avi": "in/deep/a.avi",
        "nowhere": "nowhere",
        "x/b.mp4": "x/b.mp4",
        "a" * 300: "a" * 300,
    }


@pytest.mark.parametrize("name", ["Zoë/é 1.mp4", "é 1.mp4", "é 1", "Zoë/é 1"])
def test_a_name_is_found_however_its_letters_are_composed(name: str, tmp_path: Path) -> None:
    on_disk = unicodedata.normalize("NFD", "Zoë/é\u202f1.MP4")
    touch(tmp_path, on_disk, "Zoë/other.mp4")
    for form in ("NFC", "NFD"):
        spelled = unicodedata.normalize(form, name.replace(".mp4", ".MP4"))
        assert locate_videos(tmp_path, [spelled]) == {spelled: tmp_path / on_disk}
    touch(tmp_path, "Zoë/é 1.MP4")
    exact = "Zoë/é 1.MP4"
    assert locate_videos(tmp_path, [exact]) == {exact: tmp_path / exact}


@pytest.mark.parametrize("name", ["in/a.mp4", "In/a.MP4", "a.mp4", "A"])
def test_a_name_that_differs_in_case_is_refused_with_the_file(name: str, tmp_path: Path) -> None:
    touch(tmp_path, "in/a.MP4")
    if (tmp_path / "in/A.mp4").is_file():
        pytest.skip("the disk does not distinguish case")
    with pytest.raises(UserError, match=rf"upper and lower case.*: {name} is in/a.MP4: write"):
        locate_videos(tmp_path, [name])


@pytest.mark.parametrize("name", ["a", "a.mp4"])
def test_an_ambiguous_name_is_refused_with_its_matches(name: str, tmp_path: Path) -> None:
    touch(tmp_path, "one/a.mp4", "two/a.mp4")
    with pytest.raises(UserError, match=f"{name} matches 2 files in .*: one/a.mp4, two/a.mp4: "):
        locate_videos(tmp_path, [name])


# Splits


def people(number: int, classes: int = 3, clips: int = 2) -> tuple[list[int], list[str]]:
    """Return labels and groups of people with some clips of each class."""
    labels = [label for _ in range(number) for label in range(classes) for _ in range(clips)]
    return labels, [f"p{1 + i // (classes * clips)}" for i in range(len(labels))]


def sizes(split: Split) -> tuple[int, ...]:
    return tuple(len(getattr(split, subset)) for subset in SUBSETS)


@pytest.mark.parametrize(
    ("val", "test", "expected"),
    [
        (0.15, 0.15, (14, 3, 3)),
        (0.1, 0.2, (14, 2, 4)),
        (0.25, 0.25, (10, 5, 5)),
        (0, 1, (0, 0, 20)),
        (0, 0, (20, 0, 0)),
        (0.05, 0, (18, 2, 0)),  # the smallest share is a tenth
    ],
)
def test_the_subsets_have_the_requested_shares(
    val: float, test: float, expected: tuple[int, ...]
) -> None:
    split = split_by_share(*people(20), name="mine", val_share=val, test_share=test, seed=0)
    assert sizes(split) == expected
    assert sorted(split.train + split.val + split.test) == sorted(set(people(20)[1]))


def test_classes_are_stratified_over_subsets() -> None:
    """Each person has one class only, so a random split would often lack a class in a subset."""
    groups = [f"p{person}" for person in range(60) for _ in range(4)]
    labels = [int(group[1:]) % 3 for group in groups]
    for seed in range(5):
        split = split_by_share(
            labels, groups, name="mine", val_share=0.2, test_share=0.2, seed=seed
        )
        for subset in (split.val, split.test):
            counts = Counter(
                label for label, group in zip(labels, groups, strict=True) if group in subset
            )
            assert counts == {0: 16, 1: 16, 2: 16}


def test_the_split_depends_on_the_seed_only() -> None:
    first, repeated, another = (
        split_by_share(*people(20), name="mine", val_share=0.2, test_share=0.2, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first == repeated
    assert first.test != another.test


def test_the_folds_equal_scikit_learn_and_test_each_person_once() -> None:
    labels, groups = people(11)
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=3)
    expected = [
        {groups[i] for i in test} for _, test in splitter.split(labels, labels, np.array(groups))
    ]
    assert make_folds(labels, groups, 5, seed=3) == expected
    splits = [
        split_by_fold(labels, groups, name="mine", fold=fold, num_folds=5, val_share=0.15, seed=3)
        for fold in range(1, 6)
    ]
    assert [set(split.test) for split in splits] == expected
    assert [split.fold for split in splits] == [1, 2, 3, 4, 5]
    assert all(split.val and split.train for split in splits)
    assert len({split.val for split in splits}) > 1
    assert Counter(person for split in splits for person in split.test) == dict.fromkeys(groups, 1)


def test_clips_without_people_are_stratified_by_class() -> None:
    labels, groups = [i % 4 for i in range(200)], [f"{i}.mp4" for i in range(200)]
    split = split_by_share(labels, groups, name="mine", val_share=0.1, test_share=0.2, seed=0)
    assert sizes(split) == (140, 20, 40)
    assert Counter(int(name[:-4]) % 4 for name in split.test) == dict.fromkeys(range(4), 10)


@pytest.mark.parametrize(
    ("fold", "num_people", "message"),
    [
        (0, 9, "data.fold is 0: choose 1 to 5"),
        (6, 9, "data.fold is 6: choose 1 to 5"),
        (1, 4, "num_folds is 5, but there are 4 people: choose fewer"),
    ],
)
def test_an_impossible_fold_is_refused(fold: int, num_people: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        split_by_fold(
            *people(num_people), name="mine", fold=fold, num_folds=5, val_share=0.1, seed=0
        )


def test_three_people_make_three_subsets_and_one_is_only_for_training() -> None:
    shares: dict[str, Any] = {"name": "mine", "val_share": 0.15, "test_share": 0.15, "seed": 0}
    assert sizes(split_by_share(*people(3), **shares)) == (1, 1, 1)
    assert sizes(split_by_share(*people(1), **shares)) == (1, 0, 0)
    assert select_share([], [], 0.5, 0) == set()


def test_subsets_of_the_file_are_kept_and_people_sorted_by_number() -> None:
    subsets: Any = {"p10": "train", "p9": "train", "p1": "val", "p2": "test"}
    split = split_by_column(
        [0] * 4, [*subsets], [*subsets.values()], name="x", val_share=0.5, seed=0
    )
    assert (split.train, split.val, split.test) == (("p9", "p10"), ("p1",), ("p2",))


def test_a_missing_validation_subset_is_taken_from_training() -> None:
    labels, groups = people(25)
    subsets: list[Any] = ["test" if int(group[1:]) > 20 else "train" for group in groups]
    split = split_by_column(labels, groups, subsets, name="x", val_share=0.2, seed=0)
    assert sizes(split) == (16, 4, 5)
    assert set(split.test) == {"p21", "p22", "p23", "p24", "p25"}


def test_a_person_in_two_subsets_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"ann in train and in test; .*--data.split_column none"):
        split_by_column(
            [0, 0, 1],
            ["ann", "bo", "ann"],
            ["train", "train", "test"],
            name="x",
            val_share=0.2,
            seed=0,
        )


def test_rare_classes_are_named_with_their_subset() -> None:
    labels, groups = people(12, classes=2)
    split = Split("mine", None, tuple(f"p{n}" for n in range(1, 9)), ("p9", "p10"), ("p11", "p12"))
    assert rare_class_warning(labels, groups, split, ["calm", "sad"]) is None
    warning = rare_class_warning(
        [*labels, 2, 2], [*groups, "p1", "p2"], split, ["calm", "sad", "shy"]
    )
    assert warning is not None
    assert warning.endswith("shy (0 in val, 0 in test)")
